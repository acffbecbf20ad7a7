//! What a client does: connect, queue, deliver, and connect again. A state machine without I/O.

mod deliveries;
mod legacy;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::backoff::Backoff;
use crate::commands::{self, Commands};
use crate::domain::Domain;
use crate::error::{self, Code, Error};
use crate::link::{Link, Receipt};
use crate::machine::{
    Action, ConnectionId, Credentials, Event, Events, Incoming, ListenerId, Machine, Payload, SessionId,
};
use crate::narration::{narrate, whom};
use crate::protocol::ProtocolError;
use crate::protocol::frame::{self, Flags, Frame, Kind};
use crate::protocol::inbox::Inbox;
use crate::protocol::message::{self, Hello, Message, Welcome};
use crate::protocol::splitter::Splitter;
use crate::trust::Trust;

use deliveries::Deliveries;
use legacy::Legacy;

/// The only session of a client: its server.
pub const SERVER: SessionId = SessionId(0);

/// How long a server may take to answer the handshake before the client tries again.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Frames from the server are acknowledged when so many came in, with the next write, or after a while.
/// Nobody waits for it: it only lets the server forget them.
const ACKNOWLEDGE_EVERY: u64 = 64;
const ACKNOWLEDGE_AFTER: Duration = Duration::from_millis(50);

/// What a client is made with.
#[derive(Clone, Debug)]
pub struct Options {
    /// The name under which others reach it.
    pub name: String,
    /// Where its server is.
    pub domain: Domain,
    /// Whom it takes for its server.
    pub trust: Trust,
    /// The largest payload, in bytes.
    pub limit: usize,
    /// How long [`Client::close`] waits for what is under way.
    pub close_timeout: Duration,
}

/// A client.
#[derive(Debug)]
pub struct Client {
    options: Options,
    /// Whether its events are shown to the user.
    pub verbose: bool,
    commands: Commands,
    state: State,
    link: Link,
    deliveries: Deliveries,
    session: String,
    /// The server of the last connection, and the id that it gave.
    server: Option<String>,
    uuid: Option<String>,
    /// The smaller of both sides' limits, as far as the other is known.
    limit: usize,
    /// Whether `connect` has succeeded once: what fails from then on is tried again.
    established: bool,
    backoff: Backoff,
    next_connection: u32,
    actions: VecDeque<Action>,
    dirty: bool,
    acknowledge_at: Option<Instant>,
    /// Deliveries that the application has not answered yet.
    asked: usize,
    closing: Option<Instant>,
}

#[derive(Debug)]
enum State {
    /// Not started.
    Idle,
    /// Waiting before the next attempt.
    Waiting(Instant),
    /// The driver makes the connection.
    Connecting(ConnectionId),
    /// The handshake is being exchanged.
    Greeting(Greeting),
    /// Connected to a server of protocol 1.
    Legacy(Box<Legacy>),
    /// Connected to a server of protocol 2.
    Connected(ConnectionId, Inbox),
    /// The last bytes are being written.
    Leaving(ConnectionId),
}

#[derive(Debug)]
struct Greeting {
    connection: ConnectionId,
    splitter: Splitter,
    text: Vec<u8>,
    written: usize,
    until: Instant,
}

/// A message that a client sends.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// [`Kind::Send`], [`Kind::Emit`], [`Kind::Broadcast`], [`Kind::Request`] or [`Kind::Discover`].
    pub kind: Kind,
    /// The client that it goes to; empty for the server, or everybody.
    pub name: &'a str,
    /// The command.
    pub command: &'a str,
    /// The content.
    pub payload: Payload<'a>,
    /// The delivery's number: 0 for one-way messages, otherwise one that was not used before.
    pub request: u64,
}

impl Client {
    /// A client that is not started.
    pub fn new(options: Options) -> Client {
        let limit = options.limit;
        Client {
            options,
            verbose: false,
            commands: Commands::default(),
            state: State::Idle,
            link: Link::default(),
            deliveries: Deliveries::default(),
            session: message::random_hex(),
            server: None,
            uuid: None,
            limit,
            established: false,
            backoff: Backoff::new(uuid::Uuid::new_v4().as_u64_pair().1),
            next_connection: 0,
            actions: VecDeque::new(),
            dirty: false,
            acknowledge_at: None,
            asked: 0,
            closing: None,
        }
    }

    /// The commands that it handles.
    pub fn commands(&mut self) -> &mut Commands {
        &mut self.commands
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.options.name
    }

    /// The id that the server gave it, while it is connected or tries to be again.
    pub fn uuid(&self) -> Option<&str> {
        self.uuid.as_deref()
    }

    /// Where its server listens.
    pub fn path(&self) -> PathBuf {
        self.options.domain.control()
    }

    /// Whether the connection stands.
    pub fn is_connected(&self) -> bool {
        match &self.state {
            State::Connected(..) => true,
            State::Legacy(legacy) => legacy.is_connected(),
            _ => false,
        }
    }

    /// Whether [`Client::connect`] was called and closing is not complete.
    pub fn is_started(&self) -> bool {
        !matches!(self.state, State::Idle)
    }

    /// Begins to connect, and to keep the connection.
    ///
    /// # Errors
    /// [`Code::AlreadyStarted`].
    pub fn connect(&mut self) -> Result<(), Error> {
        if self.is_started() {
            return Err(Error::new(
                Code::AlreadyStarted,
                "The client is connected or connecting already; close() it before connecting anew.",
            ));
        }
        self.session = message::random_hex();
        self.server = None;
        self.established = false;
        self.backoff.reset();
        self.attempt();
        Ok(())
    }

    /// The server's socket may have appeared: if the client waits, it tries now.
    pub fn look_again(&mut self) {
        if matches!(self.state, State::Waiting(_)) {
            // It may not listen yet: the attempts after this one follow quickly.
            self.backoff.reset();
            self.attempt();
        }
    }

    /// Queues a message. It is settled by [`Event::Settled`] or [`Event::Rejected`], a delivery by
    /// [`Event::Answer`].
    ///
    /// # Errors
    /// [`Code::MessageTooLarge`], [`Code::RestrictedCommand`], [`Code::InvalidArgument`]; nothing is queued then.
    pub fn push(&mut self, outgoing: &Outgoing<'_>) -> Result<(), Error> {
        commands::check(outgoing.command)?;
        commands::check_length(outgoing.name)?;
        let (payload, flags) = outgoing.payload.parts();
        if payload.len() > self.limit {
            return Err(error::too_large(payload.len(), self.limit));
        }
        if outgoing.request != 0 {
            self.deliveries.begin(outgoing.request);
        }
        narrate!(self.verbose, "CLIENT SEND", outgoing.command, "{:?} to {}", outgoing.kind, whom(outgoing.name));
        self.queue(&Frame {
            kind: outgoing.kind,
            flags,
            id: outgoing.request,
            name: outgoing.name,
            command: outgoing.command,
            payload,
        });
        Ok(())
    }

    /// Answers a delivery that a handler was called for.
    pub fn respond(&mut self, request: u64, outcome: Result<Payload<'_>, Payload<'_>>) {
        let kind = if outcome.is_ok() { Kind::Response } else { Kind::Failure };
        let (Ok(payload) | Err(payload)) = outcome;
        let (payload, flags) = payload.parts();
        self.asked = self.asked.saturating_sub(1);
        if payload.len() > self.limit {
            let failure = error::too_large(payload.len(), self.limit).to_json();
            self.queue(&Frame { payload: &failure, ..Frame::bare(Kind::Failure, request) });
        } else {
            self.queue(&Frame { flags, payload, ..Frame::bare(kind, request) });
        }
    }

    /// Nobody waits for the answer to a delivery any more. What has not been written is withdrawn.
    pub fn cancel(&mut self, request: u64) {
        if !self.deliveries.cancel(request) {
            return;
        }
        let mut withdrawn = false;
        if !self.is_connected() {
            self.link.outbox.for_each_mut(|bytes| {
                let is_it =
                    Frame::decode_trusted(bytes).is_ok_and(|frame| frame.kind == Kind::Request && frame.id == request);
                if is_it && !frame_flags(bytes).intersects(Flags::REDELIVERED) {
                    frame::turn_into(bytes, Kind::Void);
                    withdrawn = true;
                }
            });
        }
        if !withdrawn {
            self.queue(&Frame::bare(Kind::Cancel, request));
        }
    }

    /// Ends the connection, which is made anew after a while.
    pub fn disconnect(&mut self, now: Instant, events: &mut dyn Events) {
        let connection = match &self.state {
            State::Connected(connection, _) => Some(*connection),
            State::Legacy(legacy) => legacy.connections().next(),
            _ => None,
        };
        if let Some(connection) = connection {
            self.actions.push_back(Action::Close(connection));
            self.disconnected(connection, now, events);
        }
    }

    /// Stops: what is queued is still sent if the connection stands. Complete with [`Event::Closed`], after
    /// which whatever was not settled never will be.
    pub fn close(&mut self, now: Instant, events: &mut dyn Events) {
        if self.closing.is_some() || matches!(self.state, State::Leaving(_)) {
            return;
        }
        if self.is_connected() {
            self.closing = Some(now + self.options.close_timeout);
            self.close_if_done(now, events);
        } else {
            self.stop(now, events);
        }
    }

    // --- the connection ---

    fn attempt(&mut self) {
        self.next_connection += 1;
        let connection = ConnectionId(self.next_connection);
        self.state = State::Connecting(connection);
        self.actions.push_back(Action::Connect { connection, path: self.options.domain.control() });
    }

    fn greet(&mut self, connection: ConnectionId, now: Instant) {
        let hello = Hello {
            version: message::VERSION,
            session: self.session.clone(),
            attempt: connection.0,
            server: self.server.clone(),
            received: self.link.received(),
            limit: self.options.limit as u64,
        };
        let mut text = Vec::new();
        message::write_handshake(None, &self.options.name, Some(&hello), &mut text);
        self.state = State::Greeting(Greeting {
            connection,
            splitter: Splitter::new(self.options.limit),
            text,
            written: 0,
            until: now + HANDSHAKE,
        });
        self.dirty = true;
    }

    /// The answer to the handshake.
    fn greeted(
        &mut self,
        connection: ConnectionId,
        bytes: &[u8],
        now: Instant,
        events: &mut dyn Events,
    ) -> Result<(), ProtocolError> {
        let answer = Message::parse(bytes)?;
        match answer.command() {
            "handshake" => {}
            "error" if answer.payload() == message::NOT_TRUSTED => {
                let error = Error::new(
                    Code::NotTrusted,
                    "The server does not allow this process's user; name it in the server's option allowUsers.",
                );
                self.refuse(connection, error, now, events);
                return Ok(());
            }
            "error" if answer.payload() == message::NAME_TAKEN => {
                let error = Error::new(
                    Code::NameTaken,
                    format!("Another client is connected as {:?}; choose another name.", self.options.name),
                );
                self.refuse(connection, error, now, events);
                return Ok(());
            }
            _ => return Err(ProtocolError::Unexpected),
        }
        let uuid = answer.text().ok_or(ProtocolError::InvalidMessage)?;
        match answer.extension::<Welcome>() {
            Some(welcome) if welcome.version >= 2 => {
                self.limit = self.options.limit.min(usize::try_from(welcome.limit).unwrap_or(usize::MAX));
                if welcome.resumed {
                    self.link.resume(welcome.received)?;
                } else {
                    self.restart();
                    self.withdraw_too_large(events);
                }
                self.server = Some(welcome.server);
                self.state = State::Connected(connection, Inbox::new(self.options.limit));
                self.uuid = Some(uuid);
                self.connected(events);
            }
            _ => {
                self.limit = self.options.limit;
                self.server = None;
                self.next_connection += 1;
                let private = ConnectionId(self.next_connection);
                let path = self.options.domain.private(&uuid);
                self.state =
                    State::Legacy(Box::new(Legacy::new(&self.options.name, connection, private, self.options.limit)));
                self.uuid = Some(uuid);
                self.actions.push_back(Action::Connect { connection: private, path });
            }
        }
        Ok(())
    }

    /// Numbers everything anew for a server that knows nothing of this session.
    fn restart(&mut self) {
        self.link.restart();
        let deliveries = &self.deliveries;
        self.link.outbox.put_back(deliveries.unanswered());
        self.deliveries.put_back();
        // Answers belong to deliveries of the server before; nobody waits for them now.
        self.link.outbox.for_each_mut(|bytes| {
            if matches!(frame::kind_of(bytes), Kind::Response | Kind::Failure) {
                frame::turn_into(bytes, Kind::Void);
            }
        });
    }

    fn connected(&mut self, events: &mut dyn Events) {
        self.established = true;
        self.backoff.reset();
        self.dirty = true;
        let uuid = self.uuid.as_deref().unwrap_or_default();
        narrate!(self.verbose, "CLIENT CONNECT", self.options.name, "as {uuid}");
        events.event(Event::Connected { uuid });
    }

    /// Withdraws queued messages that the server would not take, so that they do not end every connection.
    fn withdraw_too_large(&mut self, events: &mut dyn Events) {
        let limit = self.limit;
        let mut failed = Vec::new();
        self.link.outbox.for_each_mut(|bytes| {
            let Ok(frame) = Frame::decode_trusted(bytes) else { return };
            if frame.payload.len() > limit {
                failed.push((frame.id, frame.payload.len()));
                let kind = frame.kind;
                frame::turn_into(bytes, Kind::Void);
                if kind.is_one_way() {
                    frame::mark(bytes, deliveries::REJECTED);
                }
            }
        });
        if failed.is_empty() {
            return;
        }
        self.link.outbox.shrink_void();
        for (request, size) in failed.into_iter().filter(|&(request, _)| request != 0) {
            let failure = error::too_large(size, limit).to_json();
            self.answer(request, Err(Payload::Json(&failure)), events);
        }
    }

    /// Closes the connection; the next attempt comes after a while.
    fn fail(&mut self, connection: ConnectionId, error: &ProtocolError, now: Instant, events: &mut dyn Events) {
        narrate!(self.verbose, "CLIENT ERROR", self.options.name, "the server sent {error}");
        self.actions.push_back(Action::Close(connection));
        self.disconnected(connection, now, events);
    }

    fn disconnected(&mut self, connection: ConnectionId, now: Instant, events: &mut dyn Events) {
        let was_connected = self.is_connected();
        if let State::Legacy(legacy) = &self.state {
            let other = legacy.other(connection);
            self.actions.extend(other.map(Action::Close));
        }
        self.acknowledge_at = None;
        self.dirty = false;
        self.state = State::Waiting(now + self.backoff.next_wait());
        if was_connected {
            narrate!(self.verbose, "CLIENT DISCONNECT", self.options.name, "will try again");
            events.event(Event::Disconnected);
        }
        if self.closing.is_some() {
            self.stop(now, events);
        }
    }

    /// The server will not have this client. Before the first connection that is final.
    fn refuse(&mut self, connection: ConnectionId, error: Error, now: Instant, events: &mut dyn Events) {
        narrate!(self.verbose, "CLIENT REFUSED", self.options.name, "{error}");
        self.actions.push_back(Action::Close(connection));
        if self.established {
            self.state = State::Waiting(now + self.backoff.next_wait());
        } else {
            self.reset();
            events.event(Event::Refused { error });
        }
    }

    fn is_current(&self, connection: ConnectionId) -> bool {
        match &self.state {
            State::Idle | State::Waiting(_) => false,
            State::Connecting(current) | State::Connected(current, _) | State::Leaving(current) => {
                *current == connection
            }
            State::Greeting(greeting) => greeting.connection == connection,
            State::Legacy(legacy) => legacy.connections().any(|current| current == connection),
        }
    }

    fn close_if_done(&mut self, now: Instant, events: &mut dyn Events) {
        let settled = self.link.outbox.is_empty() && self.deliveries.is_empty() && self.asked == 0;
        if self.closing.is_some() && settled {
            self.stop(now, events);
        }
    }

    /// Says goodbye if there is somebody to say it to.
    fn stop(&mut self, now: Instant, events: &mut dyn Events) {
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Connected(connection, _) => {
                self.link.report();
                self.link.outbox.push(&Frame::bare(Kind::Goodbye, 0));
                self.state = State::Leaving(connection);
                self.dirty = true;
                self.closing.get_or_insert(now);
                return;
            }
            State::Legacy(legacy) => {
                self.actions.extend(legacy.connections().map(Action::Close));
            }
            State::Connecting(connection) | State::Leaving(connection) => {
                self.actions.push_back(Action::Close(connection));
            }
            State::Greeting(greeting) => self.actions.push_back(Action::Close(greeting.connection)),
            State::Idle | State::Waiting(_) => {}
        }
        self.reset();
        events.event(Event::Closed);
    }

    /// Forgets everything that belonged to the server.
    fn reset(&mut self) {
        self.state = State::Idle;
        self.closing = None;
        self.link = Link::default();
        self.deliveries = Deliveries::default();
        self.uuid = None;
        self.dirty = false;
        self.acknowledge_at = None;
        self.asked = 0;
        self.limit = self.options.limit;
    }

    // --- what goes out ---

    fn queue(&mut self, frame: &Frame<'_>) {
        self.link.outbox.push(frame);
        self.dirty |= self.is_connected();
    }

    /// Tells the application what an acknowledgement settles.
    fn settle(
        &mut self,
        acknowledge: impl FnOnce(&mut Link, &mut dyn FnMut(&[u8])) -> Result<(), ProtocolError>,
        events: &mut dyn Events,
    ) -> Result<(), ProtocolError> {
        let deliveries = &mut self.deliveries;
        let limit = self.limit;
        let mut count = 0;
        let result = acknowledge(&mut self.link, &mut |bytes| {
            let kind = frame::kind_of(bytes);
            if kind.is_one_way() {
                count += 1;
            } else if kind == Kind::Void && frame_flags(bytes).contains(deliveries::REJECTED) {
                if count > 0 {
                    events.event(Event::Settled { count: std::mem::take(&mut count) });
                }
                // A void frame has no use for its id: it is the size of what was withdrawn.
                let size = Frame::decode_trusted(bytes).map_or(0, |frame| frame.id);
                let error = error::too_large(usize::try_from(size).unwrap_or(usize::MAX), limit);
                events.event(Event::Rejected { error });
            } else {
                deliveries.acknowledged(bytes);
            }
        });
        if count > 0 {
            events.event(Event::Settled { count });
        }
        result
    }

    // --- what comes in ---

    fn frame(&mut self, frame: &Frame<'_>, now: Instant, events: &mut dyn Events) -> Result<(), ProtocolError> {
        self.link.count(frame.kind);
        match frame.kind {
            Kind::Void | Kind::Padding | Kind::Cancel => {}
            Kind::Acknowledgement => {
                let count = frame.id;
                self.settle(|link, each| link.outbox.acknowledge(count, each), events)?;
            }
            Kind::Emit | Kind::Broadcast | Kind::Request => self.message(frame, events),
            Kind::Response => self.answer(frame.id, Ok(Payload::of(frame)), events),
            Kind::Failure => self.answer(frame.id, Err(Payload::of(frame)), events),
            Kind::Goodbye => narrate!(self.verbose, "CLIENT GOODBYE", self.options.name, "the server closes"),
            Kind::Send | Kind::Discover => return Err(ProtocolError::Unexpected),
        }
        if self.link.unreported() >= ACKNOWLEDGE_EVERY {
            self.dirty = true;
        } else if frame.kind.is_sequenced() && self.acknowledge_at.is_none() {
            self.acknowledge_at = Some(now + ACKNOWLEDGE_AFTER);
        }
        self.close_if_done(now, events);
        Ok(())
    }

    /// Calls the handler, if there is one.
    fn message(&mut self, frame: &Frame<'_>, events: &mut dyn Events) {
        let request = (frame.kind == Kind::Request).then_some(frame.id);
        let Some(command) = self.commands.find(frame.command) else {
            if let Some(request) = request {
                let failure = error::no_such_command(frame.command).to_json();
                self.asked += 1;
                self.respond(request, Err(Payload::Json(&failure)));
            }
            return;
        };
        narrate!(self.verbose, "HANDLER EXEC", frame.command, "from {}", whom(frame.name));
        self.asked += usize::from(request.is_some());
        events.event(Event::Message(Incoming {
            session: SERVER,
            from: frame.name,
            command,
            request,
            redelivered: frame.flags.contains(Flags::REDELIVERED),
            payload: Payload::of(frame),
            receipt: self.link.give(),
        }));
    }

    fn answer(&mut self, request: u64, outcome: Result<Payload<'_>, Payload<'_>>, events: &mut dyn Events) {
        if self.deliveries.answered(request) {
            events.event(Event::Answer { request, outcome });
        }
    }

    fn read(
        &mut self,
        connection: ConnectionId,
        mut bytes: &[u8],
        now: Instant,
        events: &mut dyn Events,
    ) -> Result<(), ProtocolError> {
        while let State::Greeting(greeting) = &mut self.state {
            let Some(answer) = greeting.splitter.next(&mut bytes)? else { return Ok(()) };
            self.greeted(connection, &answer, now, events)?;
        }
        match &mut self.state {
            State::Connected(_, inbox) => {
                // Taken out while its frames are dealt with, which changes the rest.
                let mut inbox = std::mem::replace(inbox, Inbox::new(0));
                let result = self.read_frames(&mut inbox, bytes, now, events);
                if let State::Connected(_, place) = &mut self.state {
                    *place = inbox;
                }
                result
            }
            State::Legacy(_) => self.read_legacy(connection, bytes, now, events),
            _ => Ok(()),
        }
    }

    fn read_frames(
        &mut self,
        inbox: &mut Inbox,
        mut bytes: &[u8],
        now: Instant,
        events: &mut dyn Events,
    ) -> Result<(), ProtocolError> {
        while let Some(whole) = inbox.next(&mut bytes)? {
            self.frame(&Frame::decode(whole)?, now, events)?;
            if !matches!(self.state, State::Connected(..)) {
                break;
            }
        }
        Ok(())
    }
}

impl Machine for Client {
    fn next_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    fn opened(&mut self, connection: ConnectionId, peer: Credentials, now: Instant, events: &mut dyn Events) {
        match &mut self.state {
            State::Connecting(expected) if *expected == connection => {
                if let Err(error) = self.options.trust.check(peer, "server") {
                    self.refuse(connection, error, now, events);
                } else {
                    self.greet(connection, now);
                }
            }
            State::Legacy(legacy) => {
                legacy.open();
                self.restart();
                self.connected(events);
            }
            _ => {}
        }
    }

    fn accepted(&mut self, _: ListenerId, _: Credentials, _: Instant, _: &mut dyn Events) -> Option<ConnectionId> {
        None
    }

    fn listening_failed(&mut self, _: ListenerId, _: Instant, _: &mut dyn Events) {}

    fn read_into(&mut self, connection: ConnectionId) -> Option<&mut Vec<u8>> {
        match &mut self.state {
            State::Connected(current, inbox) if *current == connection => inbox.rest(),
            _ => None,
        }
    }

    fn received(&mut self, connection: ConnectionId, bytes: &[u8], now: Instant, events: &mut dyn Events) {
        if !self.is_current(connection) {
            return;
        }
        if let Err(error) = self.read(connection, bytes, now, events) {
            self.fail(connection, &error, now, events);
        }
    }

    fn lost(&mut self, connection: ConnectionId, now: Instant, events: &mut dyn Events) {
        if matches!(self.state, State::Leaving(_)) {
            self.reset();
            events.event(Event::Closed);
        } else if self.is_started() {
            self.disconnected(connection, now, events);
        }
    }

    fn settle(&mut self, _: Instant, _: &mut dyn Events) {}

    fn next_dirty(&mut self) -> Option<ConnectionId> {
        if !std::mem::take(&mut self.dirty) {
            return None;
        }
        match &mut self.state {
            State::Greeting(greeting) => Some(greeting.connection),
            State::Connected(connection, _) => {
                let connection = *connection;
                if self.link.unreported() >= ACKNOWLEDGE_EVERY / 4 || self.acknowledge_at.is_none() {
                    self.link.report();
                    self.acknowledge_at = None;
                }
                Some(connection)
            }
            State::Leaving(connection) => Some(*connection),
            State::Legacy(_) => self.next_legacy(),
            _ => None,
        }
    }

    fn unwritten(&self, connection: ConnectionId) -> &[u8] {
        match &self.state {
            State::Greeting(greeting) => &greeting.text[greeting.written..],
            State::Connected(..) | State::Leaving(_) => self.link.outbox.unwritten(),
            State::Legacy(legacy) => legacy.unwritten(connection),
            _ => &[],
        }
    }

    fn written(&mut self, connection: ConnectionId, count: usize, now: Instant, events: &mut dyn Events) {
        match &mut self.state {
            State::Greeting(greeting) => greeting.written += count,
            State::Connected(..) => self.link.outbox.advance(count),
            State::Legacy(_) => self.written_legacy(connection, count, now, events),
            State::Leaving(connection) => {
                let connection = *connection;
                self.link.outbox.advance(count);
                if self.link.outbox.is_written() {
                    self.actions.push_back(Action::Close(connection));
                    self.reset();
                    events.event(Event::Closed);
                }
            }
            _ => {}
        }
    }

    fn handled(&mut self, _: SessionId, receipt: Receipt, now: Instant) {
        self.link.handled(receipt);
        if self.acknowledge_at.is_none() && self.is_connected() && self.link.unreported() > 0 {
            self.acknowledge_at = Some(now + ACKNOWLEDGE_AFTER);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let state = match &self.state {
            State::Waiting(until) => Some(*until),
            State::Greeting(greeting) => Some(greeting.until),
            _ => None,
        };
        [state, self.acknowledge_at, self.closing].into_iter().flatten().min()
    }

    fn elapsed(&mut self, now: Instant, events: &mut dyn Events) {
        if self.acknowledge_at.is_some_and(|at| at <= now) {
            self.acknowledge_at = None;
            self.dirty |= self.is_connected() && self.link.unreported() > 0;
        }
        match &self.state {
            State::Waiting(until) if *until <= now => self.attempt(),
            State::Greeting(greeting) if greeting.until <= now => {
                let connection = greeting.connection;
                self.actions.push_back(Action::Close(connection));
                self.disconnected(connection, now, events);
            }
            State::Leaving(connection) if self.closing.is_some_and(|until| until <= now) => {
                // The server does not read: it learns of the end all the same.
                let connection = *connection;
                self.actions.push_back(Action::Close(connection));
                self.reset();
                events.event(Event::Closed);
            }
            _ => {}
        }
        if self.closing.is_some_and(|until| until <= now) {
            self.stop(now, events);
        }
    }
}

fn frame_flags(bytes: &[u8]) -> Flags {
    Flags(bytes.get(5).copied().unwrap_or_default())
}
