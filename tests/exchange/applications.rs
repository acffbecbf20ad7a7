//! What the applications around the machines do and know.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use crate::network::{self, Network, Recorded, Side};
use crate::old_client::OldClient;
use crate::strangers;
use ipcio::driver::machine::{Payload, SessionId};
use ipcio::driver::protocol::frame::Kind;

pub(crate) const CLIENTS: usize = 4;

/// The server's place beside those of the clients, and that of the client of protocol 1.
pub(crate) const SERVER: usize = CLIENTS;
pub(crate) const OLD: usize = CLIENTS + 1;

/// A message as its receivers know it: who sent it, and its number there.
pub(crate) type Note = (String, u64);

/// What the applications around the machines know.
pub(crate) struct Applications {
    pub(crate) network: Network,
    /// Messages that no handler was called for yet, of the server and of each client.
    pub(super) inboxes: Vec<VecDeque<Recorded>>,
    /// Deliveries whose handlers have not answered yet.
    pub(super) unanswered: Vec<(usize, SessionId, u64, String)>,
    /// One-way messages without an acknowledgement, in their order.
    pub(super) promises: Vec<VecDeque<u64>>,
    /// Deliveries without an answer, and what the answer should be.
    pub(super) deliveries: Vec<HashMap<u64, String>>,
    /// One-way messages that the server has said to have received.
    pub(crate) settled: HashSet<u64>,
    pub(crate) failed: HashSet<Note>,
    pub(crate) cancelled: HashSet<Note>,
    pub(crate) sent: Vec<(Note, Kind, Vec<usize>)>,
    /// By receiver and sender: the numbers in the order in which handlers were called, and whether the
    /// messages were marked as redelivered.
    pub(crate) seen: HashMap<(usize, String), Vec<(u64, bool)>>,
    /// Clients that take no part for now, as processes that were stopped.
    pub(super) stopped: [bool; CLIENTS],
    /// Clients that close.
    pub(super) closing: [bool; CLIENTS],
    /// Whether clients may have left for good.
    pub(crate) may_leave: bool,
    pub(super) old: OldClient,
    /// Connections of those who mean no good.
    pub(super) strangers: Vec<usize>,
    /// Whether messages may be dropped that are sent again later, behind others that were sent after them.
    pub(crate) drops: bool,
    /// Whether some messages are large.
    pub(crate) large: bool,
    /// Whether all applications have paused.
    pub(super) quiet: bool,
    /// What the server has asked and has no answer to, and what the answer should be.
    pub(super) asked: HashMap<u64, String>,
    pub(super) server_has_closed: bool,
    next: u64,
}

pub(crate) fn name(index: usize) -> String {
    match index {
        SERVER => String::new(),
        OLD => "old".to_owned(),
        _ => format!("client-{index}"),
    }
}

impl Applications {
    pub(crate) fn new(seed: u64) -> Applications {
        Applications::with_options(seed, network::server_options())
    }

    /// All are connected, and nothing has been sent.
    pub(crate) fn with_options(seed: u64, options: ipcio::driver::server::Options) -> Applications {
        let mut network = Network::with_options(seed, options);
        for index in 0..CLIENTS {
            network.client(&name(index));
        }
        network.run_until_idle();
        let mut applications = Applications {
            network,
            inboxes: vec![VecDeque::new(); CLIENTS + 1],
            unanswered: Vec::new(),
            promises: vec![VecDeque::new(); CLIENTS],
            deliveries: vec![HashMap::new(); CLIENTS],
            settled: HashSet::new(),
            failed: HashSet::new(),
            cancelled: HashSet::new(),
            sent: Vec::new(),
            seen: HashMap::new(),
            stopped: [false; CLIENTS],
            closing: [false; CLIENTS],
            may_leave: false,
            old: OldClient::default(),
            strangers: Vec::new(),
            drops: false,
            large: false,
            quiet: false,
            asked: HashMap::new(),
            server_has_closed: false,
            next: 0,
        };
        applications.old_client_catches_up();
        applications
    }

    /// One thing happens.
    pub(crate) fn step(&mut self) {
        self.listen();
        if self.network.server.is_none() {
            self.bury_server();
        }
        let client = self.network.random.below(CLIENTS);
        match self.network.random.below(20) {
            0..=4 | 5 | 13 | 14 | 17 | 18 if self.stopped[client] => {}
            0..=4 => self.client_sends(client),
            5 => self.network.flush(Side::Client(client)),
            6..=11 => self.something_arrives(),
            12 => self.handle(SERVER),
            13 | 14 => self.handle(client),
            15 => self.answer(),
            16 => {
                let duration = Duration::from_millis(self.network.random.below(4) as u64);
                self.time_passes(duration);
            }
            17 if self.network.pipe_of(client).is_none() => {
                self.network.clients[client].look_again();
                self.network.flush(Side::Client(client));
            }
            18 if self.network.random.one_in(8) => self.cancel(client),
            19 => self.old_client_acts(),
            _ => {}
        }
        self.listen();
        if self.network.random.one_in(60) {
            self.server_asks();
        }
    }

    fn client_sends(&mut self, client: usize) {
        if self.closing[client] || self.quiet {
            return;
        }
        let (number, text) = self.next_message();
        let target = [0, 1, 2, 3, OLD][self.network.random.below(CLIENTS + 1)];
        let others = [0, 1, 2, 3, OLD].into_iter().filter(|&other| other != client).collect();
        let (kind, name_of_target, receivers) = match self.network.random.below(20) {
            0..=5 => (Kind::Send, name(SERVER), vec![SERVER]),
            6..=11 => (Kind::Emit, name(target), vec![target]),
            12 | 13 => (Kind::Broadcast, String::new(), others),
            14..=16 => (Kind::Request, name(SERVER), vec![SERVER]),
            17 | 18 => (Kind::Request, name(target), vec![target]),
            _ => (Kind::Discover, String::new(), Vec::new()),
        };
        let request = if matches!(kind, Kind::Request | Kind::Discover) { number } else { 0 };
        self.push(client, kind, &name_of_target, request, &text);
        if request == 0 {
            self.promises[client].push_back(number);
        } else {
            let answer = if kind == Kind::Request { text } else { String::new() };
            self.deliveries[client].insert(request, answer);
            if self.network.random.one_in(6) {
                let end = self.network.now + Duration::from_millis(self.network.random.below(60) as u64);
                self.network.clients[client].limit_time(request, end);
            }
        }
        self.sent.push(((name(client), number), kind, receivers));
        if self.network.random.one_in(2) {
            self.network.flush(Side::Client(client));
        }
    }

    /// A number that no other message has, and what it says.
    pub(super) fn next_message(&mut self) -> (u64, String) {
        self.next += 1;
        let large = if self.large && self.network.random.one_in(20) { 60 } else { 1 };
        let padding = "x".repeat(self.network.random.below(60) * self.network.random.below(60) * large);
        (self.next, format!("[{},\"{padding}\"]", self.next))
    }

    fn push(&mut self, client: usize, kind: Kind, target: &str, request: u64, text: &str) {
        let text = if kind == Kind::Discover { "null" } else { text };
        self.network.push(client, kind, target, request, text).unwrap();
    }

    /// The server's own messages, which are not kept when it dies.
    pub(crate) fn server_sends(&mut self) {
        if self.network.server.is_none() {
            return;
        }
        self.next += 1;
        let number = self.next;
        let text = format!("[{number},\"\"]");
        let target = [0, 1, 2, 3, OLD][self.network.random.below(CLIENTS + 1)];
        let server = self.network.server.as_mut().unwrap();
        let (kind, receivers) = if number.is_multiple_of(3) {
            server.broadcast(network::COMMAND, Payload::Json(text.as_bytes()), Some(&name(target))).unwrap();
            (Kind::Broadcast, [0, 1, 2, 3, OLD].into_iter().filter(|&other| other != target).collect())
        } else {
            server.emit(&name(target), network::COMMAND, Payload::Json(text.as_bytes()), None).unwrap();
            (Kind::Emit, vec![target])
        };
        self.sent.push(((name(SERVER), number), kind, receivers));
        self.network.flush(Side::Server);
    }

    /// The server asks one of its clients.
    fn server_asks(&mut self) {
        if self.network.server.is_none() || self.quiet {
            return;
        }
        let (number, text) = self.next_message();
        let target = [0, 1, 2, 3, OLD][self.network.random.below(CLIENTS + 1)];
        let end = self.network.now + Duration::from_millis(self.network.random.below(60) as u64);
        let (is_limited, now) = (self.network.random.one_in(4), self.network.now);
        let server = self.network.server.as_mut().unwrap();
        // Those that are not there are not asked.
        if server.ask(&name(target), network::COMMAND, Payload::Json(text.as_bytes()), number, now).is_ok() {
            if is_limited {
                server.limit_time(number, end);
            }
            self.asked.insert(number, text);
            self.sent.push(((name(SERVER), number), Kind::Request, vec![target]));
        }
        if let Some(&given_up) = self.asked.keys().min().filter(|_| self.network.random.one_in(8)) {
            self.asked.remove(&given_up);
            self.cancelled.insert((name(SERVER), given_up));
            self.network.server().cancel(given_up);
        }
        self.network.flush(Side::Server);
    }

    fn something_arrives(&mut self) {
        self.network.pipes.retain(|pipe| !pipe.is_closed());
        let moving: Vec<usize> =
            (0..self.network.pipes.len()).filter(|&pipe| self.network.pipes[pipe].is_moving()).collect();
        if moving.is_empty() {
            return;
        }
        let pipe = moving[self.network.random.below(moving.len())];
        if self.network.server.is_some() {
            self.network.accept(pipe);
        }
        let count = match self.network.random.below(4) {
            0 => self.network.random.below(30),
            1 => self.network.random.below(1000),
            _ => usize::MAX,
        };
        let to_server = self.network.random.one_in(2);
        let client = self.network.pipes[pipe].client.0;
        if !to_server && self.stopped[client] {
            return;
        }
        let side = if to_server { Side::Server } else { Side::Client(client) };
        self.network.carry(pipe, side, count);
    }

    /// A handler is called.
    pub(super) fn handle(&mut self, receiver: usize) {
        let Some(message) = self.inboxes[receiver].pop_front() else { return };
        let Recorded::Message { session, from, request, redelivered, payload, receipt } = message else {
            unreachable!()
        };
        if !from.starts_with(strangers::NAME) {
            self.seen.entry((receiver, from)).or_default().push((number_of(&payload), redelivered));
        }
        let side = side(receiver);
        if self.network.random.one_in(2) {
            self.network.call(side, |machine, now, _| machine.handled(session, receipt, now));
        } else if receiver == SERVER {
            let now = self.network.now;
            ipcio::driver::machine::Machine::handled(self.network.server(), session, receipt, now);
        } else {
            let now = self.network.now;
            ipcio::driver::machine::Machine::handled(&mut self.network.clients[receiver], session, receipt, now);
        }
        if let Some(request) = request {
            self.unanswered.push((receiver, session, request, payload));
        }
    }

    pub(super) fn answer(&mut self) {
        if self.unanswered.is_empty() {
            return;
        }
        let which = self.network.random.below(self.unanswered.len());
        let who = self.unanswered[which].0;
        if who != SERVER && self.stopped[who] {
            return;
        }
        let (who, session, request, text) = self.unanswered.swap_remove(which);
        let outcome = Ok(Payload::Json(text.as_bytes()));
        if who == SERVER {
            self.network.server().respond(session, request, outcome);
        } else {
            self.network.clients[who].respond(request, outcome);
        }
        self.network.flush(side(who));
    }

    fn cancel(&mut self, client: usize) {
        let mut requests: Vec<u64> = self.deliveries[client].keys().copied().collect();
        requests.sort_unstable();
        if requests.is_empty() {
            return;
        }
        let request = requests[self.network.random.below(requests.len())];
        self.deliveries[client].remove(&request);
        self.cancelled.insert((name(client), request));
        self.network.clients[client].cancel(request);
        self.network.flush(Side::Client(client));
    }

    /// So much time that clients without a connection may be taken to be gone.
    pub(crate) fn time_leaps(&mut self) {
        self.may_leave = true;
        let duration = Duration::from_millis(self.network.random.below(5_000) as u64);
        self.time_passes(duration);
    }

    /// When clients without a connection try again is left to chance, not to their clocks.
    fn time_passes(&mut self, duration: Duration) {
        self.network.now += duration;
        let now = self.network.now;
        let due: Vec<Side> = self.network.deadlines().filter(|&(at, _)| at <= now).map(|(_, side)| side).collect();
        for side in due {
            if matches!(side, Side::Client(index) if self.stopped[index] || self.network.pipe_of(index).is_none()) {
                continue;
            }
            self.network.call(side, |machine, now, mut events| machine.elapsed(now, &mut events));
        }
    }
}

pub(crate) fn side(index: usize) -> Side {
    if index == SERVER { Side::Server } else { Side::Client(index) }
}

pub(crate) fn number_of(payload: &str) -> u64 {
    payload.trim_start_matches('[').split(',').next().unwrap().parse().unwrap()
}
