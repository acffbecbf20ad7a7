//! A client, its application and its server, in any order: no panic, events about what was sent only and once, and
//! in the end it closes and keeps nothing.

#![no_main]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use ipcio::driver::client::{Client, Outgoing, SERVER};
use ipcio::driver::machine::{Action, ConnectionId, Event, Events, Machine, Payload};
use ipcio::driver::protocol::frame::Kind;
use ipcio::driver::sequence::Receipt;
use ipcio_fuzz::{COMMANDS, Input, NAMES, Place, client_options, frame, payload, peer, welcome};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let mut place = Driven::new();
    while !input.is_empty() {
        place.step(&mut input);
        place.carry_out();
    }
    place.end();
});

/// The client and what surrounds it.
struct Driven {
    client: Client,
    /// Connections that are being made, and those that stand.
    pending: Vec<ConnectionId>,
    connections: Vec<ConnectionId>,
    now: Instant,
    next_request: u64,
    known: Known,
}

/// What the application knows.
#[derive(Default)]
struct Known {
    connected: bool,
    closed: bool,
    /// One-way messages that are not settled.
    promises: u64,
    /// Deliveries that wait.
    deliveries: BTreeSet<u64>,
    receipts: Vec<Receipt>,
    requests: Vec<u64>,
}

impl Events for Known {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Message(incoming) => {
                self.receipts.push(incoming.receipt);
                self.requests.extend(incoming.request);
            }
            Event::Answer { request, .. } => {
                assert!(self.deliveries.remove(&request), "an answer without a delivery")
            }
            Event::TimedOut { request } => {
                assert!(self.deliveries.remove(&request), "the time of something that is over")
            }
            Event::Settled { count } => {
                self.promises = self.promises.checked_sub(count).expect("more was settled than was sent");
            }
            Event::Rejected { .. } => {
                self.promises = self.promises.checked_sub(1).expect("more was rejected than was sent");
            }
            Event::Connected { .. } => {
                assert!(!std::mem::replace(&mut self.connected, true), "it was connected");
            }
            Event::Disconnected => assert!(std::mem::take(&mut self.connected), "it was not connected"),
            Event::Refused { .. } | Event::Closed => {
                self.closed = true;
                self.connected = false;
                // Everything that was not settled never will be.
                self.promises = 0;
                self.deliveries.clear();
            }
            Event::SessionConnected { .. } | Event::SessionDisconnected { .. } => panic!("this is a server's"),
            _ => {}
        }
    }
}

impl Place for Driven {
    type Machine = Client;

    fn parts(&mut self) -> (&mut Client, Instant, &mut dyn Events) {
        (&mut self.client, self.now, &mut self.known)
    }

    fn connections(&self) -> &[ConnectionId] {
        &self.connections
    }

    fn carry_out(&mut self) {
        while let Some(action) = self.client.next_action() {
            match action {
                Action::Connect { connection, .. } => self.pending.push(connection),
                Action::Close(connection) => {
                    let before = self.connections.len() + self.pending.len();
                    self.connections.retain(|&other| other != connection);
                    self.pending.retain(|&other| other != connection);
                    assert!(self.connections.len() + self.pending.len() < before, "closes what is not open");
                }
                Action::Listen { .. } | Action::StopListening(_) => panic!("a client does not listen"),
                #[allow(unreachable_patterns, reason = "there may be more to do some day")]
                _ => {}
            }
        }
    }
}

impl Driven {
    fn new() -> Driven {
        let mut client = Client::new(client_options("alice"));
        client.commands().add(&[COMMANDS[0].into()]).expect("it has none");
        client.connect().expect("it was not started");
        let (pending, connections) = (Vec::new(), Vec::new());
        let mut place =
            Driven { client, pending, connections, now: Instant::now(), next_request: 0, known: Known::default() };
        place.carry_out();
        place
    }

    fn step(&mut self, input: &mut Input<'_>) {
        let now = self.now;
        match input.below(20) {
            0 | 1 => {
                let Some(connection) = self.pending.pop() else { return };
                if input.below(4) == 0 {
                    self.client.lost(connection, now, &mut self.known);
                } else {
                    self.connections.push(connection);
                    self.client.opened(connection, peer(), now, &mut self.known);
                }
            }
            2 | 3 => {
                let mut bytes = Vec::new();
                welcome(input, &mut bytes);
                self.receive(input, &bytes);
            }
            4..=8 => {
                let known: Vec<u64> = self.known.deliveries.iter().copied().collect();
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
                self.client.lost(connection, now, &mut self.known);
            }
            11 | 12 => self.write(input),
            13 => {
                self.now +=
                    [Duration::ZERO, Duration::from_millis(60), Duration::from_secs(3), Duration::from_secs(11)]
                        [input.below(4)];
                self.client.elapsed(self.now, &mut self.known);
            }
            14 => {
                if !self.known.receipts.is_empty() {
                    let receipt = self.known.receipts.remove(input.below(self.known.receipts.len()));
                    self.client.handled(SERVER, receipt, now);
                }
            }
            15 => {
                if !self.known.requests.is_empty() {
                    let request = self.known.requests.remove(input.below(self.known.requests.len()));
                    let payload = payload(input);
                    self.client.respond(request, Ok(Payload::Bytes(&payload, None)));
                }
            }
            16 | 17 => self.push(input),
            18 => {
                let Some(&request) = self.known.deliveries.iter().nth(input.below(4)) else { return };
                self.known.deliveries.remove(&request);
                self.client.cancel(request);
            }
            _ => self.application(input),
        }
    }

    fn application(&mut self, input: &mut Input<'_>) {
        let now = self.now;
        match input.below(16) {
            0..=7 => self.client.look_again(),
            8 | 9 => self.client.disconnect(now, &mut self.known),
            10 => self.client.reject_payload(now, &mut self.known),
            11 => self.client.close(now, &mut self.known),
            _ => {
                let was_started = self.client.is_started();
                assert_eq!(self.client.connect().is_err(), was_started);
            }
        }
    }

    fn push(&mut self, input: &mut Input<'_>) {
        let kind = input.one_of(&[Kind::Send, Kind::Emit, Kind::Broadcast, Kind::Request, Kind::Discover]);
        let is_delivery = matches!(kind, Kind::Request | Kind::Discover);
        let payload = payload(input);
        self.next_request += 1;
        let outgoing = Outgoing {
            kind,
            name: if matches!(kind, Kind::Emit | Kind::Request) { input.one_of(&NAMES) } else { "" },
            command: if kind == Kind::Discover { "" } else { input.one_of(&COMMANDS[..2]) },
            payload: Payload::Bytes(&payload, None),
            request: if is_delivery { self.next_request } else { 0 },
        };
        if self.client.push(&outgoing).is_ok() {
            if is_delivery {
                self.known.deliveries.insert(self.next_request);
                if input.below(3) == 0 {
                    let time = [Duration::ZERO, Duration::from_millis(50), Duration::from_secs(5)][input.below(3)];
                    self.client.limit_time(self.next_request, self.now + time);
                }
            } else {
                self.known.promises += 1;
            }
        }
    }

    /// It closes after any events, and nothing is left.
    fn end(&mut self) {
        let was_started = self.client.is_started();
        self.known.closed = false;
        self.client.close(self.now, &mut self.known);
        self.carry_out();
        for _ in 0..3 {
            self.now += Duration::from_secs(3600);
            self.client.elapsed(self.now, &mut self.known);
            self.client.prepare(self.now, &mut self.known);
            self.carry_out();
        }
        assert!(self.known.closed || !was_started, "it does not close");
        assert!(self.connections.is_empty() && self.pending.is_empty(), "connections are left");
        assert_eq!((self.client.deadline(), self.client.next_write()), (None, None), "something is left to do");
        assert_eq!(self.client.outstanding(), [], "something is kept");
    }
}
