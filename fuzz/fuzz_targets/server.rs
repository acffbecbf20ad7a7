//! A server, its application and its peers, in any order: no panic, events about those only who are there, and in
//! the end it closes and keeps nothing.

#![no_main]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use ipcio::driver::machine::{Action, ConnectionId, Event, Events, ListenerId, Machine, Payload, SessionId};
use ipcio::driver::sequence::Receipt;
use ipcio::driver::server::{Options, Server};
use ipcio_fuzz::{COMMANDS, Input, NAMES, Place, frame, hello, payload, peer, server_options};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let mut place = Driven::new(&mut input);
    while !input.is_empty() {
        place.step(&mut input);
        place.carry_out();
    }
    place.end();
});

/// The server and what surrounds it.
struct Driven {
    server: Server,
    control: Option<ListenerId>,
    listeners: Vec<ListenerId>,
    connections: Vec<ConnectionId>,
    now: Instant,
    known: Known,
}

/// What the application was told.
#[derive(Default)]
struct Known {
    /// Sessions that have not ended, and whether they are connected.
    sessions: BTreeMap<SessionId, bool>,
    /// By session, what its client was told that it is.
    uuids: HashMap<SessionId, String>,
    receipts: Vec<(SessionId, Receipt)>,
    requests: Vec<(SessionId, u64)>,
    /// What the server has asked and has no answer to, and the last number.
    asked: BTreeSet<u64>,
    last: u64,
    closed: bool,
}

impl Events for Known {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Message(incoming) => {
                assert!(self.sessions.contains_key(&incoming.session), "a message without a session");
                self.receipts.push((incoming.session, incoming.receipt));
                self.requests.extend(incoming.request.map(|request| (incoming.session, request)));
            }
            Event::SessionConnected { session, uuid, .. } => {
                let before = self.sessions.insert(session, true);
                assert_ne!(before, Some(true), "it was connected");
                self.uuids.insert(session, uuid.to_owned());
            }
            Event::SessionDisconnected { session, .. } => {
                assert_eq!(self.sessions.insert(session, false), Some(true), "it was not connected");
            }
            Event::SessionEnded { session, .. } => {
                // One of protocol 1 may end before it is connected.
                assert_ne!(self.sessions.remove(&session), Some(true), "it is connected");
            }
            Event::Drained { session } => assert!(self.sessions.contains_key(&session)),
            Event::Closed => self.closed = true,
            Event::Answer { request, .. } | Event::TimedOut { request } => {
                assert!(self.asked.remove(&request), "a delivery of the server's is over once");
            }
            Event::Settled { .. } | Event::Connected { .. } => panic!("this is a client's"),
            _ => {}
        }
    }
}

impl Place for Driven {
    type Machine = Server;

    fn parts(&mut self) -> (&mut Server, Instant, &mut dyn Events) {
        (&mut self.server, self.now, &mut self.known)
    }

    fn connections(&self) -> &[ConnectionId] {
        &self.connections
    }

    fn carry_out(&mut self) {
        while let Some(action) = self.server.next_action() {
            match action {
                Action::Listen { listener, .. } => self.listeners.push(listener),
                Action::StopListening(listener) => self.listeners.retain(|&other| other != listener),
                Action::Close(connection) => {
                    let before = self.connections.len();
                    self.connections.retain(|&other| other != connection);
                    assert!(self.connections.len() < before, "closes what is not open");
                }
                Action::Connect { .. } => panic!("a server does not connect"),
                #[allow(unreachable_patterns, reason = "there may be more to do some day")]
                _ => {}
            }
        }
    }
}

impl Driven {
    fn new(input: &mut Input<'_>) -> Driven {
        let slow = [100, 2_000, 1 << 20][input.below(3)];
        let options = Options {
            slow_consumer_limit: slow,
            max_clients: 2 + input.below(4),
            unfinished_limit: [100, 100_000, 1 << 20][input.below(3)],
            max_deliveries: 1 + input.below(8),
            away_limit: [0, 300, 1 << 20][input.below(3)],
            ..server_options()
        };
        let mut server = Server::new(options);
        server.commands().add(&[COMMANDS[0].into()]).expect("it has none");
        let now = Instant::now();
        let control = server.start(now).ok();
        let (listeners, connections) = (Vec::new(), Vec::new());
        Driven { server, control, listeners, connections, now, known: Known::default() }
    }

    fn step(&mut self, input: &mut Input<'_>) {
        let now = self.now;
        match input.below(20) {
            0 | 1 => self.accept(input),
            2 | 3 => {
                let uuids: Vec<String> = self.known.uuids.values().cloned().collect();
                let server = if uuids.is_empty() { None } else { Some(uuids[input.below(uuids.len())].as_str()) };
                let server = server.filter(|_| input.below(3) > 0);
                let mut bytes = Vec::new();
                hello(input, server, &mut bytes);
                self.receive(input, &bytes);
            }
            4..=8 => {
                let known: Vec<u64> = self.known.requests.iter().map(|&(_, request)| request).collect();
                let mut bytes = Vec::new();
                for _ in 0..1 + input.below(4) {
                    frame(input, &known, &mut bytes);
                }
                self.receive(input, &bytes);
            }
            9 => {
                let size = input.below(64);
                let bytes = input.bytes(size);
                self.receive(input, bytes);
            }
            10 => {
                let Some(connection) = self.any_connection(input) else { return };
                self.connections.retain(|&other| other != connection);
                self.server.lost(connection, now, &mut self.known);
            }
            11 | 12 => self.write(input),
            13 => {
                self.now +=
                    [Duration::ZERO, Duration::from_millis(60), Duration::from_secs(3), Duration::from_secs(61)]
                        [input.below(4)];
                self.server.elapsed(self.now, &mut self.known);
            }
            14 => {
                if !self.known.receipts.is_empty() {
                    let (session, receipt) = self.known.receipts.remove(input.below(self.known.receipts.len()));
                    self.server.handled(session, receipt, now);
                }
            }
            15 => {
                if !self.known.requests.is_empty() {
                    let (session, request) = self.known.requests.remove(input.below(self.known.requests.len()));
                    let payload = payload(input);
                    self.server.respond(session, request, Ok(Payload::Bytes(&payload, None)));
                }
            }
            16 => {
                let payload = payload(input);
                let _ = self.server.emit(input.one_of(&NAMES), COMMANDS[0], Payload::Bytes(&payload, None), None);
            }
            17 => {
                let payload = payload(input);
                let except = Some(input.one_of(&NAMES)).filter(|name| !name.is_empty());
                let _ = self.server.broadcast(COMMANDS[0], Payload::Bytes(&payload, None), except);
            }
            18 => self.application(input),
            _ => {
                if input.byte() > 240 {
                    self.server.close(now, &mut self.known);
                    self.control = None;
                } else if self.control.is_none() {
                    self.control = self.server.start(now).ok();
                }
            }
        }
    }

    fn application(&mut self, input: &mut Input<'_>) {
        let sessions: Vec<SessionId> = self.known.sessions.keys().copied().collect();
        if sessions.is_empty() {
            return;
        }
        let (session, now) = (sessions[input.below(sessions.len())], self.now);
        match input.below(6) {
            4 => self.ask(input),
            5 => {
                if let Some(request) = self.known.asked.pop_first() {
                    self.server.cancel(request);
                }
            }
            0 => self.server.disconnect(session, now, &mut self.known),
            1 => self.server.reject_payload(session, now, &mut self.known),
            2 => drop(self.server.send(session, COMMANDS[0], Payload::Json(b"1"), Some("delivery"))),
            _ => drop(self.server.is_blocked(session)),
        }
    }

    fn ask(&mut self, input: &mut Input<'_>) {
        self.known.last += 1;
        let (request, now) = (self.known.last, self.now);
        let name = NAMES[input.below(NAMES.len())];
        if self.server.ask(name, COMMANDS[0], Payload::Json(b"1"), request, now).is_ok() {
            self.known.asked.insert(request);
            if input.below(2) == 0 {
                self.server.limit_time(request, now + Duration::from_millis(input.below(5_000) as u64));
            }
        }
    }

    fn accept(&mut self, input: &mut Input<'_>) {
        let listener = if self.listeners.is_empty() || input.below(2) == 0 {
            let Some(control) = self.control else { return };
            control
        } else {
            input.one_of(&self.listeners)
        };
        self.connections.extend(self.server.accepted(listener, peer(), self.now, &mut self.known));
    }

    /// It closes after any events, and nothing is left.
    fn end(&mut self) {
        if self.control.is_none() && !self.server.is_closing() {
            self.control = self.server.start(self.now).ok();
        }
        self.known.closed = false;
        self.server.close(self.now, &mut self.known);
        self.carry_out();
        for _ in 0..3 {
            self.now += Duration::from_secs(3600);
            self.server.elapsed(self.now, &mut self.known);
            self.server.prepare(self.now, &mut self.known);
            self.carry_out();
        }
        assert!(self.known.closed, "it does not close");
        assert_eq!(self.known.asked, BTreeSet::new(), "deliveries of the server's are not over");
        assert!(self.known.sessions.is_empty(), "sessions are left: {:?}", self.known.sessions);
        assert!(self.connections.is_empty(), "connections are left: {:?}", self.connections);
        assert!(self.listeners.is_empty(), "private sockets are left: {:?}", self.listeners);
        assert_eq!((self.server.deadline(), self.server.next_write()), (None, None), "something is left to do");
        assert_eq!(self.server.outstanding(), [], "something is kept");
    }
}
