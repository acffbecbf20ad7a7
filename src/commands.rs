//! The commands that an instance handles.

use rustc_hash::FxHashMap;

use crate::error::{Code, Error};
use crate::machine::CommandId;
use crate::protocol::frame::MAX_NAME;
use crate::protocol::v1::message::RESTRICTED;

/// The commands with their places, in the order in which they were added.
#[derive(Debug, Default)]
pub struct Commands {
    // The keys come from the application, never from a peer: no hash need withstand an attack.
    places: FxHashMap<Box<str>, CommandId>,
    names: Vec<Box<str>>,
}

impl Commands {
    /// Adds commands, all or none.
    ///
    /// # Errors
    /// [`Code::RestrictedCommand`] or [`Code::HandlerExists`].
    pub fn add(&mut self, names: &[String]) -> Result<(), Error> {
        for name in names {
            check(name)?;
            if self.places.contains_key(name.as_str()) {
                return Err(Error::new(
                    Code::HandlerExists,
                    format!("The command {name:?} already has a handler; add only one, or choose another name."),
                ));
            }
        }
        for name in names {
            let id = CommandId(u32::try_from(self.names.len()).unwrap_or(u32::MAX));
            self.places.insert(name.as_str().into(), id);
            self.names.push(name.as_str().into());
        }
        Ok(())
    }

    /// The place of a command.
    pub fn find(&self, name: &str) -> Option<CommandId> {
        self.places.get(name).copied()
    }

    /// All of them, in the order in which they were added.
    pub fn names(&self) -> &[Box<str>] {
        &self.names
    }
}

/// Whether a command may be sent and handled.
///
/// # Errors
/// [`Code::RestrictedCommand`] for those of the protocol, [`Code::InvalidArgument`] for too long a one.
pub fn check(name: &str) -> Result<(), Error> {
    if RESTRICTED.contains(&name) {
        return Err(Error::new(
            Code::RestrictedCommand,
            format!("The command {name:?} is reserved for ipcio itself; choose another name."),
        ));
    }
    check_length(name)
}

/// Whether a name or command fits into a frame.
///
/// # Errors
/// [`Code::InvalidArgument`].
pub fn check_length(name: &str) -> Result<(), Error> {
    if name.len() > MAX_NAME {
        return Err(Error::new(
            Code::InvalidArgument,
            format!("A name or command has {} bytes, which is too long; use at most {MAX_NAME}.", name.len()),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_added_all_or_none() {
        let mut commands = Commands::default();
        commands.add(&["a".into()]).unwrap();
        let error = commands.add(&["b".into(), "a".into()]).unwrap_err();
        assert_eq!((error.code(), commands.find("b")), (Code::HandlerExists, None));
        let error = commands.add(&["c".into(), "emit".into()]).unwrap_err();
        assert_eq!((error.code(), commands.names().len()), (Code::RestrictedCommand, 1));
    }
}
