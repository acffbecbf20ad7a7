//! The clients for which more waits than may, until it is seen whether they read.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use crate::machine::{ConnectionId, SessionId};

/// Those clients, and what was read from them and not dealt with.
#[derive(Debug, Default)]
pub(super) struct Overflowing {
    /// Whether it was tried to write to them since.
    pub(super) sessions: BTreeMap<SessionId, bool>,
    /// What clients have sent behind that for which they have more to read than may be.
    unheard: FxHashMap<ConnectionId, Vec<u8>>,
}

impl Overflowing {
    /// Too much waits for this one.
    pub(super) fn add(&mut self, id: SessionId) {
        self.sessions.entry(id).or_insert(false);
    }

    pub(super) fn contains(&self, id: SessionId) -> bool {
        self.sessions.contains_key(&id)
    }

    /// What can be is about to be written to this one.
    pub(super) fn tried(&mut self, id: SessionId) {
        if let Some(tried) = self.sessions.get_mut(&id) {
            *tried = true;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.sessions.len()
    }

    /// The client is heard on when it has read.
    pub(super) fn hear_later(&mut self, connection: ConnectionId, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.unheard.entry(connection).or_default().extend_from_slice(bytes);
        }
    }

    /// Whether frames of a client must wait, because earlier ones wait.
    pub(super) fn is_unheard(&self, connection: ConnectionId) -> bool {
        !self.unheard.is_empty() && self.unheard.contains_key(&connection)
    }

    /// Takes what has not been heard.
    pub(super) fn forget(&mut self, connection: ConnectionId) -> Option<Vec<u8>> {
        if self.unheard.is_empty() { None } else { self.unheard.remove(&connection) }
    }

    /// Bytes that have not been heard.
    pub(super) fn unheard(&self) -> usize {
        self.unheard.values().map(Vec::len).sum()
    }
}
