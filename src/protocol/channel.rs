//! One socket of protocol 1: text that waits to be written, and the search for objects in what is read.

use super::message::MAX_HANDSHAKE;
use super::splitter::Splitter;

/// What a message of protocol 1 may have beside its payload: command, name and delivery.
const ENVELOPE: usize = 16 * 1024;

/// Room for text that is kept for the next message.
const KEPT: usize = 4 * 1024;

/// Text of this size waits at most before more messages are turned into text.
pub const HIGH_WATER_MARK: usize = 256 * 1024;

/// One direction of writing and one of reading.
#[derive(Debug)]
pub struct Channel {
    /// Finds the objects in what is read.
    pub splitter: Splitter,
    /// What waits to be written, from `written` on.
    pub text: Vec<u8>,
    written: usize,
    /// Whether there is text that the driver has not been told of.
    pub dirty: bool,
}

impl Channel {
    /// For messages whose payload has at most `limit` bytes.
    pub fn new(limit: usize) -> Channel {
        Channel::for_objects(limit.saturating_add(ENVELOPE))
    }

    /// For messages that may carry another one as a string, in which each quote and backslash takes two bytes.
    pub fn wrapping(limit: usize) -> Channel {
        Channel::for_objects(wrapped(limit))
    }

    /// For a handshake, which is all that somebody may say of whom nothing is known.
    pub fn greeting() -> Channel {
        Channel::for_objects(MAX_HANDSHAKE)
    }

    /// The handshake is over: it is one for messages that may carry others, see [`Channel::wrapping`].
    pub fn wrap(&mut self, limit: usize) {
        self.splitter.set_limit(wrapped(limit));
    }

    fn for_objects(limit: usize) -> Channel {
        Channel { splitter: Splitter::new(limit), text: Vec::new(), written: 0, dirty: false }
    }

    /// What is to be written next.
    pub fn unwritten(&self) -> &[u8] {
        &self.text[self.written..]
    }

    /// Notes that `count` bytes were written.
    pub fn advance(&mut self, count: usize) {
        self.written += count;
        if self.written == self.text.len() {
            self.written = 0;
            self.text.clear();
            self.text.shrink_to(KEPT);
        }
    }

    /// Whether more text should wait until this has been written.
    pub fn is_full(&self) -> bool {
        self.text.len() - self.written >= HIGH_WATER_MARK
    }

    /// Whether all is written.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
}

/// The largest payload's message, as a string within another one.
fn wrapped(limit: usize) -> usize {
    limit.saturating_add(ENVELOPE).saturating_mul(2)
}
