//! What the applications around the machines do and know.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use crate::world::{self, Said, Side, World};
use ipcio::error::Code;
use ipcio::machine::{Payload, SessionId};
use ipcio::protocol::frame::Kind;

pub(crate) const CLIENTS: usize = 4;

/// A message as its receivers know it: who sent it, and its number there.
pub(crate) type Note = (String, u64);

/// What the applications around the machines know.
pub(crate) struct Play {
    pub(crate) world: World,
    /// Messages that no handler was called for yet, of the server and of each client.
    inboxes: Vec<VecDeque<Said>>,
    /// Deliveries whose handlers have not answered yet.
    unanswered: Vec<(usize, SessionId, u64, String)>,
    /// One-way messages without an acknowledgement, in their order.
    promises: Vec<VecDeque<u64>>,
    /// Deliveries without an answer, and what the answer should be.
    deliveries: Vec<HashMap<u64, String>>,
    /// One-way messages that the server has said to have received.
    pub(crate) settled: HashSet<u64>,
    pub(crate) failed: HashSet<Note>,
    pub(crate) cancelled: HashSet<Note>,
    pub(crate) sent: Vec<(Note, Kind, Vec<usize>)>,
    /// By receiver and sender: the numbers in the order in which handlers were called, and whether the
    /// messages were marked as redelivered.
    pub(crate) seen: HashMap<(usize, String), Vec<(u64, bool)>>,
    has_restarted: bool,
    next: u64,
}

/// The server's place beside those of the clients.
const SERVER: usize = CLIENTS;

fn name(index: usize) -> String {
    if index == SERVER { String::new() } else { format!("client-{index}") }
}

impl Play {
    pub(crate) fn new(seed: u64) -> Play {
        let mut world = World::new(seed);
        for index in 0..CLIENTS {
            world.client(&name(index));
        }
        Play {
            world,
            inboxes: vec![VecDeque::new(); CLIENTS + 1],
            unanswered: Vec::new(),
            promises: vec![VecDeque::new(); CLIENTS],
            deliveries: vec![HashMap::new(); CLIENTS],
            settled: HashSet::new(),
            failed: HashSet::new(),
            cancelled: HashSet::new(),
            sent: Vec::new(),
            seen: HashMap::new(),
            has_restarted: false,
            next: 0,
        }
    }

    /// One thing happens.
    pub(crate) fn step(&mut self) {
        let client = self.world.random.below(CLIENTS);
        match self.world.random.below(20) {
            0..=4 => self.client_sends(client),
            5 => self.world.flush(Side::Client(client)),
            6..=11 => self.something_arrives(),
            12 => self.handle(SERVER),
            13 | 14 => self.handle(client),
            15 => self.answer(),
            16 => self.time_passes(),
            17 if self.world.pipe_of(client).is_none() => {
                self.world.clients[client].look_again();
                self.world.flush(Side::Client(client));
            }
            18 if self.world.random.one_in(8) => self.cancel(client),
            _ => {}
        }
        self.listen();
    }

    fn client_sends(&mut self, client: usize) {
        self.next += 1;
        let number = self.next;
        let target = self.world.random.below(CLIENTS);
        let others = (0..CLIENTS).filter(|&other| other != client).collect();
        let (kind, name_of_target, receivers) = match self.world.random.below(20) {
            0..=5 => (Kind::Send, name(SERVER), vec![SERVER]),
            6..=11 => (Kind::Emit, name(target), vec![target]),
            12 | 13 => (Kind::Broadcast, String::new(), others),
            14..=16 => (Kind::Request, name(SERVER), vec![SERVER]),
            17 | 18 => (Kind::Request, name(target), vec![target]),
            _ => (Kind::Discover, String::new(), Vec::new()),
        };
        let padding = "x".repeat(self.world.random.below(60) * self.world.random.below(60));
        let text = format!("[{number},\"{padding}\"]");
        let request = if matches!(kind, Kind::Request | Kind::Discover) { number } else { 0 };
        self.push(client, kind, &name_of_target, request, &text);
        if request == 0 {
            self.promises[client].push_back(number);
        } else {
            let answer = if kind == Kind::Request { text } else { String::new() };
            self.deliveries[client].insert(request, answer);
        }
        self.sent.push(((name(client), number), kind, receivers));
        if self.world.random.one_in(2) {
            self.world.flush(Side::Client(client));
        }
    }

    fn push(&mut self, client: usize, kind: Kind, target: &str, request: u64, text: &str) {
        let text = if kind == Kind::Discover { "null" } else { text };
        self.world.push(client, kind, target, request, text).unwrap();
    }

    /// The server's own messages, which are not kept when it dies.
    pub(crate) fn server_sends(&mut self) {
        if self.world.server.is_none() {
            return;
        }
        self.next += 1;
        let number = self.next;
        let text = format!("[{number},\"\"]");
        let target = self.world.random.below(CLIENTS);
        let server = self.world.server.as_mut().unwrap();
        let (kind, receivers) = if number.is_multiple_of(3) {
            server.broadcast(world::COMMAND, Payload::Json(text.as_bytes()), Some(&name(target))).unwrap();
            (Kind::Broadcast, (0..CLIENTS).filter(|&other| other != target).collect())
        } else {
            server.emit(&name(target), world::COMMAND, Payload::Json(text.as_bytes()), None).unwrap();
            (Kind::Emit, vec![target])
        };
        self.sent.push(((name(SERVER), number), kind, receivers));
        self.world.flush(Side::Server);
    }

    fn something_arrives(&mut self) {
        self.world.pipes.retain(|pipe| !pipe.is_closed());
        let moving: Vec<usize> =
            (0..self.world.pipes.len()).filter(|&pipe| self.world.pipes[pipe].is_moving()).collect();
        if moving.is_empty() {
            return;
        }
        let pipe = moving[self.world.random.below(moving.len())];
        if self.world.server.is_some() {
            self.world.accept(pipe);
        }
        let count = match self.world.random.below(4) {
            0 => self.world.random.below(30),
            1 => self.world.random.below(1000),
            _ => usize::MAX,
        };
        let to_server = self.world.random.one_in(2);
        let side = if to_server { Side::Server } else { Side::Client(self.world.pipes[pipe].client.0) };
        self.world.carry(pipe, side, count);
    }

    /// A handler is called.
    fn handle(&mut self, receiver: usize) {
        let Some(message) = self.inboxes[receiver].pop_front() else { return };
        let Said::Message { session, from, request, redelivered, payload, receipt } = message else { unreachable!() };
        let number = number_of(&payload);
        self.seen.entry((receiver, from)).or_default().push((number, redelivered));
        let side = side(receiver);
        if self.world.random.one_in(2) {
            self.world.call(side, |machine, now, _| machine.handled(session, receipt, now));
        } else if receiver == SERVER {
            let now = self.world.now;
            ipcio::machine::Machine::handled(self.world.server(), session, receipt, now);
        } else {
            let now = self.world.now;
            ipcio::machine::Machine::handled(&mut self.world.clients[receiver], session, receipt, now);
        }
        if let Some(request) = request {
            self.unanswered.push((receiver, session, request, payload));
        }
    }

    fn answer(&mut self) {
        if self.unanswered.is_empty() {
            return;
        }
        let which = self.world.random.below(self.unanswered.len());
        let (who, session, request, text) = self.unanswered.swap_remove(which);
        let outcome = Ok(Payload::Json(text.as_bytes()));
        if who == SERVER {
            self.world.server().respond(session, request, outcome);
        } else {
            self.world.clients[who].respond(request, outcome);
        }
        self.world.flush(side(who));
    }

    fn cancel(&mut self, client: usize) {
        let mut requests: Vec<u64> = self.deliveries[client].keys().copied().collect();
        requests.sort_unstable();
        if requests.is_empty() {
            return;
        }
        let request = requests[self.world.random.below(requests.len())];
        self.deliveries[client].remove(&request);
        self.cancelled.insert((name(client), request));
        self.world.clients[client].cancel(request);
        self.world.flush(Side::Client(client));
    }

    /// A little time. When clients without a connection try again is left to chance, not to their clocks.
    fn time_passes(&mut self) {
        self.world.now += Duration::from_millis(self.world.random.below(4) as u64);
        let now = self.world.now;
        let due: Vec<Side> = self.world.deadlines().filter(|&(at, _)| at <= now).map(|(_, side)| side).collect();
        for side in due {
            if matches!(side, Side::Client(index) if self.world.pipe_of(index).is_none()) {
                continue;
            }
            self.world.call(side, |machine, now, mut events| machine.elapsed(now, &mut events));
        }
    }

    /// Takes in what the machines have said.
    fn listen(&mut self) {
        for said in self.world.take_server() {
            if matches!(said, Said::Message { .. }) {
                self.inboxes[SERVER].push_back(said);
            } else if matches!(said, Said::SessionEnded { .. } | Said::Closed) {
                assert!(self.has_restarted, "no client left for good, but {said:?}");
            }
        }
        for client in 0..CLIENTS {
            for said in self.world.take(client) {
                match said {
                    Said::Message { .. } => self.inboxes[client].push_back(said),
                    Said::Settled(count) => {
                        assert!(count <= self.promises[client].len() as u64, "more was settled than was sent");
                        self.settled.extend(self.promises[client].drain(..count as usize));
                    }
                    Said::Answer { request, outcome } => self.answered(client, request, outcome),
                    Said::Connected | Said::Disconnected => {}
                    // The end of the process before is not known yet.
                    Said::Refused(Code::NameTaken) if self.has_restarted => {
                        self.forget(client);
                        self.world.clients[client].connect().unwrap();
                        self.world.flush(Side::Client(client));
                    }
                    other => panic!("{} says {other:?}", name(client)),
                }
            }
        }
    }

    fn answered(&mut self, client: usize, request: u64, outcome: Result<String, String>) {
        let expected = self.deliveries[client].remove(&request).expect("each delivery is answered once");
        match outcome {
            Ok(text) if expected.is_empty() => assert!(text.contains("command_handlers"), "{text}"),
            Ok(text) => assert!(text == expected, "{} for {}", number_of(&text), number_of(&expected)),
            Err(_) => {
                self.failed.insert((name(client), request));
            }
        }
    }

    /// The server's process dies, and everything with it.
    pub(crate) fn bury_server(&mut self) {
        self.inboxes[SERVER].clear();
        self.unanswered.retain(|&(who, ..)| who != SERVER);
    }

    /// A client's process dies, and everything with it. Another one takes its name.
    pub(crate) fn restart_one(&mut self) {
        let client = self.world.random.below(CLIENTS);
        self.has_restarted = true;
        self.inboxes[client].clear();
        self.unanswered.retain(|&(who, ..)| who != client);
        self.forget(client);
        self.world.restart_client(client);
    }

    fn forget(&mut self, client: usize) {
        self.promises[client].clear();
        self.deliveries[client].clear();
    }

    /// Whether the server keeps nothing that dies with it: it has written everything, and that arrives.
    pub(crate) fn all_connected(&self) -> bool {
        self.world.server.is_some()
            && (0..CLIENTS).all(|client| {
                let pipe = self.world.pipe_of(client).map(|pipe| &self.world.pipes[pipe]);
                self.world.clients[client].is_connected() && pipe.is_some_and(|pipe| !pipe.to_client.ended)
            })
    }

    pub(crate) fn cut_one(&mut self) {
        if !self.world.pipes.is_empty() {
            let pipe = self.world.random.below(self.world.pipes.len());
            self.world.cut(pipe);
        }
    }

    /// Everybody comes back, and all that is under way arrives.
    pub(crate) fn end(&mut self) {
        self.world.mortality = None;
        self.world.capacity = usize::MAX;
        if self.world.server.is_none() {
            self.world.start_server();
        }
        for _ in 0..50 {
            for client in 0..CLIENTS {
                self.world.clients[client].look_again();
                self.world.flush(Side::Client(client));
            }
            self.world.settle();
            self.listen();
            for receiver in 0..=CLIENTS {
                while !self.inboxes[receiver].is_empty() {
                    self.handle(receiver);
                }
                self.world.flush(side(receiver));
            }
            while !self.unanswered.is_empty() {
                self.answer();
            }
            self.world.wait(Duration::from_millis(60));
            self.listen();
        }
        assert!(self.all_connected());
        for client in 0..CLIENTS {
            assert_eq!(self.promises[client], VecDeque::new(), "promises of {} are not settled", name(client));
            assert_eq!(self.deliveries[client], HashMap::new(), "deliveries of {} are not settled", name(client));
        }
        for client in &self.world.clients {
            assert_eq!(client.outstanding(), [], "{} keeps something", client.name());
        }
        assert_eq!(self.world.server().outstanding(), [], "the server keeps something");
        let mut seen: Vec<_> = self.seen.iter().collect();
        seen.sort();
        for ((receiver, sender), notes) in seen {
            let mut known = HashSet::new();
            let mut last = 0;
            for &(number, redelivered) in notes {
                if !known.insert(number) {
                    assert!(redelivered, "{number} came twice from {sender:?} to {receiver} without a mark");
                } else if !(redelivered && self.is_for_those_there(number)) {
                    assert!(number > last, "{number} came after {last} from {sender:?} to {receiver}");
                    last = number;
                }
            }
        }
    }

    /// Whether a message passes by a client that is not back yet, and may reach it when it is sent again.
    fn is_for_those_there(&self, number: u64) -> bool {
        let is_relayed = |receivers: &[usize]| receivers != [SERVER];
        self.sent.iter().any(|((_, sent), kind, receivers)| {
            *sent == number && matches!(kind, Kind::Broadcast | Kind::Request) && is_relayed(receivers)
        })
    }

    pub(crate) fn times_seen(&self, receiver: usize, note: &Note) -> usize {
        let notes = self.seen.get(&(receiver, note.0.clone()));
        notes.map_or(0, |notes| notes.iter().filter(|seen| seen.0 == note.1).count())
    }
}

fn side(index: usize) -> Side {
    if index == SERVER { Side::Server } else { Side::Client(index) }
}

fn number_of(payload: &str) -> u64 {
    payload.trim_start_matches('[').split(',').next().unwrap().parse().unwrap()
}
