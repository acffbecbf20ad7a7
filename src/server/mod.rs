//! What a server does: take connections, call handlers, pass messages between clients, and keep what a
//! client has not received. A state machine without I/O.

mod admission;
mod asking;
mod away;
mod backlog;
mod claims;
mod closing;
mod disconnection;
mod dropped;
mod handover;
mod held_messages;
mod holds;
mod incoming;
mod listing;
mod machine;
mod options;
mod outgoing;
mod outstanding;
mod overflowing;
mod questions;
mod relay;
mod relays;
mod schedule;
mod session;
mod shutdown;
mod slow;
mod starting;
mod timers;
mod unfinished;

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use crate::commands::{self, Commands};
use crate::error::{self, Code, Error};
use crate::log::log;
use crate::machine::{Action, ConnectionId, Credentials, Events, ListenerId, Payload, SessionId};
use crate::protocol::ProtocolError;
use crate::protocol::frame::{self, Frame, Kind};
use crate::protocol::handshake::{self, Hello};
use crate::protocol::text::Text;
use crate::protocol::v1::channel::Channel;

use away::Away;
use claims::Claims;
use closing::Closing;
use dropped::Dropped;
use held_messages::HeldMessages;
use overflowing::Overflowing;
use questions::Questions;
use relays::Relays;
use schedule::Schedule;
use session::Session;
use timers::{Timer, Timers};
use unfinished::Unfinished;

pub use asking::ITSELF;
pub use listing::ClientInfo;
pub use options::Options;

/// A client that lives tries again at least once a second. One that is not back after this is taken to be
/// gone where a delivery waits for its answer, and a server that has just started waits as long for a client
/// that messages were queued for.
const RECONNECTS_WITHIN: Duration = Duration::from_secs(2);

/// Bytes that may wait for a client before the application is asked to pause.
const HIGH_WATER_MARK: usize = 64 * 1024;

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
    starting_until: Option<Instant>,
    connections: FxHashMap<ConnectionId, Connection>,
    listeners: FxHashMap<ListenerId, SessionId>,
    sessions: FxHashMap<SessionId, Session>,
    /// Names come from peers: this hash withstands chosen ones.
    names: HashMap<Box<str>, SessionId>,
    relays: Relays,
    questions: Questions,
    held_messages: HeldMessages,
    away: Away,
    /// Connections in [`Connection::Claiming`].
    claims: Claims,
    timers: Timers,
    next_connection: u32,
    next_listener: u32,
    next_session: u32,
    actions: VecDeque<Action>,
    unfinished: Unfinished,
    schedule: Schedule,
    /// Clients for which too much waits.
    overflowing: Overflowing,
    dropped: Dropped,
    closing: Option<Closing>,
    /// The answer to `discover`, as long as it stays the same.
    discovered: Option<Arc<Vec<u8>>>,
}

/// A connection by what is known of it.
#[derive(Debug)]
enum Connection {
    /// It has not said who it is.
    Handshake { channel: Channel, peer: Credentials, until: Instant },
    /// It claims the name of a client whose connection may just be ending.
    Claiming { channel: Channel, peer: Credentials, until: Instant, name: String, hello: Option<Hello> },
    /// It is told why it can't stay.
    Ending(Text),
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
            starting_until: None,
            connections: FxHashMap::default(),
            listeners: FxHashMap::default(),
            sessions: FxHashMap::default(),
            names: HashMap::new(),
            relays: Relays::default(),
            questions: Questions::default(),
            held_messages: HeldMessages::default(),
            away: Away::default(),
            claims: Claims::default(),
            timers: Timers::default(),
            next_connection: 0,
            next_listener: 0,
            next_session: 0,
            actions: VecDeque::new(),
            schedule: Schedule::default(),
            overflowing: Overflowing::default(),
            dropped: Dropped::default(),
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

    /// Starts. The driver must listen at [`Server::path`] under the name that is returned, or call
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
        self.starting_until = Some(now + RECONNECTS_WITHIN);
        log!(self.verbose, "SERVER START", self.options.domain.name(), "at {}", self.path().display());
        Ok(listener)
    }

    /// It could not listen: it is not started.
    pub fn start_failed(&mut self) {
        self.control = None;
    }

    /// Sends a message to a client. A name that no client has is no error, and where the client takes less than
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
        log!(self.verbose, "SERVER EMIT", command, "to {name}");
        match self.names.get(name) {
            Some(&id) if self.sessions.get(&id).is_some_and(Session::takes_messages) => {
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
        let session = self.sessions.get_mut(&id).filter(|session| session.takes_messages());
        let session = session.ok_or_else(error::session_ended)?;
        if payload.len() > session.limit {
            let name = session.name.clone();
            self.drop_message(id, name, payload.len());
            return Ok(());
        }
        // Only protocol 1 knows deliveries without a waiting caller: they have no number, and an id of the application's.
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
        log!(self.verbose, "SERVER BROADCAST", command, "to {} clients", self.sessions.len());
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
        self.may_be_done(id);
        self.answer(id, &Frame { flags, payload, ..Frame::bare(kind, request) });
    }

    /// Ends the connection of a client, which will try to come back.
    pub fn disconnect(&mut self, id: SessionId, now: Instant, events: &mut dyn Events) {
        if let Some(connection) = self.sessions.get(&id).and_then(|session| session.connections().next()) {
            self.drop_connection(connection, now, events);
        }
    }

    /// What a client sent is no JSON, see [`Options::parses_texts`]: its connection fails.
    pub fn reject_payload(&mut self, id: SessionId, now: Instant, events: &mut dyn Events) {
        if let Some(connection) = self.sessions.get(&id).and_then(|session| session.connections().next()) {
            self.fail(connection, &ProtocolError::InvalidPayload, now, events);
        }
    }

    /// The names and the ids of the clients that are connected, in the order in which they came.
    pub fn connected(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut connected: Vec<_> = self.sessions.iter().filter(|(_, session)| session.is_connected()).collect();
        connected.sort_unstable_by_key(|&(id, _)| *id);
        connected.into_iter().map(|(_, session)| (session.name.as_str(), session.uuid.as_str()))
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
        session.blocked |= session.sequence.outbox.unwritten_size() > HIGH_WATER_MARK;
        session.blocked
    }
}

fn check_size(payload: &[u8], limit: usize) -> Result<(), Error> {
    if payload.len() > limit { Err(error::too_large(payload.len(), limit)) } else { Ok(()) }
}
