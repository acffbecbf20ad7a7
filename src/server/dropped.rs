//! Messages that were larger than their receivers take, until the application is told of them.

use std::collections::BTreeMap;

use crate::machine::SessionId;

/// Those messages, by their receivers.
#[derive(Debug, Default)]
pub(super) struct Dropped {
    receivers: BTreeMap<SessionId, Receiver>,
}

/// How much was too large for a client.
#[derive(Debug)]
pub(super) struct Receiver {
    pub(super) name: String,
    pub(super) messages: u64,
    pub(super) bytes: usize,
}

impl Dropped {
    /// A message of this size, in bytes, is too large for the client of that name.
    pub(super) fn add(&mut self, id: SessionId, name: String, bytes: usize) {
        let receiver = self.receivers.entry(id).or_insert(Receiver { name, messages: 0, bytes: 0 });
        receiver.messages += 1;
        receiver.bytes += bytes;
    }

    /// Takes out one of the receivers.
    pub(super) fn pop(&mut self) -> Option<Receiver> {
        self.receivers.pop_first().map(|(_, receiver)| receiver)
    }

    pub(super) fn len(&self) -> usize {
        self.receivers.len()
    }
}
