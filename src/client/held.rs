//! The messages that the server holds for clients that are away.

use std::collections::BTreeMap;

use super::retained::{Place, Retained};
use crate::protocol::frame::{self, Flags, Kind};

/// Marks a frame whose promise was settled before it was sent again. No other frame of the queue uses this bit.
pub(super) const SETTLED: Flags = Flags::OWN;

/// By their sequence numbers, and where each is kept once it is acknowledged.
#[derive(Debug, Default)]
pub(super) struct Held {
    messages: BTreeMap<u64, Option<Place>>,
}

impl Held {
    /// The server is about to acknowledge this one.
    pub(super) fn hold(&mut self, sequence: u64) {
        self.messages.insert(sequence, None);
    }

    /// A frame is acknowledged: it is kept if it is a message that is held.
    pub(super) fn acknowledged(&mut self, sequence: u64, bytes: &[u8], retained: &mut Retained) {
        if frame::kind_of(bytes) != Kind::Emit {
            self.messages.remove(&sequence);
        } else if let Some(place) = self.messages.get_mut(&sequence) {
            let mut kept: Box<[u8]> = bytes.into();
            frame::mark(&mut kept, SETTLED);
            *place = Some(retained.keep(kept));
        }
    }

    /// The server holds it no longer.
    pub(super) fn released(&mut self, sequence: u64, retained: &mut Retained) {
        if let Some(Some(place)) = self.messages.remove(&sequence) {
            retained.forget(place);
        }
    }

    /// Another server counts anew.
    pub(super) fn clear(&mut self) {
        self.messages.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }
}

/// Whether the promise of a one-way message was settled already.
pub(super) fn is_settled(flags: Flags, kind: Kind) -> bool {
    kind.is_one_way() && flags.contains(SETTLED)
}
