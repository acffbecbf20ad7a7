//! The deliveries that a client waits for.

use std::time::Instant;

use rustc_hash::FxHashMap;

use super::retained::{self, Retained};
use crate::protocol::frame::{Flags, Frame, Kind};
use crate::protocol::outbox;
use crate::time_limits::TimeLimits;

/// Marks a void frame whose one-way message was rejected: its promise is settled in its turn.
pub(super) const REJECTED: Flags = Flags::OWN;

/// The capacity that is kept when there are no deliveries.
const KEPT: usize = 1024;

/// Deliveries without an answer, by their numbers.
#[derive(Debug, Default)]
pub(super) struct Deliveries {
    waiting: FxHashMap<u64, Place>,
    limits: TimeLimits,
}

/// Where the frame of a delivery is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// In the queue: the server has not received it, as far as is known.
    Queued(outbox::Place),
    /// The server has received it. One that has lost it is asked again.
    Retained(retained::Place),
}

impl Deliveries {
    pub(super) fn begin(&mut self, request: u64, place: outbox::Place) {
        self.waiting.insert(request, Place::Queued(place));
    }

    /// Its time is over then.
    pub(super) fn limit(&mut self, request: u64, end: Instant) {
        if self.waiting.contains_key(&request) {
            self.limits.add(request, end);
        }
    }

    /// Those whose time is limited.
    pub(super) fn limits(&self) -> &TimeLimits {
        &self.limits
    }

    /// The application does not wait for it any more. Gives where its frame was, if it did wait.
    pub(super) fn end(&mut self, request: u64, retained: &mut Retained) -> Option<Place> {
        let place = self.waiting.remove(&request)?;
        self.limits.remove(request);
        if self.waiting.is_empty() && self.waiting.capacity() > KEPT {
            self.waiting = FxHashMap::default();
        }
        if let Place::Retained(place) = place {
            retained.forget(place);
        }
        Some(place)
    }

    /// The server has received this frame.
    pub(super) fn acknowledged(&mut self, bytes: &[u8], retained: &mut Retained) {
        if let Ok(frame) = Frame::decode_trusted(bytes)
            && is_asked(frame.kind)
            && let Some(place) = self.waiting.get_mut(&frame.id)
        {
            *place = Place::Retained(retained.keep(bytes.into()));
        }
    }

    /// This frame stands in another place of the queue.
    pub(super) fn moved(&mut self, request: u64, to: outbox::Place) {
        if let Some(place) = self.waiting.get_mut(&request) {
            *place = Place::Queued(to);
        }
    }

    /// The same, if it is a delivery's frame.
    pub(super) fn found(&mut self, bytes: &[u8], at: outbox::Place) {
        if let Ok(frame) = Frame::decode_trusted(bytes)
            && is_asked(frame.kind)
        {
            self.moved(frame.id, at);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

fn is_asked(kind: Kind) -> bool {
    matches!(kind, Kind::Request | Kind::Discover)
}
