//! What a server does with what comes in.

use std::sync::Arc;
use std::time::Instant;

use super::outgoing::acknowledged;
use super::session::Session;
use super::{Connection, Server, Timer};
use crate::error;
use crate::log::log;
use crate::machine::{ConnectionId, Event, Events, Incoming, Payload, SessionId};
use crate::protocol::codec::Codec;
use crate::protocol::frame::{Flags, Frame, Kind};
use crate::protocol::v1::Socket;
use crate::protocol::{Partial, ProtocolError};

/// An answer to `discover` up to this size is kept for the next one, in bytes.
const KEPT: usize = 1024 * 1024;

impl Server {
    /// Deals with bytes that a connection has read.
    pub(super) fn hear(&mut self, connection: ConnectionId, bytes: &[u8], now: Instant, events: &mut dyn Events) {
        match self.read(connection, bytes, now, events) {
            Ok(()) => {
                let part = self.partial(connection);
                self.unfinished.note(connection, (bytes.len(), part), now, &mut self.actions);
            }
            Err(error) => self.fail(connection, &error, now, events),
        }
    }

    fn read(
        &mut self,
        connection: ConnectionId,
        mut bytes: &[u8],
        now: Instant,
        events: &mut dyn Events,
    ) -> Result<(), ProtocolError> {
        while let Some(Connection::Handshake { channel, .. }) = self.connections.get_mut(&connection) {
            let Some(object) = channel.splitter.next(&mut bytes)? else { return Ok(()) };
            self.greet(connection, &object, now, events)?;
        }
        let Some(&Connection::Session(id)) = self.connections.get(&connection) else { return Ok(()) };
        let Some((transport, _)) = self.sessions.get_mut(&id).and_then(Session::transport_mut) else { return Ok(()) };
        let (socket, mut codec) = transport.take_codec(connection);
        let result = self.read_frames((connection, socket), id, &mut codec, bytes, now, events);
        if let Some((transport, _)) = self.sessions.get_mut(&id).and_then(Session::transport_mut) {
            transport.put_codec(codec);
        }
        self.acknowledge_soon(id);
        result
    }

    /// What a connection has begun to send.
    pub(super) fn partial(&self, connection: ConnectionId) -> Partial {
        match self.connections.get(&connection) {
            Some(Connection::Handshake { channel, .. }) => channel.splitter.unfinished(),
            Some(Connection::Session(id)) => {
                let transport = self.sessions.get(id).and_then(Session::transport);
                transport.map_or_else(Partial::default, |transport| transport.unfinished(connection))
            }
            Some(Connection::Claiming { .. } | Connection::Ending(_)) | None => Partial::default(),
        }
    }

    /// Ends connections that hold up others with what they have begun to send, and do not go on. Their clients may come
    /// back and send it again.
    pub(super) fn end_stalled(&mut self, now: Instant, events: &mut dyn Events) {
        let (stalled, next) = self.unfinished.stalled(now);
        for connection in stalled {
            log!(self.verbose, "SERVER ERROR", self.options.domain.name(), "a client does not finish its message");
            self.drop_connection(connection, now, events);
        }
        next.into_iter().for_each(|at| self.timers.set(at, Timer::Unfinished));
    }

    pub(super) fn read_frames(
        &mut self,
        (connection, socket): (ConnectionId, Socket),
        id: SessionId,
        codec: &mut Codec,
        mut bytes: &[u8],
        now: Instant,
        events: &mut dyn Events,
    ) -> Result<(), ProtocolError> {
        while let Some(frame) = codec.next(socket, &mut bytes)? {
            self.frame(id, &frame, now, events)?;
            if !self.connections.contains_key(&connection) {
                break;
            }
            // A client whose answers exceed the limit must read first.
            if self.overflowing.contains(id) {
                self.overflowing.hear_later(connection, bytes);
                break;
            }
        }
        Ok(())
    }

    pub(super) fn frame(
        &mut self,
        id: SessionId,
        frame: &Frame<'_>,
        now: Instant,
        events: &mut dyn Events,
    ) -> Result<(), ProtocolError> {
        let Some(session) = self.sessions.get_mut(&id) else { return Ok(()) };
        if self.closing.is_some() && session.refuses(frame.kind) {
            return Ok(());
        }
        if is_passed_on(frame) {
            frame.check()?;
        }
        if !session.refusing {
            session.sequence.count(frame.kind);
        }
        match frame.kind {
            Kind::Void | Kind::Padding => {}
            Kind::Acknowledgement => acknowledged(session, frame.id, &mut self.schedule)?,
            Kind::Send => self.message(id, frame, None, events),
            Kind::Request if frame.name.is_empty() => self.message(id, frame, Some(frame.id), events),
            Kind::Request => self.relay_request(id, frame, now),
            Kind::Emit => self.relay_emit(id, frame, now),
            Kind::Broadcast => self.relay_broadcast(id, frame, now),
            Kind::Response | Kind::Failure => self.relay_answer(id, frame, events),
            Kind::Cancel => self.relays.cancel(id, frame.id),
            Kind::Discover => {
                let found = self.discovered();
                self.answer(id, &Frame { payload: &found, ..Frame::bare(Kind::Response, frame.id) });
            }
            Kind::Goodbye => self.goodbye(id, now, events),
            Kind::Held | Kind::Released => return Err(ProtocolError::Unexpected),
        }
        Ok(())
    }

    /// Calls the handler, if there is one.
    pub(super) fn message(&mut self, id: SessionId, frame: &Frame<'_>, request: Option<u64>, events: &mut dyn Events) {
        if let Some(request) = request
            && self.asks_too_much(id)
        {
            return self.refuse(id, request);
        }
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let Some(command) = self.commands.find(frame.command) else {
            log!(self.verbose, "NO HANDLER", frame.command, "from {}", session.name);
            if let Some(request) = request {
                self.answer_failure(id, request, &error::no_such_command(frame.command));
            }
            return;
        };
        log!(self.verbose, "HANDLER EXEC", frame.command, "from {}", session.name);
        let receipt = session.sequence.give();
        self.unfinished.give(id, receipt, frame.payload.len());
        session.asked += usize::from(request.is_some());
        events.event(Event::Message(Incoming {
            session: id,
            from: &session.name,
            command,
            request,
            redelivered: frame.flags.contains(Flags::REDELIVERED),
            payload: Payload::of(frame),
            receipt,
        }));
    }

    /// Who is there, and what the server handles, as JSON.
    pub(super) fn discovered(&mut self) -> Arc<Vec<u8>> {
        if let Some(found) = &self.discovered {
            return Arc::clone(found);
        }
        #[derive(serde::Serialize)]
        struct Discovered<'a> {
            clients: Vec<&'a str>,
            command_handlers: &'a [Box<str>],
        }
        let clients = self.connected().map(|(name, _)| name).collect();
        // A struct of strings has no way to fail.
        let found = serde_json::to_vec(&Discovered { clients, command_handlers: self.commands.names() });
        let found = Arc::new(found.unwrap_or_default());
        self.discovered = (found.len() <= KEPT).then(|| Arc::clone(&found));
        found
    }
}

/// Whether it is for another client, which must not be troubled with what should not have come here.
fn is_passed_on(frame: &Frame<'_>) -> bool {
    frame.kind != Kind::Send && !(frame.kind == Kind::Request && frame.name.is_empty())
}
