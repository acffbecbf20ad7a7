//! Messages from one client to others. Their payload is neither parsed nor shown to JavaScript.

use std::time::Instant;

use super::session::Wire;
use super::{Server, Timer, check_size};
use crate::error::{self, Error};
use crate::machine::SessionId;
use crate::narration::narrate;
use crate::protocol::frame::{Flags, Frame, Kind};

/// A delivery on its way through the server.
#[derive(Debug)]
pub(super) struct Relay {
    origin: SessionId,
    /// The number that it has at its origin.
    request: u64,
    /// Who has to answer; nobody yet while it is parked.
    target: Option<SessionId>,
}

/// A message that waited while there was no server, for a client that may be on its way as well.
#[derive(Debug)]
pub(super) struct Parked {
    origin: String,
    /// The client that it is for; `None` for everybody.
    target: Option<String>,
    /// Under what number the delivery is known here, or 0.
    relay: u64,
    frame: Vec<u8>,
}

impl Server {
    pub(super) fn relay_emit(&mut self, id: SessionId, frame: &Frame<'_>, now: Instant) {
        let Some(session) = self.sessions.get(&id) else { return };
        narrate!(self.verbose, "SERVER RELAY", frame.command, "from {} to {}", session.name, frame.name);
        let origin = session.name.clone();
        let outgoing = passed_on(frame, &origin, 0);
        if self.is_parked(frame, now) {
            self.park(&origin, Some(frame.name), 0, &outgoing);
        } else if let Some(&target) = self.names.get(frame.name) {
            let fits = self.sessions.get(&target).is_some_and(|session| frame.payload.len() <= session.limit);
            if fits {
                self.push(target, &outgoing);
                self.relayed = true;
            }
        }
    }

    pub(super) fn relay_broadcast(&mut self, id: SessionId, frame: &Frame<'_>, now: Instant) {
        let Some(session) = self.sessions.get(&id) else { return };
        narrate!(self.verbose, "SERVER RELAY", frame.command, "from {} to all others", session.name);
        let origin = session.name.clone();
        let outgoing = passed_on(frame, &origin, 0);
        self.push_to_all(&outgoing, Some(id));
        self.relayed = true;
        if self.waited(frame) && self.settling.is_some_and(|until| now < until) {
            self.park(&origin, None, 0, &outgoing);
        }
    }

    pub(super) fn relay_request(&mut self, id: SessionId, frame: &Frame<'_>, now: Instant) {
        let Some(session) = self.sessions.get(&id) else { return };
        narrate!(self.verbose, "SERVER RELAY", frame.command, "delivery from {} to {}", session.name, frame.name);
        let origin = session.name.clone();
        self.next_relay += 1;
        let relay = self.next_relay;
        let outgoing = passed_on(frame, &origin, relay);
        if self.is_parked(frame, now) {
            self.relays.insert(relay, Relay { origin: id, request: frame.id, target: None });
            self.park(&origin, Some(frame.name), relay, &outgoing);
            return;
        }
        match self.answering(frame, now) {
            Ok(target) => {
                self.relays.insert(relay, Relay { origin: id, request: frame.id, target: Some(target) });
                self.push(target, &outgoing);
                self.relayed = true;
            }
            Err(error) => self.answer_failure(id, frame.id, &error),
        }
    }

    /// An answer to a delivery that was passed on.
    pub(super) fn relay_answer(&mut self, id: SessionId, frame: &Frame<'_>) {
        let Some(relay) = self.relays.get(&frame.id).filter(|relay| relay.target == Some(id)) else { return };
        let (origin, request) = (relay.origin, relay.request);
        self.relays.remove(&frame.id);
        self.answer(
            origin,
            &Frame { id: request, name: "", command: "", flags: frame.flags.only(Flags::BYTES), ..*frame },
        );
        self.relayed = true;
    }

    /// The origin waits for it no longer.
    pub(super) fn relay_cancel(&mut self, id: SessionId, request: u64) {
        self.relays.retain(|_, relay| relay.origin != id || relay.request != request);
    }

    /// A client will not answer any more, and waits for no answers if its session has ended.
    pub(super) fn relays_ended(&mut self, id: SessionId, name: &str) {
        if self.relays.is_empty() {
            return;
        }
        let mut unanswered: Vec<_> = (self.relays.iter())
            .filter(|(_, relay)| relay.target == Some(id))
            .map(|(&number, relay)| (number, relay.origin, relay.request))
            .collect();
        unanswered.sort_unstable();
        for (number, origin, request) in unanswered {
            self.relays.remove(&number);
            self.answer_failure(origin, request, &error::client_left(name));
        }
        if !self.sessions.contains_key(&id) {
            self.relays.retain(|_, relay| relay.origin != id);
        }
    }

    /// A client has come for which something may wait. One that comes back has it in its queue already.
    pub(super) fn unpark(&mut self, id: SessionId) {
        let Some(name) = self.sessions.get(&id).map(|session| session.name.clone()) else { return };
        for parked in std::mem::take(&mut self.parked) {
            let is_its = parked.target.as_deref() == Some(name.as_str());
            let is_for_all = parked.target.is_none() && parked.origin != name;
            if (is_its || is_for_all)
                && let Ok(frame) = Frame::decode_trusted(&parked.frame)
            {
                if let Some(relay) = self.relays.get_mut(&parked.relay) {
                    relay.target = Some(id);
                }
                self.push(id, &frame);
                self.relayed = true;
            }
            if !is_its {
                self.parked.push(parked);
            }
        }
    }

    /// Whoever has not come by now is not there.
    pub(super) fn give_up_parked(&mut self) {
        self.settling = None;
        for parked in std::mem::take(&mut self.parked) {
            if let Some(relay) = self.relays.remove(&parked.relay) {
                let name = parked.target.unwrap_or_default();
                self.answer_failure(relay.origin, relay.request, &error::no_such_client(&name));
            }
        }
    }

    /// Who answers a delivery.
    fn answering(&self, frame: &Frame<'_>, now: Instant) -> Result<SessionId, Error> {
        let found = self.names.get(frame.name).and_then(|id| Some((*id, self.sessions.get(id)?)));
        let (target, session) =
            found.filter(|(_, session)| session.is_reachable()).ok_or_else(|| error::no_such_client(frame.name))?;
        if matches!(session.wire, Wire::Lost { absent, .. } if absent <= now) {
            return Err(error::client_left(frame.name));
        }
        check_size(frame.payload, session.limit)?;
        Ok(target)
    }

    /// Whether a message was sent before there was a connection.
    fn waited(&self, frame: &Frame<'_>) -> bool {
        frame.flags.intersects(Flags::QUEUED.with(Flags::REDELIVERED))
    }

    /// Whether a message has to wait for its receiver, which may be on its way as the sender was. A delivery
    /// waits only if it waited for the server, or would overtake a message that waits: whoever asks a new
    /// server for a client that is not there is told so at once.
    fn is_parked(&self, frame: &Frame<'_>, now: Instant) -> bool {
        self.settling.is_some_and(|until| now < until)
            && !self.names.contains_key(frame.name)
            && (frame.kind == Kind::Emit
                || self.waited(frame)
                || self.parked.iter().any(|parked| parked.target.as_deref() == Some(frame.name)))
    }

    fn park(&mut self, origin: &str, target: Option<&str>, relay: u64, outgoing: &Frame<'_>) {
        let mut frame = Vec::with_capacity(outgoing.size());
        outgoing.encode(&mut frame);
        self.parked.push(Parked { origin: origin.to_owned(), target: target.map(str::to_owned), relay, frame });
        if let Some(until) = self.settling {
            self.timers.set(until, Timer::Parked);
        }
    }
}

/// The frame that the receiver gets, with the sender's name instead of its own.
fn passed_on<'a>(frame: &Frame<'a>, origin: &'a str, relay: u64) -> Frame<'a> {
    let flags = frame.flags.only(Flags::REDELIVERED.with(Flags::BYTES));
    let kind = if frame.kind == Kind::Broadcast {
        Kind::Broadcast
    } else if relay == 0 {
        Kind::Emit
    } else {
        Kind::Request
    };
    Frame { kind, flags, id: relay, name: origin, ..*frame }
}
