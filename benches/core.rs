//! What the core costs by itself, without sockets: frames written, frames read and checked, and messages that a server
//! passes on from one client to another. `cargo bench` runs it.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests have sockets, files and a clock")]
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot continue must stop")]

use std::time::{Duration, Instant};

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};

use ipcio::driver::domain::Domain;
use ipcio::driver::machine::{ConnectionId, Credentials, Event, ListenerId, Machine};
use ipcio::driver::protocol::frame::{Frame, Kind};
use ipcio::driver::protocol::handshake::{self, Hello, VERSION};
use ipcio::driver::protocol::inbox::Inbox;
use ipcio::driver::protocol::outbox::Outbox;
use ipcio::driver::server::{Options, Server};
use ipcio::driver::trust::{Others, Trust};

/// Frames that are dealt with together.
const BATCH: usize = 64;

/// Sizes of payloads, in bytes: a small message, a record, a page.
const SIZES: [usize; 3] = [64, 1_024, 16_384];

const LIMIT: usize = 1 << 20;

fn main() {
    divan::main();
}

/// A batch of messages written one behind another, and taken out of the queue as if it had been acknowledged.
#[divan::bench(args = SIZES)]
fn encode(bencher: Bencher<'_, '_>, size: usize) {
    let payload = payload(size);
    let mut outbox = Outbox::default();
    let mut acknowledged = 0;
    bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
        for _ in 0..BATCH {
            outbox.push(&Frame { command: "note", payload: &payload, ..Frame::bare(Kind::Send, 0) });
        }
        while !outbox.is_written() {
            outbox.advance(black_box(outbox.unwritten()).len());
        }
        acknowledged += BATCH as u64;
        outbox.acknowledge(acknowledged, |_| ()).unwrap();
    });
}

/// A batch of messages cut into frames and checked, as when it was read.
#[divan::bench(args = SIZES)]
fn decode(bencher: Bencher<'_, '_>, size: usize) {
    let wire = emits(&payload(size));
    let mut inbox = Inbox::new(LIMIT);
    bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
        let mut rest = &wire[..];
        while let Some(whole) = inbox.next(&mut rest).unwrap() {
            black_box(whole.decode().unwrap());
        }
    });
}

/// A batch of messages from one client to another, through the server, with all acknowledgements.
#[divan::bench(args = SIZES)]
fn route(bencher: Bencher<'_, '_>, size: usize) {
    let wire = emits(&payload(size));
    let mut relay = Relay::new();
    bencher.counter(ItemsCount::new(BATCH)).bench_local(|| relay.pass_on(&wire));
}

/// A server with two clients of protocol 2.
struct Relay {
    server: Server,
    alice: ConnectionId,
    bob: ConnectionId,
    /// How many frames `bob` has received.
    received: u64,
    now: Instant,
}

impl Relay {
    fn new() -> Relay {
        let now = Instant::now();
        let mut server = Server::new(options());
        let listener = server.start(now).unwrap();
        let [alice, bob] = ["alice", "bob"].map(|name| connect(&mut server, listener, name, now));
        Relay { server, alice, bob, received: 0, now }
    }

    fn pass_on(&mut self, wire: &[u8]) {
        self.server.received(self.alice, wire, self.now, &mut ignore);
        let written = self.write();
        assert!(written > wire.len(), "{written} bytes were written");
        self.received += BATCH as u64;
        let mut acknowledgement = Vec::new();
        Frame::bare(Kind::Acknowledgement, self.received).encode(&mut acknowledgement);
        self.server.received(self.bob, &acknowledgement, self.now, &mut ignore);
    }

    /// Writes everything, and says how much that was.
    fn write(&mut self) -> usize {
        let mut written = 0;
        self.server.prepare(self.now, &mut ignore);
        while let Some(connection) = self.server.next_write() {
            loop {
                let count = black_box(self.server.unwritten(connection)).len();
                if count == 0 {
                    break;
                }
                written += count;
                self.server.written(connection, count, self.now, &mut ignore);
            }
        }
        written
    }
}

fn connect(server: &mut Server, listener: ListenerId, name: &str, now: Instant) -> ConnectionId {
    let connection = server.accepted(listener, Credentials::new(1, 1, 1), now, &mut ignore).unwrap();
    let hello =
        Hello { version: VERSION, session: name.into(), attempt: 1, server: None, received: 0, limit: LIMIT as u64 };
    let mut handshake = Vec::new();
    handshake::write(None, name, Some(&hello), &mut handshake);
    server.received(connection, &handshake, now, &mut ignore);
    connection
}

fn options() -> Options {
    Options {
        domain: Domain::new("benchmark").unwrap(),
        trust: Trust { own: 1, others: Others::These(Vec::new()) },
        limit: LIMIT,
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

/// JSON of about `size` bytes.
fn payload(size: usize) -> Vec<u8> {
    let record = r#"{"id":17,"name":"ada","tags":["red","round"],"sold":false}"#;
    let records = vec![record; size.div_ceil(record.len() + 1)];
    format!("[{}]", records.join(",")).into_bytes()
}

/// A batch of messages to `bob`.
fn emits(payload: &[u8]) -> Vec<u8> {
    let mut wire = Vec::new();
    for _ in 0..BATCH {
        Frame { name: "bob", command: "note", payload, ..Frame::bare(Kind::Emit, 0) }.encode(&mut wire);
    }
    wire
}

fn ignore(_: Event<'_>) {}
