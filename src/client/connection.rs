//! A client's connection: how it is made, what becomes of it, and how it ends.

use std::time::Instant;

use super::deliveries::{self, Deliveries};
use super::held::{self, Held};
use super::retained::Retained;
use super::state::{Handshake, State};
use super::{Client, HANDSHAKE, PATIENCE};
use crate::error::{self, Code, Error};
use crate::log::log;
use crate::machine::{Action, ConnectionId, Event, Events, Payload};
use crate::protocol::ProtocolError;
use crate::protocol::frame::{self, Frame, Kind};
use crate::protocol::handshake::{self, Hello, Welcome};
use crate::protocol::inbox::Inbox;
use crate::protocol::text::Text;
use crate::protocol::v1::channel::Channel;
use crate::protocol::v1::message::Message;
use crate::protocol::v1::{Side, Translation};
use crate::sequence::Sequence;
use crate::transport::Transport;

impl Client {
    pub(super) fn attempt(&mut self) {
        self.next_connection += 1;
        let connection = ConnectionId(self.next_connection);
        self.state = State::Connecting(connection);
        self.actions.push_back(Action::Connect { connection, path: self.options.domain.control() });
    }

    pub(super) fn greet(&mut self, connection: ConnectionId, now: Instant) {
        let hello = Hello {
            version: handshake::VERSION,
            session: self.session.clone(),
            attempt: connection.0,
            server: self.server.clone(),
            received: self.sequence.received(),
            limit: self.options.limit as u64,
        };
        let mut channel = Channel::new(handshake::MAX_HANDSHAKE);
        handshake::write(None, &self.options.name, Some(&hello), channel.text.end());
        self.state = State::Handshake(Handshake {
            connection,
            channel,
            until: now + HANDSHAKE,
            patient_until: Some(now + PATIENCE),
        });
        self.schedule.write();
    }

    /// The answer to the handshake.
    pub(super) fn greeted(
        &mut self,
        connection: ConnectionId,
        bytes: &[u8],
        now: Instant,
        events: &mut dyn Events,
    ) -> Result<(), ProtocolError> {
        let answer = Message::parse(bytes)?;
        match answer.command() {
            "handshake" => {}
            "error" if answer.payload() == handshake::NOT_TRUSTED => {
                let error = Error::new(
                    Code::NotTrusted,
                    "The server does not allow the user of this process; add the user's id to the server's option allowUsers.",
                );
                self.refuse(connection, error, now, events);
                return Ok(());
            }
            "error" if answer.payload() == handshake::NAME_TAKEN => {
                let error = Error::new(
                    Code::NameTaken,
                    format!("Another connected client has the name {:?}; choose another name.", self.options.name),
                );
                self.refuse(connection, error, now, events);
                return Ok(());
            }
            "error" if answer.payload() == handshake::NO_SENSE => {
                let error = Error::new(
                    Code::InvalidArgument,
                    "The server refused this client's handshake as invalid; check the client's name and options.",
                );
                self.refuse(connection, error, now, events);
                return Ok(());
            }
            "error" if answer.payload() == handshake::TOO_MANY => {
                self.actions.push_back(Action::Close(connection));
                self.disconnected(connection, now, events);
                self.waits(self.no_room(), events);
                return Ok(());
            }
            _ => return Err(ProtocolError::Unexpected),
        }
        let uuid = answer.text().ok_or(ProtocolError::InvalidMessage)?;
        match answer.extension::<Welcome>() {
            None if answer.ipcio.is_some() => return Err(ProtocolError::InvalidMessage),
            Some(welcome) if welcome.version > handshake::VERSION || welcome.limit == 0 => {
                return Err(ProtocolError::Unexpected);
            }
            Some(welcome) if welcome.version >= 2 => {
                self.limit = self.options.limit.min(usize::try_from(welcome.limit).unwrap_or(usize::MAX));
                if welcome.resumed {
                    self.sequence.resume(welcome.received)?;
                } else {
                    self.restart();
                    self.withdraw_too_large(events);
                }
                self.server = Some(welcome.server);
                let inbox = Inbox::new(self.options.limit).speaking(welcome.version);
                let inbox = inbox.leaving_texts(self.options.parses_texts);
                self.state = State::Connected(Transport::frames(connection, inbox, Text::default()));
                self.uuid = Some(uuid);
                self.connected(events);
            }
            _ => {
                let State::Handshake(handshake) = std::mem::replace(&mut self.state, State::Idle) else {
                    return Err(ProtocolError::Unexpected);
                };
                self.limit = self.options.limit;
                self.server = None;
                self.next_connection += 1;
                let private = ConnectionId(self.next_connection);
                let path = self.options.domain.private(&uuid);
                let translation =
                    Translation::new(Side::Client, &self.options.name, &self.session, handshake.channel, self.limit);
                self.state = State::Opening(Transport::text(connection, Some(private), translation));
                self.uuid = Some(uuid);
                self.actions.push_back(Action::Connect { connection: private, path });
            }
        }
        Ok(())
    }

    /// Numbers everything anew for a server that knows nothing of this session.
    pub(super) fn restart(&mut self) {
        self.sequence.restart();
        self.sequence.outbox.put_back(self.retained.frames());
        self.retained.clear();
        self.held.clear();
        // Answers belong to deliveries of the previous server, which does not wait for them now.
        self.sequence.outbox.for_each_mut(|bytes| {
            if matches!(frame::kind_of(bytes), Kind::Response | Kind::Failure) {
                frame::turn_into(bytes, Kind::Void);
            }
        });
        self.find_deliveries();
    }

    /// Notes anew where the frames of deliveries stand.
    fn find_deliveries(&mut self) {
        let deliveries = &mut self.deliveries;
        self.sequence.outbox.each_place(|bytes, place| deliveries.found(bytes, place));
    }

    pub(super) fn connected(&mut self, events: &mut dyn Events) {
        self.established = true;
        self.reason = None;
        self.backoff.reset();
        self.schedule.write();
        self.actions.push_back(Action::StopWatching);
        let uuid = self.uuid.as_deref().unwrap_or_default();
        log!(self.verbose, "CLIENT CONNECT", self.options.name, "as {uuid}");
        events.event(Event::Connected { uuid });
    }

    /// Withdraws queued messages that the server would not take, so that they do not end every connection.
    pub(super) fn withdraw_too_large(&mut self, events: &mut dyn Events) {
        let limit = self.limit;
        let mut failed = Vec::new();
        self.sequence.outbox.for_each_mut(|bytes| {
            let Ok(frame) = Frame::decode_trusted(bytes) else { return };
            if frame.payload.len() > limit {
                failed.push((frame.id, frame.payload.len()));
                let is_settled = held::is_settled(frame.flags, frame.kind);
                let is_rejected = frame.kind.is_one_way() && !is_settled;
                frame::turn_into(bytes, Kind::Void);
                if is_rejected {
                    frame::mark(bytes, deliveries::REJECTED);
                } else if is_settled {
                    frame::unmark(bytes, held::SETTLED);
                }
            }
        });
        if failed.is_empty() {
            return;
        }
        self.sequence.outbox.shrink_void();
        self.find_deliveries();
        for (request, size) in failed.into_iter().filter(|&(request, _)| request != 0) {
            let failure = error::too_large(size, limit).to_json();
            self.answer(request, Err(Payload::Json(&failure)), events);
        }
    }

    /// Closes the connection; the next attempt comes after a while.
    pub(super) fn fail(
        &mut self,
        connection: ConnectionId,
        error: &ProtocolError,
        now: Instant,
        events: &mut dyn Events,
    ) {
        log!(self.verbose, "CLIENT ERROR", self.options.name, "the server sent {error}");
        self.actions.push_back(Action::Close(connection));
        let was_connected = self.is_connected();
        self.disconnected(connection, now, events);
        if !was_connected {
            self.waits(self.not_understood(error), events);
        }
    }

    pub(super) fn disconnected(&mut self, connection: ConnectionId, now: Instant, events: &mut dyn Events) {
        let (was_connected, was_closing) = (self.is_connected(), self.state.is_closing());
        self.close_others(connection);
        self.schedule.clear();
        self.wait(now);
        if was_connected {
            log!(self.verbose, "CLIENT DISCONNECT", self.options.name, "will try again");
            events.event(Event::Disconnected);
        }
        if was_closing {
            self.stop(events);
        }
    }

    /// Tries again after a while, or as soon as a socket appears.
    fn wait(&mut self, now: Instant) {
        self.state = State::Waiting(now + self.backoff.next_wait());
        self.actions.push_back(Action::WatchFor(self.path()));
    }

    /// The server will not have this client. Before the first connection that is final.
    pub(super) fn refuse(&mut self, connection: ConnectionId, error: Error, now: Instant, events: &mut dyn Events) {
        log!(self.verbose, "CLIENT REFUSED", self.options.name, "{error}");
        self.actions.push_back(Action::Close(connection));
        self.close_others(connection);
        if self.established {
            self.wait(now);
            self.waits(error, events);
        } else {
            self.reset();
            events.event(Event::Refused { error });
        }
    }

    /// Closes what else belongs to the same session.
    pub(super) fn close_others(&mut self, connection: ConnectionId) {
        self.actions.extend(self.state.connections().filter(|&other| other != connection).map(Action::Close));
    }

    pub(super) fn is_current(&self, connection: ConnectionId) -> bool {
        self.state.connections().any(|current| current == connection)
    }

    pub(super) fn close_if_done(&mut self, events: &mut dyn Events) {
        if matches!(self.state, State::Closing(..))
            && self.sequence.outbox.is_empty()
            && self.deliveries.is_empty()
            && self.asked == 0
        {
            self.stop(events);
        }
    }

    /// Says goodbye to the server, if it is connected.
    pub(super) fn stop(&mut self, events: &mut dyn Events) {
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Closing(transport, until) => {
                self.sequence.acknowledge();
                self.sequence.outbox.push(&Frame::bare(Kind::Goodbye, 0));
                self.state = State::Leaving(transport, until);
                self.schedule.write();
                self.leave_if_written(events);
            }
            state => {
                self.actions.extend(state.connections().map(Action::Close));
                self.left(events);
            }
        }
    }

    /// Ends the connection once the last bytes are written.
    pub(super) fn leave_if_written(&mut self, events: &mut dyn Events) {
        if let State::Leaving(transport, _) = &mut self.state {
            transport.translate(&mut self.sequence.outbox);
            if transport.is_written(&self.sequence.outbox) {
                self.actions.extend(transport.connections().map(Action::Close));
                self.left(events);
            }
        }
    }

    /// Closing is complete.
    pub(super) fn left(&mut self, events: &mut dyn Events) {
        self.reset();
        events.event(Event::Closed);
    }

    /// Forgets everything that belonged to the server.
    pub(super) fn reset(&mut self) {
        self.state = State::Idle;
        self.actions.push_back(Action::StopWatching);
        self.reason = None;
        self.full = false;
        self.sequence = Sequence::default();
        self.deliveries = Deliveries::default();
        self.held = Held::default();
        self.retained = Retained::default();
        self.uuid = None;
        self.schedule.clear();
        self.asked = 0;
        self.limit = self.options.limit;
    }
}
