//! A client of protocol 1: its two connections, and the messages on them.

use std::time::Instant;

use rustc_hash::FxHashMap;

use super::Server;
use super::session::{Session, Wire};
use crate::machine::{Action, ConnectionId, Event, Events, ListenerId, SessionId};
use crate::protocol::channel::Channel;
use crate::protocol::frame::{self, Flags, Frame, Kind};
use crate::protocol::message::{self, Message};
use crate::protocol::{Partial, ProtocolError};

/// Numbers of deliveries whose ids the application gave; nobody waits for their answers.
const FOREIGN: u64 = 1 << 63;

/// The control and the private connection, and what protocol 1 can't say by itself.
#[derive(Debug)]
pub(super) struct Legacy {
    pub(super) control: (ConnectionId, Channel),
    pub(super) private: Option<(ConnectionId, Channel)>,
    /// Where the client has to connect for its private connection, and until when.
    pub(super) listener: ListenerId,
    pub(super) until: Instant,
    /// Sequenced frames of the queue that have been turned into text.
    converted: u64,
    /// Deliveries that the client asked for, with the ids that it gave them.
    incoming: FxHashMap<u64, String>,
    next_incoming: u64,
    /// Deliveries whose ids the application gave.
    foreign: FxHashMap<u64, String>,
    /// What the ids of deliveries to this client begin with.
    prefix: String,
}

impl Legacy {
    pub(super) fn new(control: (ConnectionId, Channel), listener: ListenerId, until: Instant, server: &str) -> Legacy {
        Legacy {
            control,
            private: None,
            listener,
            until,
            converted: 0,
            incoming: FxHashMap::default(),
            next_incoming: 0,
            foreign: FxHashMap::default(),
            prefix: server[..16].to_owned(),
        }
    }

    pub(super) fn is_connected(&self) -> bool {
        self.private.is_some()
    }

    pub(super) fn is_written(&self) -> bool {
        self.control.1.is_empty() && self.private.as_ref().is_none_or(|private| private.1.is_empty())
    }

    /// Deliveries that are under way, either way.
    pub(super) fn deliveries(&self) -> usize {
        self.incoming.len() + self.foreign.len()
    }

    /// A number for a delivery whose id the application gave.
    pub(super) fn outgoing(&mut self, delivery: &str) -> u64 {
        self.next_incoming += 1;
        let number = FOREIGN | self.next_incoming;
        self.foreign.insert(number, delivery.to_owned());
        number
    }

    fn partial(&self, connection: ConnectionId) -> Partial {
        let private = self.private.as_ref().filter(|private| private.0 == connection);
        private.unwrap_or(&self.control).1.splitter.unfinished()
    }

    fn channel(&mut self, connection: ConnectionId) -> Option<&mut Channel> {
        if connection == self.control.0 {
            return Some(&mut self.control.1);
        }
        self.private.as_mut().filter(|private| private.0 == connection).map(|private| &mut private.1)
    }

    /// A number for a delivery that the client asks for.
    fn number(&mut self, delivery: Option<&str>) -> Option<u64> {
        let delivery = delivery?;
        self.next_incoming += 1;
        self.incoming.insert(self.next_incoming, delivery.to_owned());
        Some(self.next_incoming)
    }

    /// The number of a delivery that the client was asked for.
    fn asked(&self, delivery: &str) -> Option<u64> {
        u64::from_str_radix(delivery.strip_prefix(&self.prefix)?, 16).ok()
    }

    fn write(&mut self, frame: &Frame<'_>) {
        let Some((_, private)) = &mut self.private else { return };
        let bytes_as_text;
        let payload = if frame.flags.contains(Flags::BYTES) {
            bytes_as_text = message::bytes_as_json(frame.payload);
            &bytes_as_text
        } else {
            frame.payload
        };
        match frame.kind {
            Kind::Emit | Kind::Broadcast => message::write(None, frame.command, payload, None, &mut private.text),
            Kind::Request => {
                let known = self.foreign.remove(&frame.id);
                let delivery = known.unwrap_or_else(|| format!("{}{:016x}", self.prefix, frame.id));
                message::write(None, frame.command, payload, Some(&delivery), &mut private.text);
            }
            Kind::Response | Kind::Failure => {
                // Protocol 1 has no word for a failure: the answer is the one for an unknown command.
                let payload = if frame.kind == Kind::Failure { &b"null"[..] } else { payload };
                if let Some(delivery) = self.incoming.remove(&frame.id) {
                    message::write(None, "deliver", payload, Some(&delivery), &mut private.text);
                }
            }
            _ => {}
        }
    }
}

impl Server {
    /// Turns queued frames into text, until enough waits to be written.
    pub(super) fn convert(&mut self, id: SessionId) {
        let Some(Session { wire: Wire::Legacy(legacy), link, waited, .. }) = self.sessions.get_mut(&id) else { return };
        while legacy.private.as_ref().is_some_and(|private| !private.1.is_full()) {
            let bytes = link.outbox.unwritten();
            let Some(size) = frame::frame_size(bytes) else { break };
            if let Ok(frame) = Frame::decode_trusted(&bytes[..size]) {
                legacy.converted += u64::from(frame.kind.is_sequenced());
                legacy.write(&frame);
            }
            link.outbox.advance(size);
            *waited = waited.saturating_sub(size);
        }
    }

    pub(super) fn unwritten_legacy(&self, id: SessionId, connection: ConnectionId) -> &[u8] {
        let Some(Session { wire: Wire::Legacy(legacy), .. }) = self.sessions.get(&id) else { return &[] };
        match &legacy.private {
            Some((private, channel)) if *private == connection => channel.unwritten(),
            _ if legacy.control.0 == connection => legacy.control.1.unwritten(),
            _ => &[],
        }
    }

    pub(super) fn written_legacy(
        &mut self,
        id: SessionId,
        connection: ConnectionId,
        count: usize,
        events: &mut dyn Events,
    ) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let Wire::Legacy(legacy) = &mut session.wire else { return };
        let Some(channel) = legacy.channel(connection) else { return };
        channel.advance(count);
        if !legacy.is_written() {
            return;
        }
        // All text is written, and protocol 1 can say no more about what becomes of it.
        let converted = legacy.converted;
        let result = session.link.outbox.acknowledge(converted, |_| ());
        debug_assert_eq!(result, Ok(()), "only written frames were counted");
        if !session.link.outbox.is_written() {
            self.dirty.add(connection);
        } else {
            if std::mem::take(&mut session.blocked) {
                events.event(Event::Drained { session: id });
            }
            let held = session.holding.take();
            self.release(held);
        }
    }

    /// The private socket is needed no more.
    pub(super) fn stop_private(&mut self, id: SessionId, legacy: &Legacy) {
        self.timers.clear(legacy.until, super::Timer::Greeting(legacy.control.0));
        if self.listeners.get(&legacy.listener) == Some(&id) {
            self.listeners.remove(&legacy.listener);
            self.actions.push_back(Action::StopListening(legacy.listener));
        }
    }

    pub(super) fn partial_legacy(&self, id: SessionId, connection: ConnectionId) -> Partial {
        match self.sessions.get(&id) {
            Some(Session { wire: Wire::Legacy(legacy), .. }) => legacy.partial(connection),
            _ => Partial::default(),
        }
    }

    pub(super) fn read_legacy(
        &mut self,
        id: SessionId,
        connection: ConnectionId,
        mut bytes: &[u8],
        now: Instant,
        events: &mut dyn Events,
    ) -> Result<(), ProtocolError> {
        loop {
            let Some(Session { wire: Wire::Legacy(legacy), .. }) = self.sessions.get_mut(&id) else { return Ok(()) };
            let is_control = legacy.control.0 == connection;
            let Some(channel) = legacy.channel(connection) else { return Ok(()) };
            let Some(object) = channel.splitter.next(&mut bytes)? else { return Ok(()) };
            let message = Message::parse(&object)?;
            if is_control {
                self.read_control(id, connection, &message, now)?;
            } else {
                message.check_size(self.options.limit)?;
                self.read_private(id, &message, events);
            }
        }
    }

    fn read_control(
        &mut self,
        id: SessionId,
        connection: ConnectionId,
        message: &Message<'_>,
        now: Instant,
    ) -> Result<(), ProtocolError> {
        if message.command() == "discover" {
            let found = self.discovered();
            let Some(session) = self.sessions.get_mut(&id) else { return Ok(()) };
            let Wire::Legacy(legacy) = &mut session.wire else { return Ok(()) };
            message::write(Some(&session.name), "discover", &found, None, &mut legacy.control.1.text);
            self.dirty.add(connection);
            return Ok(());
        }
        if !matches!(message.command(), "emit" | "broadcast") {
            return Ok(());
        }
        let text = message.text().ok_or(ProtocolError::InvalidMessage)?;
        let inner = Message::parse(text.as_bytes())?;
        inner.check_size(self.options.limit)?;
        let Some(Session { wire: Wire::Legacy(legacy), .. }) = self.sessions.get_mut(&id) else { return Ok(()) };
        let frame =
            Frame { command: inner.command(), payload: inner.payload().as_bytes(), ..Frame::bare(Kind::Broadcast, 0) };
        if message.command() == "broadcast" {
            self.relay_broadcast(id, &frame, now);
        } else {
            let name = inner.id.as_deref().unwrap_or_default();
            match legacy.number(inner.delivery.as_deref()) {
                Some(number) => {
                    self.relay_request(id, &Frame { kind: Kind::Request, id: number, name, ..frame }, now);
                }
                None => self.relay_emit(id, &Frame { kind: Kind::Emit, name, ..frame }, now),
            }
        }
        Ok(())
    }

    fn read_private(&mut self, id: SessionId, message: &Message<'_>, events: &mut dyn Events) {
        let Some(Session { wire: Wire::Legacy(legacy), .. }) = self.sessions.get_mut(&id) else { return };
        let frame =
            Frame { command: message.command(), payload: message.payload().as_bytes(), ..Frame::bare(Kind::Send, 0) };
        if message.command() == "deliver" {
            if let Some(number) = message.delivery.as_deref().and_then(|delivery| legacy.asked(delivery)) {
                self.relay_answer(id, &Frame { kind: Kind::Response, id: number, ..frame });
            }
            return;
        }
        let request = legacy.number(message.delivery.as_deref());
        self.message(id, &frame, request, events);
    }
}
