//! What an event loop serves.

use std::time::Instant;

use ipcio::driver::io::Progress;
use ipcio::driver::machine::{ConnectionId, ListenerId};

/// Something with sockets and a deadline, which the loop tells that they are ready, and that it has passed.
pub(crate) trait Source {
    /// A connection has something to read. It is read once, into `buffer`. `ended`: its peer has closed it.
    fn readable(&self, connection: ConnectionId, ended: bool, buffer: &mut [u8], now: Instant) -> Progress;

    /// A connection that waited for room to write has some.
    fn writable(&self, connection: ConnectionId, now: Instant);

    /// A peer connects.
    fn acceptable(&self, listener: ListenerId, now: Instant) -> Progress;

    /// There are notices of changed files.
    fn files_changed(&self, now: Instant);

    /// The deadline has passed.
    fn elapsed(&self, now: Instant);

    /// Events that the calls above have led to go to JavaScript. Before that, none of the calls may run any.
    fn dispatch(&self);

    /// Whether a large message is on its way through a connection.
    fn is_in_bulk(&self, connection: ConnectionId) -> bool;
}

/// A socket of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Socket {
    Connection(ConnectionId),
    Listener(ListenerId),
    /// The notices of changed files.
    Files,
}
