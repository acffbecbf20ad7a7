//! A connection, as it is read and written.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use super::registry::ConnectionWatch;
use super::socket;

/// How much is read after the end of a large frame, in bytes: likely another one begins there, most of which
/// can then be read to where it belongs.
const READ_AFTER_LARGE: usize = 4 * 1024;

/// A connection. The watch is dropped first.
#[derive(Debug)]
pub(super) struct Connection<W> {
    watch: W,
    stream: Arc<UnixStream>,
    /// The driver watches for room to write.
    blocked: bool,
    /// Nothing can be written any more. What the peer wrote before is still read.
    broken: bool,
    /// The last read was one of the rest of a large frame.
    was_direct: bool,
    /// Nothing has been read.
    is_unread: bool,
}

/// What was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Read {
    /// How many bytes; 0 at the end.
    pub(super) count: usize,
    /// Whether they were read to where the machine wants them, and not into the buffer.
    pub(super) is_direct: bool,
    /// Whether there was room for more.
    pub(super) is_short: bool,
    /// Whether nothing was read before.
    pub(super) is_first: bool,
}

impl<W: ConnectionWatch> Connection<W> {
    pub(super) fn new(watch: W, stream: Arc<UnixStream>) -> Connection<W> {
        Connection { watch, stream, blocked: false, broken: false, was_direct: false, is_unread: true }
    }

    /// Reads once, into the spare capacity of `direct` or else into `buffer`.
    ///
    /// # Errors
    /// The system's, `WouldBlock` where there is nothing.
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

    /// Writes what the socket takes now. Gives how many bytes that were: 0 if there is no room, which is watched for, or
    /// nothing can be written any more; then the end follows when everything that the peer wrote has been read.
    ///
    /// # Errors
    /// The system's, where room can't be watched for.
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

    /// Whether it waits for room to write.
    pub(super) fn is_blocked(&self) -> bool {
        self.blocked
    }

    /// There is room to write.
    pub(super) fn unblock(&mut self) {
        self.blocked = false;
    }

    /// It may be read again.
    pub(super) fn read_again(&self) {
        self.watch.read_again();
    }
}
