//! What waits in a server's first moments: messages that were sent while there was none, for clients that may be on
//! their way as well.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;
use std::time::Instant;

use rustc_hash::FxHashSet;

use super::held::Held;
use super::{Server, Timer, check_size};
use crate::error;
use crate::machine::SessionId;
use crate::protocol::frame::{Flags, Frame, Kind};

/// The messages that wait. Together they may take as much room as those for one slow client.
#[derive(Debug, Default)]
pub(super) struct Parking {
    /// By the client that they are for. Names come from peers: this hash withstands chosen ones.
    named: HashMap<Box<str>, Vec<Parked>>,
    for_all: Vec<Parked>,
    /// Counts all messages: the order in which they came.
    next: u64,
    count: usize,
    bytes: usize,
    /// Hashes of names whose clients have left: one that comes again may have seen what waits for everybody.
    left: FxHashSet<u64>,
}

#[derive(Debug)]
struct Parked {
    number: u64,
    /// Under what number the delivery is known here, or 0.
    relay: u64,
    held: Option<Held>,
    frame: Vec<u8>,
}

impl Parked {
    fn size(&self) -> usize {
        size_of::<Parked>() + self.frame.len()
    }
}

impl Parking {
    fn push(&mut self, target: Option<&str>, relay: u64, held: Option<Held>, frame: &Frame<'_>) {
        let mut bytes = Vec::with_capacity(frame.size());
        frame.encode(&mut bytes);
        self.next += 1;
        let parked = Parked { number: self.next, relay, held, frame: bytes };
        self.count += 1;
        self.bytes += parked.size();
        match target {
            Some(name) => match self.named.get_mut(name) {
                Some(messages) => messages.push(parked),
                None => {
                    self.named.insert(name.into(), vec![parked]);
                }
            },
            None => self.for_all.push(parked),
        }
    }

    fn take(&mut self, name: &str) -> Vec<Parked> {
        let found = self.named.remove(name).unwrap_or_default();
        self.count -= found.len();
        self.bytes -= found.iter().map(Parked::size).sum::<usize>();
        found
    }

    /// A client of this name has left.
    pub(super) fn has_left(&mut self, name: &str) {
        if !self.for_all.is_empty() {
            self.left.insert(hash(name));
        }
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    fn is_for(&self, name: &str) -> bool {
        self.named.contains_key(name)
    }
}

impl Server {
    /// A client has come for which something may wait. One that comes back has it in its queue already.
    pub(super) fn unpark(&mut self, id: SessionId) {
        if self.parking.count == 0 {
            return;
        }
        let Some(name) = self.sessions.get(&id).map(|session| session.name.clone()) else { return };
        let mut its = self.parking.take(&name).into_iter().peekable();
        let again = if self.parking.left.contains(&hash(&name)) { Flags::REDELIVERED } else { Flags::default() };
        let for_all = std::mem::take(&mut self.parking.for_all);
        for parked in &for_all {
            while let Some(earlier) = its.next_if(|earlier| earlier.number < parked.number) {
                self.unpark_one(id, &earlier, Flags::default());
            }
            // Its sender's name stands in it.
            if Frame::decode_trusted(&parked.frame).is_ok_and(|frame| frame.name != name) {
                self.unpark_one(id, parked, again);
            }
        }
        self.parking.for_all = for_all;
        for parked in its {
            self.unpark_one(id, &parked, Flags::default());
        }
    }

    fn unpark_one(&mut self, id: SessionId, parked: &Parked, flags: Flags) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let Ok(mut frame) = Frame::decode_trusted(&parked.frame) else { return };
        if let Err(error) = check_size(frame.payload, session.limit) {
            let name = session.name.clone();
            self.release(parked.held);
            if let Some(relay) = self.relays.take(parked.relay) {
                self.answer_failure(relay.origin, relay.request, &error);
            } else {
                self.drop_message(id, name, frame.payload.len());
            }
            return;
        }
        frame.flags = frame.flags.with(flags);
        session.holding.messages.extend(parked.held);
        self.relays.assign(parked.relay, id);
        self.push(id, &frame);
        self.relayed = true;
    }

    /// Whoever has not come by now is not there.
    pub(super) fn give_up_parked(&mut self) {
        for (name, parked) in self.end_parking() {
            self.release(parked.held);
            if let Some(relay) = self.relays.take(parked.relay) {
                self.answer_failure(relay.origin, relay.request, &error::no_such_client(&name));
            }
        }
    }

    /// Nobody comes any more, since the server closes. Clients ask the next server for what has not been answered, and send
    /// held messages again; those of protocol 1 can't, and learn that nobody is there.
    pub(super) fn close_parking(&mut self) {
        for (name, parked) in self.end_parking() {
            if let Some(relay) = self.relays.take(parked.relay)
                && self.sessions.get(&relay.origin).is_some_and(|session| !session.can_resume())
            {
                self.answer_failure(relay.origin, relay.request, &error::no_such_client(&name));
            }
        }
    }

    /// From now on nothing waits. Gives what did so for clients by name, in the order in which it came.
    fn end_parking(&mut self) -> Vec<(Rc<str>, Parked)> {
        self.settling = None;
        let mut ended = Vec::with_capacity(self.parking.count);
        for (name, messages) in std::mem::take(&mut self.parking).named {
            let name = Rc::from(name);
            ended.extend(messages.into_iter().map(|parked| (Rc::clone(&name), parked)));
        }
        ended.sort_unstable_by_key(|(_, parked)| parked.number);
        ended
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

    /// Keeps a message for a client, or for all that come; `held` if its sender keeps it as well.
    pub(super) fn park(&mut self, target: Option<&str>, relay: u64, held: Option<Held>, outgoing: &Frame<'_>) {
        self.parking.push(target, relay, held, outgoing);
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
