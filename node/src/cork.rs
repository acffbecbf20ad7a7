//! When messages are gathered, and when what is queued is written.
//!
//! This is decided here, for one instance, and nowhere else in the addon:
//!
//! - What is queued is written at the end of the dispatch, or of JavaScript's tick, together: `uncork`.
//! - Before that, what is large is written, so that the other side works on the beginning while this one still makes the
//!   end; so is a message that is likely to stay the only one: `queued`.
//! - The first message of a tick crosses from JavaScript alone. Small ones after it are gathered by `lib/outgoing.js`, and
//!   cross in a run: `gathers`.

use std::cell::Cell;

/// Bytes that are written before the end of the dispatch.
const WRITTEN_AT: usize = 32 * 1024;

/// The longest text that may come in a run, in UTF-16 code units. What longer ones cost is their copies, not the call.
const GATHERED: usize = 1_000;

/// The longest run, in UTF-16 code units, but for the text that completes it. A longer one gains nothing, and this much is
/// worth being written.
pub(crate) const LONGEST_RUN: u32 = 8192;

/// More than a run takes, in bytes, as long as the command is no book.
const ROOM_FOR_RUN: usize = 1024 * 1024;

/// What a UTF-16 code unit takes at most in UTF-8, in bytes.
const LARGEST_UNIT: usize = 3;

/// What of an instance's messages has been queued and not written.
#[derive(Debug, Default)]
pub(crate) struct Cork {
    /// Messages since it was uncorked.
    messages: Cell<usize>,
    /// The size of those that have not been written.
    bytes: Cell<usize>,
    /// Whether a single message was queued before it was uncorked last.
    expects_one: Cell<bool>,
}

/// What an instance lets JavaScript gather.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Whether each message is shown as soon as it is sent.
    pub(crate) verbose: bool,
    /// The largest message that is not refused, in bytes.
    pub(crate) message: usize,
    /// What more may be queued, in bytes.
    pub(crate) queue: usize,
}

impl Cork {
    /// Notes messages that were queued, and their size in bytes. Whether they should be written now.
    pub(crate) fn queued(&self, count: usize, bytes: usize) -> bool {
        let messages = self.messages.get();
        let unwritten = self.bytes.get() + bytes;
        let is_only = messages == 0 && self.expects_one.get();
        let is_due = is_only || unwritten >= WRITTEN_AT;
        self.messages.set(messages + count);
        self.bytes.set(if is_due { 0 } else { unwritten });
        is_due
    }

    /// Whether more than one message was queued since it was uncorked.
    pub(crate) fn has_several(&self) -> bool {
        self.messages.get() > 1
    }

    /// All that was queued is about to be written.
    pub(crate) fn uncork(&self) {
        let messages = self.messages.take();
        self.bytes.set(0);
        if messages > 0 {
            self.expects_one.set(messages == 1);
        }
    }
}

impl Limits {
    /// How long a text may be that JavaScript gathers, in UTF-16 code units. It is one that no limit refuses, as a run is
    /// taken up whole.
    pub(crate) fn gathers(self) -> u32 {
        // Where the queue may have no room for a run, each message is to be refused by itself.
        if self.verbose || self.queue < ROOM_FOR_RUN { 0 } else { GATHERED.min(self.message / LARGEST_UNIT) as u32 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_queued_is_written_together_or_when_it_is_large() {
        let cork = Cork::default();
        assert!(!cork.queued(1, 100));
        assert!(!cork.queued(1, 100) && cork.has_several());
        assert!(cork.queued(1, WRITTEN_AT - 200));
        assert!(!cork.queued(1, WRITTEN_AT - 1));
        cork.uncork();
        assert!(!cork.has_several() && !cork.queued(2, 100));
    }

    #[test]
    fn a_message_is_written_at_once_where_the_one_before_stayed_alone() {
        let cork = Cork::default();
        assert!(!cork.queued(1, 100));
        cork.uncork();
        cork.uncork();
        assert!(cork.queued(1, 100) && !cork.queued(1, 100));
        cork.uncork();
        assert!(!cork.queued(1, 100));
    }

    #[test]
    fn nothing_is_gathered_that_could_be_refused() {
        let limits = Limits { verbose: false, message: usize::MAX, queue: usize::MAX };
        assert_eq!(limits.gathers(), 1_000);
        assert_eq!(Limits { verbose: true, ..limits }.gathers(), 0);
        assert_eq!(Limits { message: 30, ..limits }.gathers(), 10);
        assert_eq!(Limits { queue: ROOM_FOR_RUN - 1, ..limits }.gathers(), 0);
    }
}
