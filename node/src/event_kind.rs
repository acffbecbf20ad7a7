//! Kinds of events as JavaScript learns of them: numbers, each with the length of such an event in a batch.

/// Defines [`EventKind`]: each kind with its number and its length.
macro_rules! kinds {
    ($($name:ident = $number:literal, $length:literal;)*) => {
        /// The kind of an event in a batch, which its first entry tells.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub(crate) enum EventKind {
            $($name = $number,)*
        }

        impl EventKind {
            /// All kinds.
            pub(crate) const ALL: &[EventKind] = &[$(EventKind::$name,)*];

            /// How many entries an event of this kind has, its kind included; of those that come in runs, how many
            /// stand in front of the payloads.
            pub(crate) const fn length(self) -> u32 {
                match self {
                    $(EventKind::$name => $length,)*
                }
            }

            /// Its name in JavaScript.
            pub(crate) fn name(self) -> String {
                match self {
                    $(EventKind::$name => constant_case(stringify!($name)),)*
                }
            }
        }
    };
}

kinds! {
    Message = 0, 7;
    Answer = 1, 4;
    Failure = 2, 4;
    Settled = 3, 2;
    Rejected = 4, 3;
    Connected = 5, 2;
    Disconnected = 6, 1;
    Refused = 7, 3;
    SessionConnected = 8, 7;
    SessionDisconnected = 9, 2;
    SessionEnded = 10, 5;
    Drained = 11, 2;
    Closed = 12, 1;
    Dropped = 13, 4;
    Relistened = 14, 1;
    Displaced = 15, 1;
    TimedOut = 16, 4;
    Waiting = 17, 3;
}

/// The flag of a message that may have been handled before.
pub(crate) const REDELIVERED: u8 = 1;

/// The flag of events whose payloads are attached to the batch: its text has their indexes.
pub(crate) const ATTACHED: u8 = 2;

/// `SOME_NAME` for `SomeName`.
pub(crate) fn constant_case(name: &str) -> String {
    let mut text = String::new();
    for (index, letter) in name.char_indices() {
        if index > 0 && letter.is_ascii_uppercase() {
            text.push('_');
        }
        text.push(letter.to_ascii_uppercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_constants() {
        assert_eq!(EventKind::SessionDisconnected.name(), "SESSION_DISCONNECTED");
        assert_eq!(EventKind::Message.name(), "MESSAGE");
    }

    #[test]
    fn no_two_kinds_have_the_same_number_and_there_are_none_in_between() {
        let numbers: Vec<_> = EventKind::ALL.iter().map(|&kind| kind as usize).collect();
        assert_eq!(numbers, (0..numbers.len()).collect::<Vec<_>>());
    }
}
