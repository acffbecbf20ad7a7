//! What a client does: connect, queue, deliver, and connect again. A state machine without I/O.

mod connection;
mod deliveries;
mod held;
mod incoming;
mod machine;
mod outgoing;
mod outstanding;
mod retained;
mod schedule;
mod state;
mod waiting;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::backoff::Backoff;
use crate::commands::{self, Commands};
use crate::domain::Domain;
use crate::error::{self, Code, Error};
use crate::machine::{Action, Events, Payload, SessionId};
use crate::protocol::ProtocolError;
use crate::protocol::frame::{self, Flags, Frame, Kind};
use crate::protocol::handshake;
use crate::sequence::Sequence;
use crate::transport::Transport;
use crate::trust::Trust;

use deliveries::{Deliveries, Place};
use held::Held;
use retained::Retained;
use schedule::Schedule;
use state::State;

/// The only session of a client: its server.
pub const SERVER: SessionId = SessionId(0);

/// How long a server may take to answer the handshake before the client tries again.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How long it may take before the client says what it waits for.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a client is made with.
#[derive(Clone, Debug)]
pub struct Options {
    /// The name under which others reach it.
    pub name: String,
    /// Where its server is.
    pub domain: Domain,
    /// Whom it takes for its server.
    pub trust: Trust,
    /// The largest payload, in bytes; no more than [`frame::LARGEST_PAYLOAD`] counts.
    pub limit: usize,
    /// The most that is kept of what waits to be sent, acknowledged or answered, in bytes.
    pub queue_limit: usize,
    /// How long [`Client::close`] waits for what is under way.
    pub close_timeout: Duration,
    /// Whether the application parses each large JSON text by itself, and calls [`Client::reject_payload`] where it can't. If so, it
    /// gets these unchecked, as [`Payload::Text`].
    pub parses_texts: bool,
}

/// A client.
#[derive(Debug)]
pub struct Client {
    options: Options,
    /// Whether its events are shown to the user.
    pub verbose: bool,
    commands: Commands,
    state: State,
    sequence: Sequence,
    deliveries: Deliveries,
    held: Held,
    retained: Retained,
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
    schedule: Schedule,
    /// Deliveries that the application has not answered yet.
    asked: usize,
    /// What it waits for, as far as it has said so.
    reason: Option<Error>,
    /// Whether a message was refused for want of room, and no event has told of room since.
    full: bool,
}

/// A message that a client sends.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// [`Kind::Send`], [`Kind::Emit`], [`Kind::Broadcast`], [`Kind::Request`] or [`Kind::Discover`].
    pub kind: Kind,
    /// The name of the receiving client; empty for the server and for broadcasts.
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
        let limit = options.limit.min(frame::LARGEST_PAYLOAD);
        Client {
            options: Options { limit, ..options },
            verbose: false,
            commands: Commands::default(),
            state: State::Idle,
            sequence: Sequence::default(),
            deliveries: Deliveries::default(),
            held: Held::default(),
            retained: Retained::default(),
            session: handshake::random_hex(),
            server: None,
            uuid: None,
            limit,
            established: false,
            backoff: Backoff::new(uuid::Uuid::new_v4().as_u64_pair().1),
            next_connection: 0,
            actions: VecDeque::new(),
            schedule: Schedule::default(),
            asked: 0,
            reason: None,
            full: false,
        }
    }

    /// Waits so long between attempts to connect.
    #[cfg(test)]
    pub(crate) fn set_backoff(&mut self, backoff: Backoff) {
        self.backoff = backoff;
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
        self.state.is_connected()
    }

    /// Why it is not connected though it tries to be, as far as is known: [`Event::Waiting`] has said so.
    ///
    /// [`Event::Waiting`]: crate::machine::Event::Waiting
    pub fn waits_for(&self) -> Option<&Error> {
        self.reason.as_ref()
    }

    /// What waits to be sent, acknowledged or answered: how many messages, and their size in bytes.
    pub fn queued(&self) -> (usize, usize) {
        (self.sequence.outbox.len() as usize + self.retained.len(), self.kept())
    }

    /// How many bytes of messages are taken before [`Client::push`] refuses one.
    pub fn queue_space(&self) -> usize {
        self.options.queue_limit.saturating_sub(self.kept())
    }

    fn kept(&self) -> usize {
        self.sequence.outbox.size() + self.retained.size()
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
                "The client is already connected or connecting; call close() and wait for it before you connect again.",
            ));
        }
        self.session = handshake::random_hex();
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
    /// [`Code::MessageTooLarge`], [`Code::QueueFull`], [`Code::RestrictedCommand`], [`Code::InvalidArgument`]; nothing is
    /// queued then.
    ///
    /// [`Event::Answer`]: crate::machine::Event::Answer
    /// [`Event::Rejected`]: crate::machine::Event::Rejected
    /// [`Event::Settled`]: crate::machine::Event::Settled
    pub fn push(&mut self, outgoing: &Outgoing<'_>) -> Result<(), Error> {
        commands::check(outgoing.command)?;
        commands::check_length(outgoing.name)?;
        let (payload, flags) = outgoing.payload.parts();
        if payload.len() > self.limit {
            return Err(error::too_large(payload.len(), self.limit));
        }
        // One at least is always taken, whatever its size.
        if payload.len() > self.queue_space() && self.kept() > 0 {
            self.full = true;
            return Err(error::queue_full(self.options.queue_limit));
        }
        self.queue_message(outgoing, outgoing.request, payload, flags);
        Ok(())
    }

    /// Queues a message for each of `texts`, which are JSON and no larger than [`Client::limit`] was when they were
    /// taken up; all of them have [`Client::queue_space`]. All go where `first` goes, for which [`Client::push`] would find nothing to refuse; its payload is
    /// not looked at. Deliveries have numbers that follow each other.
    pub fn push_run<'a>(&mut self, first: &Outgoing<'_>, texts: impl Iterator<Item = &'a [u8]>) {
        for (number, text) in (first.request..).zip(texts) {
            let request = if first.request == 0 { 0 } else { number };
            self.queue_message(first, request, text, Flags::default());
        }
    }

    /// The largest payload that is taken, in bytes.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Answers a delivery that a handler was called for. It is dropped once the client has closed.
    pub fn respond(&mut self, request: u64, outcome: Result<Payload<'_>, Payload<'_>>) {
        if !self.is_started() {
            return;
        }
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

    /// The time of a delivery that was just queued is over then: [`Event::TimedOut`] follows where it has no answer by then.
    ///
    /// [`Event::TimedOut`]: crate::machine::Event::TimedOut
    pub fn limit_time(&mut self, request: u64, end: Instant) {
        self.deliveries.limit(request, end);
    }

    /// Whether a driver must run it: it is started, or the time of a delivery runs.
    pub fn is_active(&self) -> bool {
        self.is_started() || self.deliveries.limits().len() > 0
    }

    /// The application does not wait for the answer to a delivery any more. What has not been written is withdrawn.
    pub fn cancel(&mut self, request: u64) {
        let Some(place) = self.deliveries.end(request, &mut self.retained) else { return };
        if let Place::Queued(place) = place {
            let deliveries = &mut self.deliveries;
            if self.sequence.outbox.withdraw(place, |request, place| deliveries.moved(request, place)) {
                return;
            }
            // The previous server may have received what was written to it.
            if !self.is_connected() {
                self.sequence.outbox.make_void(place);
            }
        }
        self.queue(&Frame::bare(Kind::Cancel, request));
    }

    /// Ends the connection, which is made anew after a while.
    pub fn disconnect(&mut self, now: Instant, events: &mut dyn Events) {
        let transport = self.state.transport().filter(|_| self.state.is_reading());
        if let Some(connection) = transport.map(Transport::first) {
            self.actions.push_back(Action::Close(connection));
            self.disconnected(connection, now, events);
        }
    }

    /// What the server sent is no JSON, see [`Options::parses_texts`]: its connection fails.
    pub fn reject_payload(&mut self, now: Instant, events: &mut dyn Events) {
        if let State::Connected(transport) | State::Closing(transport, _) = &self.state {
            self.fail(transport.first(), &ProtocolError::InvalidPayload, now, events);
        }
    }

    /// Stops: what is queued is still sent if the connection stands. Complete with [`Event::Closed`], after
    /// which whatever was not settled never will be.
    ///
    /// [`Event::Closed`]: crate::machine::Event::Closed
    pub fn close(&mut self, now: Instant, events: &mut dyn Events) {
        self.state = match std::mem::replace(&mut self.state, State::Idle) {
            State::Connected(transport) => State::Closing(transport, now + self.options.close_timeout),
            state => state,
        };
        if self.state.is_closing() {
            self.close_if_done(events);
        } else {
            self.stop(events);
        }
    }
}
