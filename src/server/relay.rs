//! Messages from one client to others. Their payload is neither parsed nor shown to JavaScript.

use std::sync::Arc;
use std::time::Instant;

use super::relays::Relay;
use super::session::Wire;
use super::{ITSELF, Server, Timer, check_size};
use crate::error::{self, Error};
use crate::log::log;
use crate::machine::{Events, SessionId};
use crate::protocol::frame::{Flags, Frame, Kind};

impl Server {
    pub(super) fn relay_emit(&mut self, id: SessionId, frame: &Frame<'_>, now: Instant) {
        let Some(session) = self.sessions.get(&id) else { return };
        log!(self.verbose, "SERVER RELAY", frame.command, "from {} to {}", session.name, frame.name);
        let origin = session.name.clone();
        let outgoing = passed_on(frame, &origin, 0);
        if self.is_held(frame, now) {
            let held = self.hold(id);
            self.hold_message(Some(frame.name), 0, held, &outgoing);
        } else if let Some(&target) = self.names.get(frame.name) {
            let Some(receiver) = self.sessions.get(&target) else { return };
            if frame.payload.len() <= receiver.limit {
                let is_away = !receiver.is_connected();
                self.push(target, &outgoing);
                self.schedule.relayed();
                if is_away && let Some(held) = self.hold(id) {
                    self.sessions.entry(target).and_modify(|session| session.holds.add([held]));
                }
            } else {
                let name = receiver.name.clone();
                self.drop_message(target, name, frame.payload.len());
            }
        }
    }

    pub(super) fn relay_broadcast(&mut self, id: SessionId, frame: &Frame<'_>, now: Instant) {
        let Some(session) = self.sessions.get(&id) else { return };
        log!(self.verbose, "SERVER RELAY", frame.command, "from {} to all others", session.name);
        let origin = session.name.clone();
        let outgoing = passed_on(frame, &origin, 0);
        // Its sender is told that it was written.
        self.push_to_all(&outgoing, Some(id), false);
        self.schedule.relayed();
        if self.holds_for_all(frame, now) {
            self.hold_message(None, 0, None, &outgoing);
        }
    }

    pub(super) fn relay_request(&mut self, id: SessionId, frame: &Frame<'_>, now: Instant) {
        if self.asks_too_much(id) {
            return self.refuse(id, frame.id);
        }
        let Some(session) = self.sessions.get(&id) else { return };
        log!(self.verbose, "SERVER RELAY", frame.command, "delivery from {} to {}", session.name, frame.name);
        let name = session.name.clone();
        if let Err(error) = self.pass_request(id, &name, frame, now) {
            self.answer_failure(id, frame.id, &error);
        }
    }

    /// Passes a delivery on, which `origin` asks under this name.
    pub(super) fn pass_request(
        &mut self,
        origin: SessionId,
        name: &str,
        frame: &Frame<'_>,
        now: Instant,
    ) -> Result<(), Error> {
        let begun = Relay { origin, request: frame.id, target: None };
        if self.is_held(frame, now) {
            let relay = self.relays.begin(begun);
            self.hold_message(Some(frame.name), relay, None, &passed_on(frame, name, relay));
            return Ok(());
        }
        let target = self.answering(frame)?;
        let relay = self.relays.begin(Relay { target: Some(target), ..begun });
        self.push(target, &passed_on(frame, name, relay));
        self.schedule.relayed();
        Ok(())
    }

    /// Whether a client, or the server, has as many deliveries without an answer as it may have.
    pub(super) fn asks_too_much(&self, id: SessionId) -> bool {
        let handled = self.sessions.get(&id).map_or(0, |session| session.asked);
        handled + self.relays.asked_by(id) >= self.options.max_deliveries
    }

    /// An answer to a delivery that was passed on.
    pub(super) fn relay_answer(&mut self, id: SessionId, frame: &Frame<'_>, events: &mut dyn Events) {
        let Some(relay) = self.relays.answered(frame.id, id) else { return };
        if relay.origin == ITSELF {
            return self.answered(relay.request, frame, events);
        }
        let flags = frame.flags.only(Flags::BYTES);
        self.answer(relay.origin, &Frame { id: relay.request, name: "", command: "", flags, ..*frame });
        self.schedule.relayed();
    }

    /// A delivery that was passed on can't be answered.
    pub(super) fn relay_failure(&mut self, relay: Relay, error: &Error) {
        if relay.origin == ITSELF {
            self.questions.fail(relay.request, error);
        } else {
            self.answer_failure(relay.origin, relay.request, error);
        }
    }

    /// A client will not answer any more, and waits for no answers if its session has ended.
    pub(super) fn relays_ended(&mut self, id: SessionId, name: &str) {
        let unanswered = self.relays.unanswered(id);
        if !unanswered.is_empty() {
            let failure = Arc::new(error::client_left(name).to_json());
            for Relay { origin, request, .. } in unanswered {
                if origin == ITSELF {
                    self.questions.fail_as(request, &failure);
                } else {
                    self.push(origin, &Frame { payload: &failure, ..Frame::bare(Kind::Failure, request) });
                }
            }
        }
        if !self.sessions.contains_key(&id) {
            self.relays.forget(id);
        }
    }

    /// Who answers a delivery.
    fn answering(&self, frame: &Frame<'_>) -> Result<SessionId, Error> {
        let found = self.names.get(frame.name).and_then(|id| Some((*id, self.sessions.get(id)?)));
        let (target, session) =
            found.filter(|(_, session)| session.takes_messages()).ok_or_else(|| error::no_such_client(frame.name))?;
        // It is away once its timer has run, not by the clock: it may have come back in what has not been read yet.
        if matches!(session.wire, Wire::Lost { absent, .. } if !self.timers.is_set(absent, Timer::Absent(target))) {
            return Err(error::client_left(frame.name));
        }
        check_size(frame.payload, session.limit)?;
        Ok(target)
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
