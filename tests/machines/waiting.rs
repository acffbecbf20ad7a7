//! What a client waits for, and what it does not wait for.

use std::time::Instant;

use ipcio::driver::client::{self, Client};
use ipcio::driver::machine::{Action, ConnectionId, Event, Machine};
use ipcio::driver::protocol::frame::Kind;
use ipcio::driver::protocol::handshake::{self, Welcome};
use ipcio::{Code, Error};

use crate::network::{Network, Recorded, Side, client_options, credentials};
use crate::{SECOND, alice_and_bob, handle};

/// A client that connects, by itself.
struct Alone {
    client: Client,
    now: Instant,
    /// The codes of what it waits for and is refused for.
    waits: Vec<Code>,
    refusals: Vec<Code>,
}

impl Alone {
    fn new() -> Alone {
        let mut client = Client::new(client_options("alice"));
        client.connect().unwrap();
        Alone { client, now: Instant::now(), waits: Vec::new(), refusals: Vec::new() }
    }

    fn call(&mut self, f: impl FnOnce(&mut Client, Instant, &mut dyn FnMut(Event<'_>))) {
        let (waits, refusals) = (&mut self.waits, &mut self.refusals);
        f(&mut self.client, self.now, &mut |event| match event {
            Event::Waiting { error } => waits.push(error.code()),
            Event::Refused { error } => refusals.push(error.code()),
            _ => {}
        });
    }

    /// The connection that it tries to make now.
    fn attempt(&mut self) -> ConnectionId {
        loop {
            match self.client.next_action() {
                Some(Action::Connect { connection, .. }) => return connection,
                Some(_) => {}
                None => {
                    self.now += SECOND;
                    self.call(|client, now, mut events| client.elapsed(now, &mut events));
                }
            }
        }
    }

    /// It can't be made.
    fn fail(&mut self, code: &'static str) {
        let connection = self.attempt();
        let error = Error::new(Code::System(code), code);
        self.call(|client, now, mut events| client.connect_failed(connection, error, now, &mut events));
    }
}

#[test]
fn it_does_not_wait_in_vain() {
    for code in ["EACCES", "EPERM", "ENAMETOOLONG", "ELOOP"] {
        let mut alone = Alone::new();
        alone.fail("ENOENT");
        alone.fail(code);
        assert_eq!((&alone.waits[..], &alone.refusals[..]), (&[Code::System("ENOENT")][..], &[Code::System(code)][..]));
        assert!(!alone.client.is_started());
    }
}

#[test]
fn it_says_what_it_waits_for_when_that_changes() {
    let mut alone = Alone::new();
    for code in ["ENOENT", "ENOENT", "ECONNREFUSED", "ECONNREFUSED", "EAGAIN", "ENOENT"] {
        alone.fail(code);
        assert_eq!(alone.client.waits_for().map(Error::code), Some(Code::System(code)));
    }
    assert_eq!(alone.waits, ["ENOENT", "ECONNREFUSED", "EAGAIN", "ENOENT"].map(Code::System));
    assert!(alone.refusals.is_empty());
}

#[test]
fn it_says_that_a_server_does_not_answer_and_tries_again() {
    let mut alone = Alone::new();
    for _ in 0..2 {
        let connection = alone.attempt();
        alone.call(|client, now, mut events| client.opened(connection, credentials(), now, &mut events));
        assert!(alone.client.next_action().is_none());
    }
    assert_eq!(alone.waits, [Code::Timeout]);
    let connection = alone.attempt();
    alone.call(|client, now, mut events| client.opened(connection, credentials(), now, &mut events));
    alone.call(|client, now, mut events| client.lost(connection, now, &mut events));
    assert_eq!(alone.waits, [Code::Timeout, Code::System("ECONNRESET")]);
}

#[test]
fn what_it_keeps_has_a_limit_and_room_is_told_of() {
    let mut network = alice_and_bob();
    let carol = network.client_with(client::Options { queue_limit: 1_000, ..client_options("carol") });
    network.run_until_idle();
    network.take(carol);
    network.take_server();
    let text = format!("\"{}\"", "x".repeat(300));
    for request in 1..=3 {
        network.push(carol, Kind::Request, "", request, &text).unwrap();
    }
    assert_eq!(network.push(carol, Kind::Send, "", 0, &text).unwrap_err().code(), Code::QueueFull);
    let (messages, bytes) = network.clients[carol].queued();
    assert!(messages == 3 && bytes > 900 && bytes <= 1_000, "{bytes}");
    network.flush(Side::Client(carol));
    network.run_until_idle();
    let recorded = network.take_server();
    handle(&mut network, Side::Server, &recorded);
    network.wait(SECOND);
    // The server has them, and has not answered.
    assert_eq!((network.take(carol), network.clients[carol].queued().0), (vec![], 3));
    assert_eq!(network.push(carol, Kind::Send, "", 0, &text).unwrap_err().code(), Code::QueueFull);
    network.clients[carol].cancel(1);
    network.flush(Side::Client(carol));
    network.wait(SECOND);
    assert_eq!(network.take(carol), []);
    network.clients[carol].cancel(2);
    network.flush(Side::Client(carol));
    network.wait(SECOND);
    assert_eq!(network.take(carol), [Recorded::Drained]);
    network.push(carol, Kind::Send, "", 0, &text).unwrap();
}

#[test]
fn room_is_told_of_without_a_server_too() {
    let mut network = Network::new(1);
    network.kill_server();
    let carol = network.client_with(client::Options { queue_limit: 1_000, ..client_options("carol") });
    let text = format!("\"{}\"", "x".repeat(300));
    for request in 1..=3 {
        network.push(carol, Kind::Request, "", request, &text).unwrap();
    }
    assert_eq!(network.push(carol, Kind::Send, "", 0, &text).unwrap_err().code(), Code::QueueFull);
    network.clients[carol].cancel(1);
    network.flush(Side::Client(carol));
    assert_eq!(network.take(carol), []);
    network.clients[carol].cancel(2);
    network.flush(Side::Client(carol));
    assert_eq!(network.take(carol), [Recorded::Drained]);
}

#[test]
fn where_one_of_its_connections_to_a_server_of_protocol_1_ends_it_closes_the_other() {
    for ends in [0, 1] {
        let mut alone = Alone::new();
        let control = alone.attempt();
        alone.call(|client, now, mut events| client.opened(control, credentials(), now, &mut events));
        let mut answer = Vec::new();
        handshake::write(Some("alice"), &"0d".repeat(16), None::<&Welcome>, &mut answer);
        alone.call(|client, now, mut events| client.received(control, &answer, now, &mut events));
        let private = alone.attempt();
        alone.call(|client, now, mut events| client.opened(private, credentials(), now, &mut events));
        assert!(alone.client.is_connected());
        assert_eq!(alone.client.next_action(), Some(Action::StopWatching));
        let both = [control, private];
        alone.call(|client, now, mut events| client.lost(both[ends], now, &mut events));
        assert_eq!(alone.client.next_action(), Some(Action::Close(both[1 - ends])));
        assert!(!alone.client.is_connected());
    }
}
