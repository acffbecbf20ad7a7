//! What waits in a server's first moments: messages that were sent while there was none, for clients that may be on
//! their way as well.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Instant;

use rustc_hash::FxHashSet;

use super::{Server, Timer};
use crate::error;
use crate::machine::SessionId;
use crate::protocol::frame::{Flags, Frame, Kind};

/// The messages that wait. Together they may take as much room as those for one slow client.
#[derive(Debug, Default)]
pub(super) struct Parking {
    messages: Vec<Parked>,
    bytes: usize,
    /// How many of them are for everybody.
    for_all: usize,
    /// Hashes of names whose clients have left: one that comes again may have seen what waits for everybody.
    left: FxHashSet<u64>,
}

#[derive(Debug)]
struct Parked {
    origin: String,
    /// The client that it is for; `None` for everybody.
    target: Option<String>,
    /// Under what number the delivery is known here, or 0.
    relay: u64,
    frame: Vec<u8>,
}

impl Parking {
    fn push(&mut self, parked: Parked) {
        self.bytes += parked.frame.len();
        self.for_all += usize::from(parked.target.is_none());
        self.messages.push(parked);
    }

    /// A client of this name has left.
    pub(super) fn has_left(&mut self, name: &str) {
        if self.for_all > 0 {
            self.left.insert(hash(name));
        }
    }

    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    fn is_for(&self, name: &str) -> bool {
        self.messages.iter().any(|parked| parked.target.as_deref() == Some(name))
    }
}

impl Server {
    /// A client has come for which something may wait. One that comes back has it in its queue already.
    pub(super) fn unpark(&mut self, id: SessionId) {
        let Some(name) = self.sessions.get(&id).map(|session| session.name.clone()) else { return };
        let comes_again = self.parking.left.contains(&hash(&name));
        (self.parking.bytes, self.parking.for_all) = (0, 0);
        for parked in std::mem::take(&mut self.parking.messages) {
            let is_its = parked.target.as_deref() == Some(name.as_str());
            let is_for_all = parked.target.is_none() && parked.origin != name;
            if (is_its || is_for_all)
                && let Ok(mut frame) = Frame::decode_trusted(&parked.frame)
            {
                if is_for_all && comes_again {
                    frame.flags = frame.flags.with(Flags::REDELIVERED);
                }
                self.relays.assign(parked.relay, id);
                self.push(id, &frame);
                self.relayed = true;
            }
            if !is_its {
                self.parking.push(parked);
            }
        }
    }

    /// Whoever has not come by now is not there.
    pub(super) fn give_up_parked(&mut self) {
        self.settling = None;
        for parked in std::mem::take(&mut self.parking).messages {
            if let Some(relay) = self.relays.take(parked.relay) {
                let name = parked.target.unwrap_or_default();
                self.answer_failure(relay.origin, relay.request, &error::no_such_client(&name));
            }
        }
    }

    /// Whether a message has to wait for its receiver, which may be on its way as the sender was. A delivery
    /// waits only if it waited for the server, or would overtake a message that waits: whoever asks a new
    /// server for a client that is not there is told so at once.
    pub(super) fn is_parked(&self, frame: &Frame<'_>, now: Instant) -> bool {
        self.may_park(frame, now)
            && !self.names.contains_key(frame.name)
            && (frame.kind == Kind::Emit || waited(frame) || self.parking.is_for(frame.name))
    }

    /// Whether a message for everybody waits for those that may be on their way.
    pub(super) fn parks_for_all(&self, frame: &Frame<'_>, now: Instant) -> bool {
        self.may_park(frame, now) && waited(frame)
    }

    pub(super) fn park(&mut self, origin: &str, target: Option<&str>, relay: u64, outgoing: &Frame<'_>) {
        let mut frame = Vec::with_capacity(outgoing.size());
        outgoing.encode(&mut frame);
        self.parking.push(Parked { origin: origin.to_owned(), target: target.map(str::to_owned), relay, frame });
        if let Some(until) = self.settling {
            self.timers.set(until, Timer::Parked);
        }
    }

    fn may_park(&self, frame: &Frame<'_>, now: Instant) -> bool {
        self.settling.is_some_and(|until| now < until)
            && self.parking.bytes + frame.payload.len() <= self.options.slow_consumer_limit
    }
}

fn hash(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

/// Whether a message was sent before there was a connection.
fn waited(frame: &Frame<'_>) -> bool {
    frame.flags.intersects(Flags::QUEUED.with(Flags::REDELIVERED))
}
