//! Reading and writing of one connection.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use super::registry::ConnectionWatch;
use super::socket;

/// How much is read after the end of a large frame, in bytes. Another large frame is likely to begin there. When little of it
/// is in the buffer, most of it can be read to its own memory.
const READ_AFTER_LARGE: usize = 4 * 1024;

/// A connection. Its watch is dropped before its socket.
#[derive(Debug)]
pub(super) struct Connection<W> {
    watch: W,
    stream: Arc<UnixStream>,
    /// The socket is full, and the driver watches for room to write.
    blocked: bool,
    /// Nothing can be written any more. What the peer wrote earlier can still be read.
    broken: bool,
    /// The last read went to the memory of a large frame.
    was_direct: bool,
    /// Nothing has been read yet.
    is_unread: bool,
}

/// The result of one read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Read {
    /// How many bytes; 0 at the end.
    pub(super) count: usize,
    /// Whether they were read to the memory that the machine gave, and not into the buffer.
    pub(super) is_direct: bool,
    /// Whether there was room for more.
    pub(super) is_short: bool,
    /// Whether this was the first read.
    pub(super) is_first: bool,
}

impl<W: ConnectionWatch> Connection<W> {
    pub(super) fn new(watch: W, stream: Arc<UnixStream>) -> Connection<W> {
        Connection { watch, stream, blocked: false, broken: false, was_direct: false, is_unread: true }
    }

    /// Reads once, into the spare capacity of `direct` or else into `buffer`.
    ///
    /// # Errors
    /// The system's. `WouldBlock` if there is nothing to read.
    pub(super) fn read(&mut self, direct: Option<&mut Vec<u8>>, buffer: &mut [u8]) -> io::Result<Read> {
        let is_direct = direct.is_some();
        let (room, count) = match direct {
            Some(rest) => (rest.capacity() - rest.len(), socket::read_into(&self.stream, rest)?),
            None => {
                let room = if self.was_direct { buffer.len().min(READ_AFTER_LARGE) } else { buffer.len() };
                (room, socket::read(&self.stream, &mut buffer[..room])?)
            }
        };
        if count > 0 {
            self.was_direct = is_direct;
        }
        let is_first = count > 0 && std::mem::take(&mut self.is_unread);
        Ok(Read { count, is_direct, is_short: count < room, is_first })
    }

    /// Writes what the socket takes now, and returns how many bytes that were.
    ///
    /// The result is 0 if there is no room: then the driver watches for room. It is also 0 if the connection is broken: then
    /// its end is reported when everything that the peer wrote has been read.
    ///
    /// # Errors
    /// The system's, if the driver cannot watch for room.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.blocked || self.broken {
            return Ok(0);
        }
        loop {
            match socket::write(&self.stream, bytes) {
                Ok(count) => return Ok(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.blocked = true;
                    return self.watch.watch_writable().map(|()| 0);
                }
                Err(_) => {
                    self.broken = true;
                    return Ok(0);
                }
            }
        }
    }

    /// Whether the connection waits for room to write.
    pub(super) fn is_blocked(&self) -> bool {
        self.blocked
    }

    /// There is room to write.
    pub(super) fn unblock(&mut self) {
        self.blocked = false;
    }

    /// Reading may continue.
    pub(super) fn read_again(&self) {
        self.watch.read_again();
    }
}
