//! How a server treats messages in its first moments.

use std::rc::Rc;
use std::time::Instant;

use super::held_messages::HeldMessage;
use super::holds::Hold;
use super::session::Session;
use super::{Server, Timer, check_size};
use crate::error;
use crate::machine::SessionId;
use crate::protocol::frame::{Flags, Frame, Kind};

impl Server {
    /// A client has come for which something may wait. One that comes back has it in its queue already.
    pub(super) fn deliver_held(&mut self, id: SessionId) {
        if self.held_messages.len() == 0 {
            return;
        }
        let Some(name) = self.sessions.get(&id).map(|session| session.name.clone()) else { return };
        let mut its = self.held_messages.take(&name).into_iter().peekable();
        let again = if self.held_messages.left(&name) { Flags::REDELIVERED } else { Flags::default() };
        let for_all = std::mem::take(&mut self.held_messages.for_all);
        for message in &for_all {
            while let Some(earlier) = its.next_if(|earlier| earlier.number < message.number) {
                self.deliver_held_one(id, &earlier, Flags::default());
            }
            // Its name is that of its sender.
            if Frame::decode_trusted(&message.frame).is_ok_and(|frame| frame.name != name) {
                self.deliver_held_one(id, message, again);
            }
        }
        self.held_messages.for_all = for_all;
        for message in its {
            self.deliver_held_one(id, &message, Flags::default());
        }
    }

    fn deliver_held_one(&mut self, id: SessionId, held: &HeldMessage, flags: Flags) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let Ok(mut frame) = Frame::decode_trusted(&held.frame) else { return };
        if let Err(error) = check_size(frame.payload, session.limit) {
            let name = session.name.clone();
            self.release(held.hold);
            if let Some(relay) = self.relays.take(held.relay) {
                self.relay_failure(relay, &error);
            } else {
                self.drop_message(id, name, frame.payload.len());
            }
            return;
        }
        frame.flags = frame.flags.with(flags);
        session.holds.add(held.hold);
        self.relays.assign(held.relay, id);
        self.push(id, &frame);
        self.schedule.relayed();
    }

    /// A client that has not come by now is not there.
    pub(super) fn give_up_held(&mut self) {
        for (name, held) in self.stop_holding() {
            self.release(held.hold);
            if let Some(relay) = self.relays.take(held.relay) {
                self.relay_failure(relay, &error::no_such_client(&name));
            }
        }
    }

    /// No client comes any more, since the server closes. Clients ask the next server for what has not been answered, and send
    /// held messages again; those of protocol 1 can't, nor can this server itself, and they learn that the
    /// receiver is not there.
    pub(super) fn close_held(&mut self) {
        for (name, held) in self.stop_holding() {
            if let Some(relay) = self.relays.take(held.relay)
                && !self.sessions.get(&relay.origin).is_some_and(Session::can_resume)
            {
                self.relay_failure(relay, &error::no_such_client(&name));
            }
        }
    }

    /// From now on nothing waits. Gives what did so for clients by name, in the order in which it came.
    fn stop_holding(&mut self) -> Vec<(Rc<str>, HeldMessage)> {
        self.starting_until = None;
        std::mem::take(&mut self.held_messages).into_named()
    }

    /// Whether a message must wait for its receiver, which may be on its way as the sender was. A delivery
    /// waits only if it waited for the server, or would overtake a message that waits: a client that asks a new
    /// server for a client that is not there is told so at once.
    pub(super) fn is_held(&self, frame: &Frame<'_>, now: Instant) -> bool {
        self.may_hold(frame, now)
            && !self.names.contains_key(frame.name)
            && (frame.kind == Kind::Emit || waited(frame) || self.held_messages.is_for(frame.name))
    }

    /// Whether a broadcast waits for clients that may be about to connect.
    pub(super) fn holds_for_all(&self, frame: &Frame<'_>, now: Instant) -> bool {
        self.may_hold(frame, now) && waited(frame)
    }

    /// Keeps a message for a client, or for all that come; `hold` if its sender keeps it as well.
    pub(super) fn hold_message(&mut self, target: Option<&str>, relay: u64, hold: Option<Hold>, outgoing: &Frame<'_>) {
        self.held_messages.push(target, relay, hold, outgoing);
        if let Some(until) = self.starting_until {
            self.timers.set(until, Timer::Started);
        }
    }

    fn may_hold(&self, frame: &Frame<'_>, now: Instant) -> bool {
        self.starting_until.is_some_and(|until| now < until)
            && self.held_messages.size() + frame.payload.len() <= self.options.slow_consumer_limit
    }
}

/// Whether a message was sent before there was a connection.
fn waited(frame: &Frame<'_>) -> bool {
    frame.flags.intersects(Flags::QUEUED.with(Flags::REDELIVERED))
}
