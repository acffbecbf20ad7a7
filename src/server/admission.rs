//! How a connection becomes a client: the handshake, and who gets a name.

use std::time::{Duration, Instant};

use super::holds::{Hold, Holds};
use super::session::{Refusals, Session, Wire};
use super::{Connection, Options, Server, Timer};
use crate::commands;
use crate::log::log;
use crate::machine::{Action, ConnectionId, Credentials, Event, Events, ListenerId, SessionId};
use crate::protocol::ProtocolError;
use crate::protocol::frame::{self, Kind};
use crate::protocol::handshake::{self, Hello, Welcome};
use crate::protocol::inbox::Inbox;
use crate::protocol::outbox::Outbox;
use crate::protocol::text::Text;
use crate::protocol::v1::channel::Channel;
use crate::protocol::v1::message::{self, Message};
use crate::protocol::v1::{Side, Translation};
use crate::sequence::Sequence;
use crate::transport::Transport;

/// How long a name is disputed: a client that was killed and started anew may be heard of before the end of
/// its old connection is.
const DISPUTE: Duration = Duration::from_millis(50);

impl Server {
    /// A peer has connected to the control socket.
    pub(super) fn accept_control(&mut self, connection: ConnectionId, peer: Credentials, now: Instant) {
        let channel = Channel::new(handshake::MAX_HANDSHAKE);
        let refusal = if let Err(error) = self.options.trust.check(peer, "client") {
            log!(self.verbose, "SERVER REFUSED", self.options.domain.name(), "{error}");
            Some(handshake::NOT_TRUSTED)
        } else if self.connections.len() >= self.options.max_clients {
            log!(self.verbose, "SERVER FULL", self.options.domain.name(), "{} clients", self.connections.len());
            Some(handshake::TOO_MANY)
        } else {
            None
        };
        if let Some(number) = refusal {
            return self.turn_away(connection, channel, None, number);
        }
        let until = now + self.options.handshake_timeout;
        self.timers.set(until, Timer::Handshake(connection));
        self.connections.insert(connection, Connection::Handshake { channel, peer, until });
    }

    /// The first message of a connection.
    pub(super) fn greet(
        &mut self,
        connection: ConnectionId,
        object: &[u8],
        now: Instant,
        events: &mut dyn Events,
    ) -> Result<(), ProtocolError> {
        let message = Message::parse(object)?;
        if message.command() != "handshake" {
            return Err(ProtocolError::Unexpected);
        }
        let hello = message.extension::<Hello>();
        let name = message.text().filter(|name| !name.is_empty() && commands::check_length(name).is_ok());
        let mistake = match (&name, &hello) {
            (None, _) => Some("the name is none"),
            (_, None) if message.ipcio.is_some() => Some("its fields are invalid"),
            (_, hello) => hello.as_ref().and_then(Hello::mistake),
        };
        let Some(Connection::Handshake { channel, peer, until }) = self.connections.remove(&connection) else {
            return Err(ProtocolError::Unexpected);
        };
        self.timers.clear(until, Timer::Handshake(connection));
        if let Some(mistake) = mistake {
            log!(self.verbose, "SERVER REFUSED", self.options.domain.name(), "a client's handshake: {mistake}");
            self.turn_away(connection, channel, None, handshake::NO_SENSE);
            return Ok(());
        }
        let name = name.unwrap_or_default();
        self.admit((connection, peer), channel, name, hello, Some(now + DISPUTE), now, events);
        Ok(())
    }

    /// A name has become free, or its owner absent.
    pub(super) fn decide_claims(&mut self, name: &str, now: Instant, events: &mut dyn Events) {
        if let Some(winner) = self.claims.first(name) {
            self.decide(winner, now, events);
        }
    }

    pub(super) fn handshake_elapsed(&mut self, connection: ConnectionId, now: Instant, events: &mut dyn Events) {
        match self.connections.get(&connection) {
            Some(Connection::Handshake { .. }) => self.drop_connection(connection, now, events),
            Some(Connection::Claiming { .. }) => self.decide(connection, now, events),
            Some(&Connection::Session(id)) => self.end_session(id, now, events),
            _ => {}
        }
    }

    /// The private socket of a client of protocol 1 was connected to.
    pub(super) fn accept_private(
        &mut self,
        listener: ListenerId,
        connection: ConnectionId,
        peer: Credentials,
        now: Instant,
        events: &mut dyn Events,
    ) -> Option<ConnectionId> {
        let id = *self.listeners.get(&listener)?;
        self.options.trust.check(peer, "client").ok()?;
        let session = self.sessions.remove(&id)?;
        self.stop_opening(&session);
        // What it sends to handlers comes on this one.
        self.sessions.insert(id, Session { wire: session.wire.opened(connection), peer, ..session });
        self.connections.insert(connection, Connection::Session(id));
        self.schedule.write(connection);
        self.session_connected(id, now, events);
        self.deliver_held(id);
        self.hand_over(id);
        self.begins_to_read(id);
        Some(connection)
    }

    fn decide(&mut self, connection: ConnectionId, now: Instant, events: &mut dyn Events) {
        if let Some(Connection::Claiming { channel, peer, until, name, hello }) = self.connections.remove(&connection) {
            self.claims.remove(&name, connection);
            self.timers.clear(until, Timer::Handshake(connection));
            self.admit((connection, peer), channel, name, hello, None, now, events);
        }
    }

    /// Gives the name to the connection, or not. `dispute` is until when it may wait for it.
    #[expect(clippy::too_many_arguments, reason = "the parts of a connection that is between two states")]
    fn admit(
        &mut self,
        (connection, peer): (ConnectionId, Credentials),
        channel: Channel,
        name: String,
        hello: Option<Hello>,
        dispute: Option<Instant>,
        now: Instant,
        events: &mut dyn Events,
    ) {
        let hello = hello.filter(|hello| hello.version >= 2);
        let version = hello.as_ref().map_or(1, |hello| hello.version.min(handshake::VERSION));
        let Some(&id) = self.names.get(name.as_str()) else {
            return self.begin_session((connection, peer), channel, name, hello, None, now, events);
        };
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if let Some(hello) = &hello
            && session.key.as_ref() == Some(&hello.session)
            && session.version == version
        {
            if hello.attempt < session.attempt {
                // The client has given this connection up and is back on another one.
                self.actions.push_back(Action::Close(connection));
                return;
            }
            session.attempt = hello.attempt;
            session.peer = peer;
            self.resume_session(id, connection, channel, hello, now, events);
        } else if matches!(session.wire, Wire::Lost { .. }) {
            let mut outbox = std::mem::take(&mut session.sequence.outbox);
            self.away.catch_up(id, &mut outbox);
            self.away.remove(id);
            let former = (outbox, session.holds.take());
            // The name goes to this one: no other contender may get it in between.
            self.remove_session(id, events);
            self.begin_session((connection, peer), channel, name, hello, Some(former), now, events);
        } else if let Some(until) = dispute {
            self.timers.set(until, Timer::Handshake(connection));
            self.claims.add(&name, connection);
            self.connections.insert(connection, Connection::Claiming { channel, peer, until, name, hello });
        } else {
            self.turn_away(connection, channel, Some(&name), handshake::NAME_TAKEN);
        }
    }

    /// Begins a session, which takes over what waited for a `former` client of its name.
    #[expect(clippy::too_many_arguments, reason = "the parts of a connection that is between two states")]
    fn begin_session(
        &mut self,
        (connection, peer): (ConnectionId, Credentials),
        mut channel: Channel,
        name: String,
        hello: Option<Hello>,
        former: Option<(Outbox, Vec<Hold>)>,
        now: Instant,
        events: &mut dyn Events,
    ) {
        if !self.make_room(now, events) {
            return self.turn_away(connection, channel, None, handshake::TOO_MANY);
        }
        self.next_session += 1;
        let id = SessionId(self.next_session);
        let uuid = handshake::random_hex();
        let mut sequence = Sequence::default();
        let is_new = former.is_none();
        let version = hello.as_ref().map_or(1, |hello| hello.version.min(handshake::VERSION));
        let mut holds = Holds::default();
        if let Some((outbox, held)) = former {
            sequence.inherit(outbox, version);
            holds.add(held);
        }
        let own = self.options.limit;
        let attempt = hello.as_ref().map_or(0, |hello| hello.attempt);
        let (key, limit, wire) = match hello {
            Some(hello) => {
                self.welcome(&name, &uuid, version, None, &mut channel.text);
                let limit = own.min(usize::try_from(hello.limit).unwrap_or(usize::MAX));
                (Some(hello.session), limit, Wire::Connected(frames(connection, version, channel.text, &self.options)))
            }
            None => {
                self.next_listener += 1;
                let listener = ListenerId(self.next_listener);
                let until = now + self.options.handshake_timeout;
                handshake::write(Some(&name), &uuid, None::<&Welcome>, channel.text.end());
                let translation = Translation::new(Side::Server, &name, &self.id, channel, own);
                let transport = Transport::text(connection, None, translation);
                self.actions.push_back(Action::Listen { listener, path: self.options.domain.private(&uuid) });
                self.listeners.insert(listener, id);
                self.timers.set(until, Timer::Handshake(connection));
                (None, own, Wire::Opening { transport, listener, until })
            }
        };
        self.connections.insert(connection, Connection::Session(id));
        self.schedule.write(connection);
        self.names.insert(name.as_str().into(), id);
        let is_connected = matches!(wire, Wire::Connected(_));
        self.sessions.insert(
            id,
            Session {
                name,
                uuid,
                key,
                version,
                attempt,
                sequence,
                holds,
                limit,
                wire,
                peer,
                since: now,
                waited: 0,
                blocked: false,
                is_acknowledged: false,
                refusing: false,
                refusals: Refusals::default(),
                asked: 0,
            },
        );
        if is_connected {
            self.session_connected(id, now, events);
            if is_new {
                self.deliver_held(id);
            }
            self.hand_over(id);
            self.begins_to_read(id);
        }
    }

    /// A client comes back to its session.
    fn resume_session(
        &mut self,
        id: SessionId,
        connection: ConnectionId,
        mut channel: Channel,
        hello: &Hello,
        now: Instant,
        events: &mut dyn Events,
    ) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        // A client that never read the first welcome of this session counts from 1, whatever it counted before.
        let resumed = hello.server.as_ref() == Some(&session.uuid);
        if resumed && session.sequence.resume(hello.received).is_err() {
            self.end_session(id, now, events);
            self.actions.push_back(Action::Close(connection));
            return;
        }
        // The old connection may not have been seen to end.
        for old in session.connections() {
            if self.connections.remove(&old).is_some() {
                self.actions.push_back(Action::Close(old));
                events.event(session.disconnected(id));
            }
        }
        if let Wire::Lost { absent, expired } = session.wire {
            self.timers.clear(absent, Timer::Absent(id));
            self.timers.clear(expired, Timer::Expired(id));
            self.away.catch_up(id, &mut session.sequence.outbox);
            self.away.remove(id);
        }
        if !resumed {
            session.sequence.restart();
            session.refusals = Refusals::default();
            // It speaks of what the client has sent by other numbers from now on.
            session.sequence.outbox.for_each_mut(|bytes| {
                if matches!(frame::kind_of(bytes), Kind::Held | Kind::Released) {
                    frame::turn_into(bytes, Kind::Void);
                }
            });
        }
        let (name, uuid, version) = (session.name.clone(), session.uuid.clone(), session.version);
        let received = resumed.then(|| session.sequence.received());
        self.welcome(&name, &uuid, version, received, &mut channel.text);
        let transport = frames(connection, version, channel.text, &self.options);
        self.sessions.entry(id).and_modify(|session| session.wire = Wire::Connected(transport));
        self.connections.insert(connection, Connection::Session(id));
        self.schedule.write(connection);
        self.session_connected(id, now, events);
        self.hand_over(id);
        self.begins_to_read(id);
    }

    /// Tells a connection why it can't stay.
    fn turn_away(&mut self, connection: ConnectionId, mut channel: Channel, name: Option<&str>, reason: &str) {
        message::write(name, "error", reason.as_bytes(), None, channel.text.end());
        self.connections.insert(connection, Connection::Ending(channel.text));
        self.schedule.write(connection);
    }

    /// Whether there is a place for another client. One that is away gives its place up.
    fn make_room(&mut self, now: Instant, events: &mut dyn Events) -> bool {
        while self.sessions.len() >= self.options.max_clients {
            let Some(least) = self.away.least() else { return false };
            self.end_session(least, now, events);
        }
        true
    }

    /// Says that the session goes on and how much was received of it, or that it is a new one.
    fn welcome(&self, name: &str, uuid: &str, version: u32, received: Option<u64>, text: &mut Text) {
        let welcome = Welcome {
            version,
            server: uuid.to_owned(),
            resumed: received.is_some(),
            received: received.unwrap_or_default(),
            limit: self.options.limit as u64,
        };
        handshake::write(Some(name), uuid, Some(&welcome), text.end());
    }

    fn session_connected(&mut self, id: SessionId, now: Instant, events: &mut dyn Events) {
        self.discovered = None;
        let Some(session) = self.sessions.get_mut(&id) else { return };
        session.since = now;
        log!(self.verbose, "SERVER CONNECT", session.name, "as {}", session.uuid);
        let Session { name, uuid, peer, .. } = session;
        events.event(Event::SessionConnected { session: id, name, uuid, peer: *peer });
    }
}

fn frames(connection: ConnectionId, version: u32, welcome: Text, options: &Options) -> Transport {
    let inbox = Inbox::new(options.limit).speaking(version).leaving_texts(options.parses_texts);
    Transport::frames(connection, inbox, welcome)
}
