//! What a driver watches for its machines' sockets.

use std::fmt;
use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;

use super::notices::Change;
use crate::machine::{ConnectionId, ListenerId};

/// Watches the sockets of one machine. Each watch ends when it is dropped, which comes before its socket is closed.
pub trait Registry {
    /// The watch over a connection.
    type ConnectionWatch: ConnectionWatch;
    /// The watch over a listener.
    type ListenerWatch: fmt::Debug;
    /// The watch over a file.
    type FileWatch: fmt::Debug;

    /// Watches a connection for something to read, to call [`Io::readable`](super::Io::readable) then.
    ///
    /// # Errors
    /// The system's: the connection is closed then.
    fn watch_connection(&mut self, id: ConnectionId, stream: &Arc<UnixStream>) -> io::Result<Self::ConnectionWatch>;

    /// Watches a listener for connections, to call [`Io::acceptable`](super::Io::acceptable) then.
    ///
    /// # Errors
    /// The system's: the server does not listen then.
    fn watch_listener(&mut self, id: ListenerId, listener: &Arc<UnixListener>) -> io::Result<Self::ListenerWatch>;

    /// Watches a file, to call [`Io::files_changed`](super::Io::files_changed) when this has happened to it; see
    /// [`FileNotices`](super::FileNotices).
    ///
    /// # Errors
    /// The system's: the file is looked at every now and then instead.
    fn watch_file(&mut self, path: &Path, change: Change) -> io::Result<Self::FileWatch>;
}

/// The watch over a connection.
pub trait ConnectionWatch: fmt::Debug {
    /// Watches it for room to write too, until [`Io::writable`](super::Io::writable) was called.
    ///
    /// # Errors
    /// The system's: the connection is closed then.
    fn watch_writable(&mut self) -> io::Result<()>;

    /// The connection may be read again, see [`Progress::Paused`]. It may be ready already.
    fn read_again(&self);
}

/// Whether more may be ready than was dealt with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// There was nothing.
    Nothing,
    /// Nothing is left: wait for the next notice.
    Drained,
    /// It is not to be read for now: wait for [`ConnectionWatch::read_again`].
    Paused,
    /// Come back after others have had their turn.
    More,
}
