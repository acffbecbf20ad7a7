//! What is done for one costs the same, however many others there are.

use std::time::{Duration, Instant};

use ipcio::driver::machine::{ConnectionId, Event, ListenerId, Machine};
use ipcio::driver::protocol::frame::{self, Frame, Kind};
use ipcio::driver::protocol::handshake::{self, Hello};
use ipcio::driver::server::{Options, Server};

use crate::network::{COMMAND, credentials, server_options};

/// How much more one of very many may cost: there are logarithms, and caches. What is looked for costs a hundred times as
/// much.
const MORE: u32 = 12;

const FEW: u32 = 1_000;
const MANY: u32 = 100_000;

/// A server and clients by hand, whose sockets take everything.
struct Crowd {
    server: Server,
    control: ListenerId,
    now: Instant,
    closed: bool,
}

impl Crowd {
    fn new() -> Crowd {
        let now = Instant::now();
        let mut server = Server::new(Options { max_clients: 200_000, ..server_options() });
        server.commands().add(&[COMMAND.into()]).unwrap();
        let control = server.start(now).unwrap();
        Crowd { server, control, now, closed: false }
    }

    fn connect(&mut self, name: &str) -> ConnectionId {
        let accepted = self.server.accepted(self.control, credentials(), self.now, &mut |_: Event<'_>| ());
        let hello = Hello {
            version: handshake::VERSION,
            session: format!("session of {name}"),
            attempt: 1,
            server: None,
            received: 0,
            limit: 1 << 20,
        };
        let mut text = Vec::new();
        handshake::write(None, name, Some(&hello), &mut text);
        self.receive(accepted.unwrap(), &text);
        accepted.unwrap()
    }

    fn receive(&mut self, connection: ConnectionId, bytes: &[u8]) {
        self.server.received(connection, bytes, self.now, &mut |_: Event<'_>| ());
        self.flush();
    }

    fn leave(&mut self, connection: ConnectionId) {
        self.server.lost(connection, self.now, &mut |_: Event<'_>| ());
        self.flush();
    }

    /// Writes everything; the bytes that went to each connection.
    fn flush(&mut self) -> Vec<(ConnectionId, Vec<u8>)> {
        let mut written = Vec::new();
        let closed = &mut self.closed;
        let mut events = |event: Event<'_>| *closed |= matches!(event, Event::Closed);
        self.server.prepare(self.now, &mut events);
        loop {
            if self.server.next_action().is_some() {
                continue;
            }
            let Some(connection) = self.server.next_write() else { return written };
            while let bytes = self.server.unwritten(connection).to_vec()
                && !bytes.is_empty()
            {
                self.server.written(connection, bytes.len(), self.now, &mut events);
                written.push((connection, bytes));
            }
        }
    }

    /// `asker` asks the client `name` so much, from this number on. Gives the numbers under which that client knows it.
    fn ask(&mut self, asker: ConnectionId, name: &str, first: u64, count: u32) -> Vec<u64> {
        let mut bytes = Vec::new();
        for request in (first..).take(count as usize) {
            let frame = Frame { name, command: COMMAND, payload: b"1", ..Frame::bare(Kind::Request, request) };
            frame.encode(&mut bytes);
        }
        self.server.received(asker, &bytes, self.now, &mut |_: Event<'_>| ());
        let mut numbers = Vec::new();
        for (_, bytes) in self.flush() {
            let mut rest = &bytes[..];
            while let Some(size) = frame::frame_size(rest) {
                let frame = Frame::decode(&rest[..size]).unwrap();
                numbers.extend((frame.kind == Kind::Request).then_some(frame.id));
                rest = &rest[size..];
            }
        }
        numbers
    }
}

fn bytes(frame: &Frame<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame.encode(&mut bytes);
    bytes
}

/// The shortest of several times: others use the machine too.
fn shortest(count: u64, mut f: impl FnMut(u64)) -> Duration {
    let times = (0..count).map(|turn| {
        let start = Instant::now();
        f(turn);
        start.elapsed()
    });
    times.min().unwrap()
}

/// Fails if `cost`, of an operation for one among many, grows by more than it may.
fn assert_flat(what: &str, few: u32, many: u32, mut cost: impl FnMut(u32) -> Duration) {
    let (few, many) = (cost(few), cost(many));
    assert!(many < few * MORE, "{what}: {few:?} among few, {many:?} among many");
}

/// A crowd in which bob has so much to answer to alice.
fn asked(count: u32) -> (Crowd, [ConnectionId; 3], Vec<u64>) {
    let mut crowd = Crowd::new();
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(|name| crowd.connect(name));
    let numbers = crowd.ask(alice, "bob", 1, count);
    assert_eq!(numbers.len(), count as usize);
    (crowd, [alice, bob, carol], numbers)
}

#[test]
fn a_delivery_costs_the_same_however_many_are_outstanding() {
    assert_flat("cancelling", FEW, MANY, |count| {
        let (mut crowd, [alice, ..], _) = asked(count);
        let middle = u64::from(count) / 2;
        shortest(200, |turn| crowd.receive(alice, &bytes(&Frame::bare(Kind::Cancel, middle + turn))))
    });
    assert_flat("answering", FEW, MANY, |count| {
        let (mut crowd, [_, bob, _], numbers) = asked(count);
        let middle = &numbers[count as usize / 2..];
        shortest(200, |turn| {
            let answer = Frame { payload: b"1", ..Frame::bare(Kind::Response, middle[turn as usize]) };
            crowd.receive(bob, &bytes(&answer));
        })
    });
    assert_flat("asking", FEW, MANY, |count| {
        let (mut crowd, [_, _, carol], _) = asked(count);
        shortest(200, |turn| drop(crowd.ask(carol, "bob", 1 + turn, 1)))
    });
}

#[test]
fn a_client_comes_asks_and_leaves_at_the_same_cost_however_many_deliveries_are_outstanding() {
    assert_flat("coming and leaving", FEW, MANY, |count| {
        let (mut crowd, _, _) = asked(count);
        shortest(100, |turn| {
            let dave = crowd.connect(&format!("dave {turn}"));
            crowd.ask(dave, "carol", 1, 1);
            crowd.leave(dave);
            let erin = crowd.connect(&format!("erin {turn}"));
            crowd.ask(erin, "carol", 1, 1);
            crowd.receive(erin, &bytes(&Frame::bare(Kind::Goodbye, 0)));
        })
    });
}

#[test]
fn one_of_very_many_clients_costs_what_one_of_a_few_does() {
    let crowd_of = |count: u32| {
        let mut crowd = Crowd::new();
        let connections: Vec<_> = (0..count).map(|number| crowd.connect(&format!("client {number}"))).collect();
        (crowd, connections)
    };
    assert_flat("a message", FEW / 10, MANY / 10, |count| {
        let (mut crowd, connections) = crowd_of(count);
        let message = Frame { command: COMMAND, payload: b"1", ..Frame::bare(Kind::Send, 0) };
        shortest(200, |turn| crowd.receive(connections[turn as usize % connections.len()], &bytes(&message)))
    });
    assert_flat("coming and going", FEW / 10, MANY / 10, |count| {
        let (mut crowd, _) = crowd_of(count);
        shortest(100, |turn| {
            let connection = crowd.connect(&format!("another {turn}"));
            crowd.leave(connection);
        })
    });
    assert_flat("wanting a name that many want", FEW / 10, MANY / 10, |count| {
        let mut crowd = Crowd::new();
        crowd.connect("bob");
        for _ in 0..count {
            crowd.connect("bob");
        }
        shortest(100, |_| {
            let contender = crowd.connect("bob");
            crowd.leave(contender);
        })
    });
    assert_flat("closing, for each", FEW / 10, FEW * 4, |count| {
        let closes = |_| {
            let (mut crowd, connections) = crowd_of(count);
            for (turn, &connection) in connections.iter().enumerate() {
                let name = format!("client {}", turn / 2);
                let emit = Frame { name: &name, command: COMMAND, payload: b"1", ..Frame::bare(Kind::Emit, 0) };
                crowd.receive(connection, &bytes(&emit));
            }
            let start = Instant::now();
            crowd.server.close(crowd.now, &mut |_: Event<'_>| ());
            crowd.flush();
            for &connection in connections.iter().take(count as usize / 2) {
                assert!(!crowd.closed);
                // Two messages have been received.
                crowd.receive(connection, &bytes(&Frame::bare(Kind::Acknowledgement, 2)));
            }
            assert!(crowd.closed);
            start.elapsed() / count
        };
        (0..2).map(closes).min().unwrap()
    });
}
