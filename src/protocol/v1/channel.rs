//! One socket of protocol 1: the search for objects in what is read, and text that waits to be written.

use super::splitter::Splitter;
use crate::protocol::text::Text;

/// What a message may have beside its payload: command, name and delivery.
const ENVELOPE: usize = 16 * 1024;

/// One direction of reading and one of writing.
#[derive(Debug)]
pub struct Channel {
    /// Finds the objects in what is read.
    pub splitter: Splitter,
    /// What is to be written.
    pub text: Text,
}

impl Channel {
    /// For objects of at most `limit` bytes.
    pub fn new(limit: usize) -> Channel {
        Channel { splitter: Splitter::new(limit), text: Text::default() }
    }

    /// For messages whose payload has at most `limit` bytes.
    pub(super) fn for_messages(limit: usize) -> Channel {
        Channel::new(limit.saturating_add(ENVELOPE))
    }

    /// The same channel for messages that may carry another one as a string, in which each quote and backslash takes two
    /// bytes.
    pub(super) fn for_wrapped_messages(mut self, limit: usize) -> Channel {
        self.splitter.set_limit(limit.saturating_add(ENVELOPE).saturating_mul(2));
        self
    }
}
