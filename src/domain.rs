//! A domain: the name that a server and its clients share, and the sockets that follow from it.

use std::path::{Path, PathBuf};

use crate::error::{Code, Error};

/// What all sockets' paths begin with, as in 0.6.2.
const PREFIX: &str = "/tmp/IPC.io.";

/// The domain of instances that name none.
pub const DEFAULT: &str = "default";

/// The longest path that fits into a socket's address everywhere (macOS has 104 bytes with the final NUL).
const MAX_PATH: usize = 103;

/// Room that the private sockets of protocol 1 need behind the control socket's path: a dot and 32 digits.
const PRIVATE: usize = 33;

/// The longest name, in bytes.
pub const MAX_NAME: usize = MAX_PATH - PREFIX.len() - PRIVATE;

/// A domain whose sockets' paths are sure to fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    name: String,
}

impl Domain {
    /// The domain of this name.
    ///
    /// # Errors
    /// [`Code::Domain`] if it is empty, holds `/` or NUL, or is too long for a socket's address.
    pub fn new(name: &str) -> Result<Domain, Error> {
        let problem = if name.is_empty() {
            "is empty".to_owned()
        } else if name.contains('/') {
            "contains a slash".to_owned()
        } else if name.contains('\0') {
            "contains a NUL".to_owned()
        } else if name.len() > MAX_NAME {
            format!("has {} bytes", name.len())
        } else {
            return Ok(Domain { name: name.to_owned() });
        };
        Err(Error::new(
            Code::Domain,
            format!("The domain {name:?} {problem}; use 1 to {MAX_NAME} bytes without slashes and NULs."),
        ))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The path of the control socket.
    pub fn control(&self) -> PathBuf {
        Path::new(&format!("{PREFIX}{}", self.name)).to_owned()
    }

    /// The path of a private socket of protocol 1.
    pub fn private(&self, uuid: &str) -> PathBuf {
        Path::new(&format!("{PREFIX}{}.{uuid}", self.name)).to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_0_6_2() {
        let domain = Domain::new("shop").unwrap();
        assert_eq!(domain.control(), Path::new("/tmp/IPC.io.shop"));
        assert_eq!(domain.private("ab"), Path::new("/tmp/IPC.io.shop.ab"));
    }

    #[test]
    fn names_that_no_socket_can_have_are_refused() {
        for name in ["", "a/b", "a\0b", &"x".repeat(59)] {
            assert_eq!(Domain::new(name).unwrap_err().code(), Code::Domain, "{name:?}");
        }
        let longest = Domain::new(&"x".repeat(58)).unwrap();
        assert_eq!(longest.private(&"0".repeat(32)).as_os_str().len(), MAX_PATH);
    }
}
