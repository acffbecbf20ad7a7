//! What a server does: take connections, call handlers, pass messages between clients, and keep what a
//! client has not received. A state machine without I/O.

mod away;
mod backlog;
mod closing;
mod contenders;
mod departure;
mod greeting;
mod held;
mod incoming;
mod machine;
mod outgoing;
mod outstanding;
mod parking;
mod relay;
mod relays;
mod session;
mod slow;
mod timers;
mod unfinished;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustc_hash::{FxHashMap, FxHashSet};

use crate::commands::{self, Commands};
use crate::domain::Domain;
use crate::error::{self, Code, Error};
use crate::machine::{Action, ConnectionId, Events, ListenerId, Payload, SessionId};
use crate::narration::narrate;
use crate::protocol::ProtocolError;
use crate::protocol::frame::{self, Frame, Kind};
use crate::protocol::handshake::{self, Hello};
use crate::protocol::text::Text;
use crate::protocol::v1::channel::Channel;
use crate::trust::Trust;

use away::Away;
use closing::Closing;
use contenders::Contenders;
use outgoing::Dropped;
use parking::Parking;
use relays::Relays;
use session::Session;
use slow::Overflowing;
use timers::{Timer, Timers};
use unfinished::Unfinished;

/// A client that lives tries again at least once a second. One that is not back after this is taken to be
/// gone where somebody waits for its answer, and a server that has just started waits as long for a client
/// that messages were queued for.
const RECONNECTS_WITHIN: Duration = Duration::from_secs(2);

/// Bytes that may wait for a client before whoever writes to it is asked to pause.
const HIGH_WATER_MARK: usize = 64 * 1024;

/// What a server is made with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens.
    pub domain: Domain,
    /// Whom it takes for a client.
    pub trust: Trust,
    /// The largest payload, in bytes; no more than [`frame::LARGEST_PAYLOAD`] counts.
    pub limit: usize,
    /// The most clients at a time, those included that are away.
    pub max_clients: usize,
    /// How long a client may take to say who it is.
    pub handshake_timeout: Duration,
    /// Bytes that may wait to be written to one client before it is dropped.
    pub slow_consumer_limit: usize,
    /// Bytes of messages that have begun to arrive and are not complete, of all connections. Beyond it, large ones are read
    /// one after the other.
    pub unfinished_limit: usize,
    /// The most deliveries of one client that nobody has answered.
    pub max_deliveries: usize,
    /// Bytes that may be kept for all clients together that are away: messages, names and ids. A broadcast counts once.
    pub away_limit: usize,
    /// How long a client whose connection broke is expected back.
    pub resume_timeout: Duration,
    /// How long [`Server::close`] waits for clients to read.
    pub close_timeout: Duration,
    /// Whether the application parses each large JSON text by itself, and calls [`Server::distrust`] where it can't. If so, it
    /// gets these unchecked, as [`Payload::Text`].
    pub parses_texts: bool,
}

/// A server.
#[derive(Debug)]
pub struct Server {
    options: Options,
    /// Whether its events are shown to the user.
    pub verbose: bool,
    commands: Commands,
    id: String,
    control: Option<ListenerId>,
    /// Until when clients of a server before may still be on their way.
    settling: Option<Instant>,
    connections: FxHashMap<ConnectionId, Connection>,
    listeners: FxHashMap<ListenerId, SessionId>,
    sessions: FxHashMap<SessionId, Session>,
    /// Names come from peers: this hash withstands chosen ones.
    names: HashMap<Box<str>, SessionId>,
    relays: Relays,
    parking: Parking,
    away: Away,
    /// Connections in [`Connection::Contending`].
    contenders: Contenders,
    timers: Timers,
    next_connection: u32,
    next_listener: u32,
    next_session: u32,
    actions: VecDeque<Action>,
    unfinished: Unfinished,
    dirty: Dirty,
    reports: Vec<SessionId>,
    /// Whether something was passed on whose sender must not be told before it is written.
    relayed: bool,
    /// Clients for which too much waits.
    overflowing: Overflowing,
    /// Messages that were larger than their receivers take, and nobody has been told of.
    dropped: BTreeMap<SessionId, Dropped>,
    closing: Option<Closing>,
    /// The answer to `discover`, as long as it stays the same.
    discovered: Option<Arc<Vec<u8>>>,
}

/// A connection by what is known of it.
#[derive(Debug)]
enum Connection {
    /// It has not said who it is.
    Greeting { channel: Channel, until: Instant },
    /// Its name belongs to somebody whose connection may just be ending.
    Contending { channel: Channel, until: Instant, name: String, hello: Option<Hello> },
    /// It is told why it can't stay.
    Parting(Text),
    /// It belongs to a session.
    Session(SessionId),
}

impl Connection {
    /// The session that it belongs to.
    fn session(&self) -> Option<SessionId> {
        match self {
            Connection::Session(session) => Some(*session),
            _ => None,
        }
    }
}

/// The connections that have something to write, each once, in the order in which they got it.
#[derive(Debug, Default)]
struct Dirty {
    queue: VecDeque<ConnectionId>,
    members: FxHashSet<ConnectionId>,
}

impl Server {
    /// A server that is not started.
    pub fn new(options: Options) -> Server {
        Server {
            unfinished: Unfinished::new(options.unfinished_limit),
            options: Options { limit: options.limit.min(frame::LARGEST_PAYLOAD), ..options },
            verbose: false,
            commands: Commands::default(),
            id: handshake::random_hex(),
            control: None,
            settling: None,
            connections: FxHashMap::default(),
            listeners: FxHashMap::default(),
            sessions: FxHashMap::default(),
            names: HashMap::new(),
            relays: Relays::default(),
            parking: Parking::default(),
            away: Away::default(),
            contenders: Contenders::default(),
            timers: Timers::default(),
            next_connection: 0,
            next_listener: 0,
            next_session: 0,
            actions: VecDeque::new(),
            dirty: Dirty::default(),
            reports: Vec::new(),
            relayed: false,
            overflowing: Overflowing::default(),
            dropped: BTreeMap::new(),
            closing: None,
            discovered: None,
        }
    }

    /// The commands that it handles.
    pub fn commands(&mut self) -> &mut Commands {
        self.discovered = None;
        &mut self.commands
    }

    /// The path of its control socket.
    pub fn path(&self) -> PathBuf {
        self.options.domain.control()
    }

    /// Whether it is started and has not been closed.
    pub fn is_started(&self) -> bool {
        self.control.is_some()
    }

    /// Whether [`Server::close`] was called and is not complete.
    pub fn is_closing(&self) -> bool {
        self.closing.is_some()
    }

    /// Starts. The driver has to listen at [`Server::path`] under the name that is returned, and to call
    /// [`Server::start_failed`] if it can't.
    ///
    /// # Errors
    /// [`Code::AlreadyStarted`].
    pub fn start(&mut self, now: Instant) -> Result<ListenerId, Error> {
        if self.is_started() || self.is_closing() {
            return Err(Error::new(
                Code::AlreadyStarted,
                "The server is already started; call close() and wait for it before you start it again.",
            ));
        }
        self.id = handshake::random_hex();
        // An answer that a client was asked for by a server before must not be taken for one of this server's.
        // JavaScript's numbers are exact up to 2^53.
        self.relays.number_from(uuid::Uuid::new_v4().as_u64_pair().1 >> 13);
        self.next_listener += 1;
        let listener = ListenerId(self.next_listener);
        self.control = Some(listener);
        self.settling = Some(now + RECONNECTS_WITHIN);
        narrate!(self.verbose, "SERVER START", self.options.domain.name(), "at {}", self.path().display());
        Ok(listener)
    }

    /// It could not listen: it is not started.
    pub fn start_failed(&mut self) {
        self.control = None;
    }

    /// Sends a message to a client. A name that nobody has is nothing to worry about, and where the client takes less than
    /// this server, [`Event::Dropped`] says so.
    ///
    /// # Errors
    /// [`Code::MessageTooLarge`] where it is larger than the server's own limit, [`Code::RestrictedCommand`],
    /// [`Code::InvalidArgument`].
    ///
    /// [`Event::Dropped`]: crate::machine::Event::Dropped
    pub fn emit(
        &mut self,
        name: &str,
        command: &str,
        payload: Payload<'_>,
        delivery: Option<&str>,
    ) -> Result<(), Error> {
        commands::check(command)?;
        check_size(payload.parts().0, self.options.limit)?;
        narrate!(self.verbose, "SERVER EMIT", command, "to {name}");
        match self.names.get(name) {
            Some(&id) if self.sessions.get(&id).is_some_and(Session::is_reachable) => {
                self.send(id, command, payload, delivery)
            }
            _ => Ok(()),
        }
    }

    /// Sends a message to the client of a session.
    ///
    /// # Errors
    /// As [`Server::emit`], and [`Code::ClientLeft`] when the session has ended.
    pub fn send(
        &mut self,
        id: SessionId,
        command: &str,
        payload: Payload<'_>,
        delivery: Option<&str>,
    ) -> Result<(), Error> {
        commands::check(command)?;
        let (payload, flags) = payload.parts();
        check_size(payload, self.options.limit)?;
        let session = self.sessions.get_mut(&id).filter(|session| session.is_reachable());
        let session = session.ok_or_else(error::session_ended)?;
        if payload.len() > session.limit {
            let name = session.name.clone();
            self.drop_message(id, name, payload.len());
            return Ok(());
        }
        // Only protocol 1 knows deliveries that nobody waits for: they have no number, and an id of the application's.
        let delivery = delivery.filter(|_| session.version == 1);
        let kind = if delivery.is_some() { Kind::Request } else { Kind::Emit };
        let name = delivery.unwrap_or_default();
        self.push(id, &Frame { flags, name, command, payload, ..Frame::bare(kind, 0) });
        Ok(())
    }

    /// Sends a message to every client but `except`.
    ///
    /// # Errors
    /// As [`Server::emit`].
    pub fn broadcast(&mut self, command: &str, payload: Payload<'_>, except: Option<&str>) -> Result<(), Error> {
        commands::check(command)?;
        let (payload, flags) = payload.parts();
        check_size(payload, self.options.limit)?;
        narrate!(self.verbose, "SERVER BROADCAST", command, "to {} clients", self.sessions.len());
        let except = except.and_then(|name| self.names.get(name)).copied();
        self.push_to_all(&Frame { flags, command, payload, ..Frame::bare(Kind::Broadcast, 0) }, except, true);
        Ok(())
    }

    /// Answers a delivery that a handler was called for.
    pub fn respond(&mut self, id: SessionId, request: u64, outcome: Result<Payload<'_>, Payload<'_>>) {
        let kind = if outcome.is_ok() { Kind::Response } else { Kind::Failure };
        let (Ok(payload) | Err(payload)) = outcome;
        let (payload, flags) = payload.parts();
        if let Some(session) = self.sessions.get_mut(&id) {
            session.asked = session.asked.saturating_sub(1);
        }
        self.looks_for(id);
        self.answer(id, &Frame { flags, payload, ..Frame::bare(kind, request) });
    }

    /// Ends the connection of a client, which will try to come back.
    pub fn disconnect(&mut self, id: SessionId, now: Instant, events: &mut dyn Events) {
        if let Some(connection) = self.sessions.get(&id).and_then(|session| session.connections().next()) {
            self.drop_connection(connection, now, events);
        }
    }

    /// What a client sent is no JSON, see [`Options::parses_texts`]: its connection fails.
    pub fn distrust(&mut self, id: SessionId, now: Instant, events: &mut dyn Events) {
        if let Some(connection) = self.sessions.get(&id).and_then(|session| session.connections().next()) {
            self.fail(connection, &ProtocolError::InvalidPayload, now, events);
        }
    }

    /// Whether a client is there.
    pub fn is_connected(&self, id: SessionId) -> bool {
        self.sessions.get(&id).is_some_and(Session::is_connected)
    }

    /// Whether more waits for a client than the high-water mark. If so, [`Event::Drained`] tells when it has been
    /// written.
    ///
    /// [`Event::Drained`]: crate::machine::Event::Drained
    pub fn is_blocked(&mut self, id: SessionId) -> bool {
        let Some(session) = self.sessions.get_mut(&id) else { return true };
        session.blocked |= session.link.outbox.unwritten_size() > HIGH_WATER_MARK;
        session.blocked
    }
}

impl Dirty {
    fn add(&mut self, connection: ConnectionId) {
        if self.members.insert(connection) {
            self.queue.push_back(connection);
        }
    }

    fn take(&mut self) -> Option<ConnectionId> {
        let connection = self.queue.pop_front()?;
        self.members.remove(&connection);
        Some(connection)
    }
}

/// Something was queued for this session.
fn queued(session: &Session, id: SessionId, dirty: &mut Dirty, overflowing: &mut Overflowing, options: &Options) {
    session.connections().for_each(|connection| dirty.add(connection));
    if session.is_slow(options) {
        overflowing.add(id);
    }
}

fn check_size(payload: &[u8], limit: usize) -> Result<(), Error> {
    if payload.len() > limit { Err(error::too_large(payload.len(), limit)) } else { Ok(()) }
}
