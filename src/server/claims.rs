//! The connections that claim the name of a client whose connection may just be ending.

use std::collections::{BTreeSet, HashMap};

use crate::machine::ConnectionId;

/// Those connections by the names that they want, the first ones first.
#[derive(Debug, Default)]
pub(super) struct Claims {
    /// Names come from peers: this hash withstands chosen ones.
    names: HashMap<Box<str>, BTreeSet<ConnectionId>>,
}

impl Claims {
    pub(super) fn add(&mut self, name: &str, connection: ConnectionId) {
        self.names.entry(name.into()).or_default().insert(connection);
    }

    pub(super) fn remove(&mut self, name: &str, connection: ConnectionId) {
        let Some(connections) = self.names.get_mut(name) else { return };
        connections.remove(&connection);
        if connections.is_empty() {
            self.names.remove(name);
        }
    }

    /// The connection that claimed the name first.
    pub(super) fn first(&self, name: &str) -> Option<ConnectionId> {
        self.names.get(name)?.first().copied()
    }

    pub(super) fn clear(&mut self) {
        self.names.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.names.values().map(BTreeSet::len).sum()
    }
}
