//! The interface to the driver's watches.

use std::fmt;
use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;

use super::notices::Change;
use crate::machine::{ConnectionId, ListenerId};

/// Watches the sockets of one machine. Each watch ends when it is dropped, before its socket is closed.
pub trait Registry {
    /// The watch on a connection.
    type ConnectionWatch: ConnectionWatch;
    /// The watch on a listener.
    type ListenerWatch: fmt::Debug;
    /// The watch on a file.
    type FileWatch: fmt::Debug;

    /// Watches a connection. When it is readable, the driver calls [`Io::readable`](super::Io::readable).
    ///
    /// # Errors
    /// The system's. The connection is closed then.
    fn watch_connection(&mut self, id: ConnectionId, stream: &Arc<UnixStream>) -> io::Result<Self::ConnectionWatch>;

    /// Watches a listener. When a connection waits there, the driver calls [`Io::acceptable`](super::Io::acceptable).
    ///
    /// # Errors
    /// The system's. The server does not listen then.
    fn watch_listener(&mut self, id: ListenerId, listener: &Arc<UnixListener>) -> io::Result<Self::ListenerWatch>;

    /// Watches a file. After this change, the driver calls [`Io::files_changed`](super::Io::files_changed).
    /// [`FileNotices`](super::FileNotices) gives the notices.
    ///
    /// # Errors
    /// The system's. The file is checked every second instead.
    fn watch_file(&mut self, path: &Path, change: Change) -> io::Result<Self::FileWatch>;
}

/// The watch on a connection.
pub trait ConnectionWatch: fmt::Debug {
    /// Watches for room to write as well. When there is room, the driver calls [`Io::writable`](super::Io::writable), once.
    ///
    /// # Errors
    /// The system's. The connection is closed then.
    fn watch_writable(&mut self) -> io::Result<()>;

    /// Reading may continue after [`Progress::Paused`]. The connection may be readable already.
    fn read_again(&self);
}

/// Whether a socket may still be ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Nothing was ready.
    Nothing,
    /// Nothing is left. The driver waits for the next notice.
    Drained,
    /// The machine does not read from the connection for now. The driver waits for [`ConnectionWatch::read_again`].
    Paused,
    /// More may be ready. The driver calls again after it has served the other sockets.
    More,
}
