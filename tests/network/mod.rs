//! A server and clients connected in memory: a driver without sockets, which transmits bytes when it is told to.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion")]

mod pipe;
mod random;
mod raw;
mod recorded;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use ipcio::driver::client::{self, Client, Outgoing};
use ipcio::driver::domain::Domain;
use ipcio::driver::machine::{Action, ConnectionId, Credentials, Event, ListenerId, Machine, Payload};
use ipcio::driver::protocol::frame::Kind;
use ipcio::driver::server::{self, Server};
use ipcio::driver::trust::{Others, Trust};
use ipcio::{Code, Error};

pub(crate) use pipe::Pipe;
pub(crate) use random::Random;
pub(crate) use raw::Raw;
pub(crate) use recorded::Recorded;

/// The handler that the server and every client have.
pub(crate) const COMMAND: &str = "note";

/// One of the two ends of a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Server,
    Client(usize),
}

/// A server, clients and the connections between them, at one point in time.
pub(crate) struct Network {
    pub(crate) now: Instant,
    pub(crate) random: Random,
    pub(crate) server: Option<Server>,
    pub(crate) server_options: server::Options,
    pub(crate) clients: Vec<Client>,
    pub(crate) pipes: Vec<Pipe>,
    /// The events of the server and of each client that were not taken yet.
    pub(crate) server_recorded: Vec<Recorded>,
    pub(crate) recorded: Vec<Vec<Recorded>>,
    /// The reasons for which clients have waited.
    pub(crate) waits: Vec<(usize, Code)>,
    /// How many bytes a connection takes before it blocks.
    pub(crate) capacity: usize,
    /// The user that both sides see at the other end.
    pub(crate) uid: u32,
    /// One of this many writes of the server is its last.
    pub(crate) mortality: Option<usize>,
    /// Connections of peers without a machine.
    pub(crate) raws: Vec<Raw>,
    control: Option<ListenerId>,
    /// Where the server listens for one client of protocol 1.
    private: Vec<(ListenerId, PathBuf)>,
}

pub(crate) fn trust() -> Trust {
    Trust { own: 1, others: Others::These(Vec::new()) }
}

pub(crate) fn credentials() -> Credentials {
    Credentials::new(1, 1, 1)
}

pub(crate) fn domain() -> Domain {
    Domain::new("network").unwrap()
}

pub(crate) fn server_options() -> server::Options {
    server::Options {
        domain: domain(),
        trust: trust(),
        limit: 1 << 20,
        max_clients: 100,
        away_limit: 1 << 30,
        handshake_timeout: Duration::from_secs(10),
        slow_consumer_limit: 1 << 30,
        unfinished_limit: 1 << 30,
        max_deliveries: 1 << 18,
        resume_timeout: Duration::from_secs(60),
        close_timeout: Duration::from_secs(5),
        parses_texts: false,
    }
}

pub(crate) fn client_options(name: &str) -> client::Options {
    client::Options {
        name: name.into(),
        domain: domain(),
        trust: trust(),
        limit: 1 << 20,
        queue_limit: 1 << 30,
        close_timeout: Duration::from_secs(5),
        parses_texts: false,
    }
}

impl Network {
    /// A server that is started and no clients. All random choices follow from `seed`.
    pub(crate) fn new(seed: u64) -> Network {
        Network::with_options(seed, server_options())
    }

    pub(crate) fn with_options(seed: u64, server_options: server::Options) -> Network {
        let mut network = Network {
            now: Instant::now(),
            random: Random::new(seed),
            server: None,
            server_options,
            clients: Vec::new(),
            pipes: Vec::new(),
            server_recorded: Vec::new(),
            recorded: Vec::new(),
            waits: Vec::new(),
            capacity: usize::MAX,
            uid: 1,
            mortality: None,
            raws: Vec::new(),
            control: None,
            private: Vec::new(),
        };
        network.start_server();
        network
    }

    pub(crate) fn start_server(&mut self) {
        let mut server = Server::new(self.server_options.clone());
        server.commands().add(&[COMMAND.into()]).unwrap();
        self.control = Some(server.start(self.now).unwrap());
        self.server = Some(server);
    }

    /// The server's process ends. What it has written arrives.
    pub(crate) fn kill_server(&mut self) {
        self.server = None;
        self.control = None;
        self.private.clear();
        self.server_recorded.clear();
        self.raws.iter_mut().for_each(Raw::end);
        for pipe in &mut self.pipes {
            pipe.leave(Side::Server);
        }
    }

    /// A client that connects.
    pub(crate) fn client(&mut self, name: &str) -> usize {
        self.client_with(client_options(name))
    }

    pub(crate) fn client_with(&mut self, options: client::Options) -> usize {
        let mut client = Client::new(options);
        client.commands().add(&[COMMAND.into()]).unwrap();
        client.connect().unwrap();
        self.clients.push(client);
        self.recorded.push(Vec::new());
        let index = self.clients.len() - 1;
        self.flush(Side::Client(index));
        index
    }

    /// The client's process ends, and a new one has its index and name.
    pub(crate) fn restart_client(&mut self, index: usize) {
        for pipe in &mut self.pipes {
            pipe.leave(Side::Client(index));
        }
        let mut client = Client::new(client_options(self.clients[index].name()));
        client.commands().add(&[COMMAND.into()]).unwrap();
        client.connect().unwrap();
        self.clients[index] = client;
        self.recorded[index].clear();
        self.flush(Side::Client(index));
    }

    pub(crate) fn server(&mut self) -> &mut Server {
        self.server.as_mut().expect("the server lives")
    }

    /// Queues a message, to be written by the next flush.
    pub(crate) fn push(&mut self, index: usize, kind: Kind, name: &str, request: u64, text: &str) -> Result<(), Error> {
        self.clients[index].push(&Outgoing {
            kind,
            name,
            command: if kind == Kind::Discover { "" } else { COMMAND },
            payload: Payload::Json(text.as_bytes()),
            request,
        })
    }

    /// [`Network::push`] of a one-way message, which is transmitted to the server and no further.
    pub(crate) fn send_only(&mut self, index: usize, kind: Kind, name: &str, text: &str) {
        self.push(index, kind, name, 0, text).unwrap();
        self.flush(Side::Client(index));
        let pipe = self.pipe_of(index).unwrap();
        self.carry(pipe, Side::Server, usize::MAX);
    }

    /// [`Network::push`], then [`Network::run_until_idle`].
    pub(crate) fn send(&mut self, index: usize, kind: Kind, name: &str, request: u64, text: &str) {
        self.push(index, kind, name, request, text).unwrap();
        self.flush(Side::Client(index));
        self.run_until_idle();
    }

    /// Calls a machine, and carries out its actions.
    pub(crate) fn call<T>(
        &mut self,
        side: Side,
        f: impl FnOnce(&mut dyn Machine, Instant, &mut dyn FnMut(Event<'_>)) -> T,
    ) -> Option<T> {
        let result = self.call_only(side, f);
        self.flush(side);
        result
    }

    /// The events of the server since the last call.
    pub(crate) fn take_server(&mut self) -> Vec<Recorded> {
        std::mem::take(&mut self.server_recorded)
    }

    /// The events of a client since the last call.
    pub(crate) fn take(&mut self, index: usize) -> Vec<Recorded> {
        std::mem::take(&mut self.recorded[index])
    }

    /// Transmits everything until nothing is left to transmit. No time passes.
    pub(crate) fn run_until_idle(&mut self) {
        while let Some(pipe) = (0..self.pipes.len()).find(|&pipe| self.pipes[pipe].is_moving()) {
            if self.server.is_some() {
                self.accept(pipe);
            }
            self.carry(pipe, Side::Server, usize::MAX);
            self.carry(pipe, Side::Client(self.pipes[pipe].client.0), usize::MAX);
        }
    }

    /// Lets time pass, from deadline to deadline.
    pub(crate) fn wait(&mut self, duration: Duration) {
        let until = self.now + duration;
        self.run_until_idle();
        while let Some((at, side)) = self.deadlines().min_by_key(|&(at, _)| at).filter(|&(at, _)| at <= until) {
            self.now = self.now.max(at);
            self.call(side, |machine, now, mut events| machine.elapsed(now, &mut events));
            self.run_until_idle();
        }
        self.now = until;
    }

    /// The deadlines of all machines.
    pub(crate) fn deadlines(&self) -> impl Iterator<Item = (Instant, Side)> {
        let server = self.server.as_ref().and_then(Machine::deadline).map(|at| (at, Side::Server));
        let clients = self.clients.iter().enumerate();
        server.into_iter().chain(clients.filter_map(|(index, client)| Some((client.deadline()?, Side::Client(index)))))
    }

    /// The server accepts the connection, if it has not done so.
    pub(crate) fn accept(&mut self, pipe: usize) {
        let uid = self.uid;
        if self.pipes[pipe].server.is_some() || self.pipes[pipe].to_client.ended {
            return;
        }
        let Some(control) = self.control else { return };
        let accepted = self.call_only(Side::Server, |server, now, mut events| {
            server.accepted(control, Credentials::new(1, uid, 1), now, &mut events)
        });
        match accepted.flatten() {
            Some(connection) => self.pipes[pipe].server = Some(connection),
            None => self.pipes[pipe].leave(Side::Server),
        }
        self.flush(Side::Server);
    }

    /// Transmits up to `count` bytes to `to`, or the end of the connection.
    pub(crate) fn carry(&mut self, pipe: usize, to: Side, count: usize) {
        let Some(connection) = self.pipes[pipe].connection(to) else { return };
        let stream = self.pipes[pipe].stream(to);
        if stream.deaf {
            return;
        }
        if !stream.ended && self.machine(to).is_some_and(|machine| !machine.may_read(connection)) {
            self.pipes[pipe].stream(to).paused = true;
            self.flush(to);
            return;
        }
        let stream = self.pipes[pipe].stream(to);
        stream.paused = false;
        let bytes: Vec<u8> = stream.bytes.drain(..count.min(stream.bytes.len())).collect();
        let ended = stream.ended && stream.bytes.is_empty();
        if !bytes.is_empty() {
            self.call(to, |machine, now, mut events| machine.received(connection, &bytes, now, &mut events));
            self.resume_writing(pipe, to);
        }
        // Dealing with what came may have closed it.
        if ended && !self.pipes[pipe].stream(to).deaf {
            self.pipes[pipe].leave(to);
            self.call(to, |machine, now, mut events| machine.lost(connection, now, &mut events));
        }
    }

    /// The connection breaks, and bytes in transit are lost. Either side learns of it by [`Network::carry`].
    /// The client already has what a dead server had written.
    pub(crate) fn cut(&mut self, pipe: usize) {
        if self.pipes[pipe].to_client.ended {
            return;
        }
        let to_server = self.random.below(self.pipes[pipe].to_server.bytes.len() + 1);
        let to_client = self.random.below(self.pipes[pipe].to_client.bytes.len() + 1);
        let pipe = &mut self.pipes[pipe];
        pipe.to_server.cut(to_server);
        pipe.to_client.cut(to_client);
    }

    /// The pipe that a client uses now.
    pub(crate) fn pipe_of(&self, index: usize) -> Option<usize> {
        (0..self.pipes.len()).rev().find(|&pipe| {
            let pipe = &self.pipes[pipe];
            pipe.client.0 == index && !pipe.to_client.deaf
        })
    }

    /// Carries out all actions of a machine, and writes.
    pub(crate) fn flush(&mut self, side: Side) {
        self.call_only(side, |machine, now, mut events| machine.prepare(now, &mut events));
        loop {
            let Some(machine) = self.machine(side) else { return };
            if let Some(action) = machine.next_action() {
                self.act(side, action);
            } else if let Some(connection) = machine.next_write() {
                if let Some(pipe) = self.pipe(side, connection) {
                    self.write(pipe, side);
                } else if side == Side::Server {
                    self.write_raw(connection);
                }
            } else {
                return;
            }
        }
    }

    fn act(&mut self, side: Side, action: Action) {
        let uid = self.uid;
        match (action, side) {
            (Action::Connect { connection, path }, Side::Client(index)) => {
                if self.control.is_some() && path == self.path() {
                    self.pipes.push(Pipe::new((index, connection)));
                    self.call_only(side, |client, now, mut events| {
                        client.opened(connection, Credentials::new(1, uid, 1), now, &mut events);
                    });
                } else {
                    self.call_only(side, |client, now, mut events| client.lost(connection, now, &mut events));
                }
            }
            (Action::Close(connection), side) => {
                if let Some(pipe) = self.pipe(side, connection) {
                    self.pipes[pipe].leave(side);
                } else if side == Side::Server {
                    self.raws.iter_mut().filter(|raw| raw.is(connection)).for_each(Raw::end);
                }
            }
            (Action::Read(connection), side) => {
                if let Some(pipe) = self.pipe(side, connection) {
                    self.pipes[pipe].stream(side).paused = false;
                }
            }
            (Action::Listen { listener, path }, Side::Server) => self.private.push((listener, path)),
            (Action::StopListening(listener), Side::Server) => {
                self.control = self.control.filter(|&control| control != listener);
                self.private.retain(|&(private, _)| private != listener);
            }
            // Clients of this network come back by themselves, or when a test says so.
            (Action::WatchFor(_) | Action::StopWatching, Side::Client(_)) => {}
            (action, side) => panic!("{side:?} wants {action:?}"),
        }
    }

    /// Writes to a connection as much as it takes.
    pub(crate) fn write(&mut self, pipe: usize, side: Side) {
        let capacity = if self.capacity == usize::MAX { usize::MAX } else { 1 + self.random.below(self.capacity) };
        loop {
            let Some(connection) = self.pipes[pipe].connection(side) else { return };
            let Some(machine) = self.machine(side) else { return };
            let waiting = machine.unwritten(connection).len();
            let stream = self.pipes[pipe].stream_from(side);
            if waiting == 0 || stream.blocked || stream.deaf || stream.ended {
                return;
            }
            let room = if stream.full { 0 } else { capacity.saturating_sub(stream.bytes.len()) };
            if room == 0 {
                stream.blocked = true;
                return;
            }
            let count = room.min(waiting);
            let Some(machine) = self.machine(side) else { return };
            let bytes = machine.unwritten(connection)[..count].to_vec();
            self.pipes[pipe].stream_from(side).bytes.extend_from_slice(&bytes);
            self.call_only(side, |machine, now, mut events| machine.written(connection, count, now, &mut events));
            if side == Side::Server && self.dies() {
                return;
            }
        }
    }

    /// `reader` has read, so there is room again.
    fn resume_writing(&mut self, pipe: usize, reader: Side) {
        let writer = if reader == Side::Server { Side::Client(self.pipes[pipe].client.0) } else { Side::Server };
        if std::mem::take(&mut self.pipes[pipe].stream(reader).blocked) {
            self.write(pipe, writer);
            self.flush(writer);
        }
    }

    /// Whether that write was the server's last.
    fn dies(&mut self) -> bool {
        let dies = self.mortality.is_some_and(|mortality| self.random.one_in(mortality));
        if dies {
            self.kill_server();
        }
        dies
    }

    fn call_only<T>(
        &mut self,
        side: Side,
        f: impl FnOnce(&mut dyn Machine, Instant, &mut dyn FnMut(Event<'_>)) -> T,
    ) -> Option<T> {
        let now = self.now;
        match side {
            Side::Server => {
                let recorded = &mut self.server_recorded;
                self.server.as_mut().map(|server| f(server, now, &mut |event| recorded.push(Recorded::from(event))))
            }
            Side::Client(index) => {
                let recorded = &mut self.recorded[index];
                let waits = &mut self.waits;
                Some(f(&mut self.clients[index], now, &mut |event| match event {
                    Event::Waiting { error } => waits.push((index, error.code())),
                    event => recorded.push(Recorded::from(event)),
                }))
            }
        }
    }

    fn machine(&mut self, side: Side) -> Option<&mut dyn Machine> {
        match side {
            Side::Server => self.server.as_mut().map(|server| server as &mut dyn Machine),
            Side::Client(index) => Some(&mut self.clients[index]),
        }
    }

    fn pipe(&self, side: Side, connection: ConnectionId) -> Option<usize> {
        (0..self.pipes.len()).rev().find(|&pipe| {
            let pipe = &self.pipes[pipe];
            match side {
                Side::Server => pipe.server == Some(connection) && !pipe.to_server.deaf,
                Side::Client(index) => pipe.client == (index, connection) && !pipe.to_client.deaf,
            }
        })
    }

    fn path(&self) -> PathBuf {
        self.server_options.domain.control()
    }
}
