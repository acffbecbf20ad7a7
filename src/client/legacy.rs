//! A client's two connections to a server of protocol 1.

use std::time::Instant;

use rustc_hash::FxHashMap;

use super::{Client, SERVER, State};
use crate::machine::{ConnectionId, Event, Events, Incoming, Payload};
use crate::narration::narrate;
use crate::protocol::ProtocolError;
use crate::protocol::channel::Channel;
use crate::protocol::frame::{self, Flags, Frame, Kind};
use crate::protocol::message::{self, Message};
use crate::protocol::outbox::Outbox;

/// The control and the private connection, and what protocol 1 can't say by itself.
#[derive(Debug)]
pub(super) struct Legacy {
    name: String,
    control: (ConnectionId, Channel),
    private: (ConnectionId, Channel),
    /// Whether the private connection stands.
    open: bool,
    /// Sequenced frames of the queue that have been turned into text.
    converted: u64,
    /// The delivery that the answer to `discover`, which carries no id, belongs to.
    discover: Option<u64>,
    /// Deliveries that the server asked this client for, with the ids that the server gave them.
    incoming: FxHashMap<u64, String>,
    next_incoming: u64,
}

impl Legacy {
    pub(super) fn new(name: &str, control: ConnectionId, private: ConnectionId, limit: usize) -> Legacy {
        Legacy {
            name: name.to_owned(),
            control: (control, Channel::wrapping(limit)),
            private: (private, Channel::new(limit)),
            open: false,
            converted: 0,
            discover: None,
            incoming: FxHashMap::default(),
            next_incoming: 0,
        }
    }

    pub(super) fn is_connected(&self) -> bool {
        self.open
    }

    /// The private connection has been made.
    pub(super) fn open(&mut self) {
        self.open = true;
    }

    pub(super) fn connections(&self) -> impl Iterator<Item = ConnectionId> {
        [self.control.0, self.private.0].into_iter()
    }

    /// The connection that is left when `connection` has ended.
    pub(super) fn other(&self, connection: ConnectionId) -> Option<ConnectionId> {
        self.connections().find(|&other| other != connection)
    }

    pub(super) fn unwritten(&self, connection: ConnectionId) -> &[u8] {
        if connection == self.control.0 { self.control.1.unwritten() } else { self.private.1.unwritten() }
    }

    fn channel(&mut self, connection: ConnectionId) -> &mut Channel {
        if connection == self.control.0 { &mut self.control.1 } else { &mut self.private.1 }
    }

    /// Turns queued frames into text, until enough waits to be written.
    fn convert(&mut self, outbox: &mut Outbox, session: &str) {
        let before = [self.control.1.text.len(), self.private.1.text.len()];
        while !self.control.1.is_full() && !self.private.1.is_full() {
            let bytes = outbox.unwritten();
            let Some(size) = frame::frame_size(bytes) else { break };
            if let Ok(frame) = Frame::decode_trusted(&bytes[..size]) {
                self.converted += u64::from(frame.kind.is_sequenced());
                self.write(&frame, session);
            }
            outbox.advance(size);
        }
        for (channel, before) in [&mut self.control.1, &mut self.private.1].into_iter().zip(before) {
            channel.dirty |= channel.text.len() > before;
        }
    }

    fn write(&mut self, frame: &Frame<'_>, session: &str) {
        let bytes_as_text;
        let payload = if frame.flags.contains(Flags::BYTES) {
            bytes_as_text = message::bytes_as_json(frame.payload);
            &bytes_as_text
        } else {
            frame.payload
        };
        let delivery = (frame.id != 0).then(|| delivery_text(session, frame.id));
        let delivery = delivery.as_deref();
        let (control, private) = (&mut self.control.1.text, &mut self.private.1.text);
        let mut inner = Vec::new();
        match frame.kind {
            Kind::Send => {
                // Protocol 2 has no use for a name here: it is a delivery's id that the application gave.
                let delivery = Some(frame.name).filter(|name| !name.is_empty());
                message::write(None, frame.command, payload, delivery, private);
            }
            Kind::Request if frame.name.is_empty() => {
                message::write(None, frame.command, payload, delivery, private);
            }
            Kind::Emit | Kind::Request => {
                message::write(Some(frame.name), frame.command, payload, delivery, &mut inner);
                message::write_wrapped(&self.name, "emit", delivery, &inner, control);
            }
            Kind::Broadcast => {
                message::write(None, frame.command, payload, None, &mut inner);
                message::write_wrapped(&self.name, "broadcast", None, &inner, control);
            }
            Kind::Discover => {
                self.discover = Some(frame.id);
                message::write(Some(&self.name), "discover", b"null", None, control);
            }
            Kind::Response | Kind::Failure => {
                // Protocol 1 has no word for a failure: the answer is the one for an unknown command.
                let payload = if frame.kind == Kind::Failure { &b"null"[..] } else { payload };
                if let Some(delivery) = self.incoming.remove(&frame.id) {
                    message::write(None, "deliver", payload, Some(&delivery), private);
                }
            }
            Kind::Void
            | Kind::Acknowledgement
            | Kind::Cancel
            | Kind::Goodbye
            | Kind::Held
            | Kind::Released
            | Kind::Padding => {}
        }
    }
}

impl Client {
    /// The next connection that has text to write.
    pub(super) fn next_legacy(&mut self) -> Option<ConnectionId> {
        let State::Legacy(legacy) = &mut self.state else { return None };
        if !legacy.open {
            return None;
        }
        legacy.convert(&mut self.link.outbox, &self.session);
        // Asked again until neither has any: see `Machine::next_dirty`.
        let found = [&mut legacy.control, &mut legacy.private]
            .into_iter()
            .find_map(|(connection, channel)| std::mem::take(&mut channel.dirty).then_some(*connection));
        self.dirty = found.is_some();
        found
    }

    pub(super) fn written_legacy(
        &mut self,
        connection: ConnectionId,
        count: usize,
        now: Instant,
        events: &mut dyn Events,
    ) {
        let State::Legacy(legacy) = &mut self.state else { return };
        legacy.channel(connection).advance(count);
        if !legacy.control.1.is_empty() || !legacy.private.1.is_empty() {
            return;
        }
        // All text is written, and protocol 1 can say no more about what becomes of it.
        let converted = legacy.converted;
        let result = self.settle_promises(|link, each| link.outbox.acknowledge(converted, each), events);
        debug_assert_eq!(result, Ok(()), "only written frames were counted");
        self.dirty |= !self.link.outbox.is_written();
        self.close_if_done(now, events);
    }

    pub(super) fn read_legacy(
        &mut self,
        connection: ConnectionId,
        mut bytes: &[u8],
        now: Instant,
        events: &mut dyn Events,
    ) -> Result<(), ProtocolError> {
        loop {
            let State::Legacy(legacy) = &mut self.state else { return Ok(()) };
            let is_control = connection == legacy.control.0;
            let Some(object) = legacy.channel(connection).splitter.next(&mut bytes)? else { return Ok(()) };
            let message = Message::parse(&object)?;
            message.check_size(self.options.limit)?;
            if is_control {
                if message.command() == "discover"
                    && let Some(request) = legacy.discover.take()
                {
                    self.answer(request, Ok(Payload::Json(message.payload().as_bytes())), events);
                }
            } else if message.command() == "deliver" {
                let request = message.delivery.as_deref().and_then(|text| delivery_number(&self.session, text));
                if let Some(request) = request {
                    self.answer(request, Ok(Payload::Json(message.payload().as_bytes())), events);
                }
            } else {
                self.message_legacy(&message, events);
            }
            self.close_if_done(now, events);
        }
    }

    fn message_legacy(&mut self, message: &Message<'_>, events: &mut dyn Events) {
        let State::Legacy(legacy) = &mut self.state else { return };
        let request = message.delivery.as_deref().map(|delivery| {
            legacy.next_incoming += 1;
            legacy.incoming.insert(legacy.next_incoming, delivery.to_owned());
            legacy.next_incoming
        });
        let Some(command) = self.commands.find(message.command()) else {
            if let Some(request) = request {
                self.asked += 1;
                self.respond(request, Ok(Payload::Json(b"null")));
            }
            return;
        };
        self.asked += usize::from(request.is_some());
        narrate!(self.verbose, "HANDLER EXEC", message.command(), "from a server of protocol 1");
        events.event(Event::Message(Incoming {
            session: SERVER,
            // Protocol 1 does not say who sent it.
            from: "",
            command,
            request,
            redelivered: false,
            payload: Payload::Json(message.payload().as_bytes()),
            receipt: self.link.give(),
        }));
    }
}

/// A delivery's id in the form of 0.6.2: 32 hex digits.
fn delivery_text(session: &str, number: u64) -> String {
    format!("{}{number:016x}", &session[..16])
}

/// The number of a delivery that this session asked for.
fn delivery_number(session: &str, text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix(&session[..16])?, 16).ok()
}
