//! What a client's operations cost.

use std::time::{Duration, Instant};

use ipcio::driver::client::{Client, Outgoing};
use ipcio::driver::machine::{Action, ConnectionId, Event, Machine, Payload};
use ipcio::driver::protocol::frame::Kind;

use crate::network::{COMMAND, client_options, credentials};
use crate::{does_not_grow, drain, frame, receive};

/// A client that has sent `count` messages of a kind.
struct Sender {
    client: Client,
    connection: ConnectionId,
    now: Instant,
    sent: u64,
}

impl Sender {
    /// Not connected yet.
    fn alone(kind: Kind, count: usize) -> Sender {
        let mut client = Client::new(client_options("alice"));
        client.commands().add(&[COMMAND.into()]).unwrap();
        client.connect().unwrap();
        let Some(Action::Connect { connection, .. }) = client.next_action() else { panic!("it connects") };
        let mut sender = Sender { client, connection, now: Instant::now(), sent: 0 };
        (0..count).for_each(|_| sender.push(kind));
        sender
    }

    /// To a server that has received them all, and has acknowledged deliveries.
    fn connected(kind: Kind, count: usize) -> Sender {
        let mut sender = Sender::alone(kind, count);
        sender.client.opened(sender.connection, credentials(), sender.now, &mut |_: Event<'_>| ());
        sender.receive(
            b"{\"id\":\"alice\",\"command\":\"handshake\",\"data\":\"1f\",\"delivery\":null,\"ipcio\":{\"version\":2,\
              \"server\":\"1f\",\"resumed\":false,\"received\":0,\"limit\":1000000}}",
        );
        assert!(sender.client.is_connected());
        if kind == Kind::Request {
            sender.receive(&frame(Kind::Acknowledgement, count as u64, ""));
        }
        sender
    }

    fn push(&mut self, kind: Kind) {
        self.sent += 1;
        let (name, request) = if kind == Kind::Request { ("", self.sent) } else { ("bob", 0) };
        let payload = Payload::Json(b"1");
        self.client.push(&Outgoing { kind, name, command: COMMAND, payload, request }).unwrap();
    }

    fn receive(&mut self, bytes: &[u8]) {
        receive(&mut self.client, self.connection, bytes, self.now);
    }
}

/// The numbers that are used, from the middle outwards.
fn some(outstanding: usize, sample: usize) -> u64 {
    (outstanding / 2 + sample) as u64
}

#[test]
fn cancelling_what_the_server_has_received() {
    does_not_grow("cancelling", |outstanding| {
        let mut sender = Sender::connected(Kind::Request, outstanding);
        move |sample| {
            sender.client.cancel(some(outstanding, sample));
            drain(&mut sender.client, sender.now);
        }
    });
}

#[test]
fn cancelling_what_waits_for_a_server() {
    does_not_grow("cancelling what waits", |outstanding| {
        let mut sender = Sender::alone(Kind::Request, outstanding);
        move |sample| sender.client.cancel(some(outstanding, sample))
    });
}

#[test]
fn an_answer_within_a_time_limit() {
    does_not_grow("a limit that an answer ends", |outstanding| {
        let mut sender = Sender::connected(Kind::Request, outstanding);
        let end = sender.now + Duration::from_secs(60);
        (1..=sender.sent).for_each(|request| sender.client.limit_time(request, end));
        move |sample| sender.receive(&frame(Kind::Response, some(outstanding, sample), ""))
    });
}

#[test]
fn sending_while_there_is_no_server() {
    does_not_grow("queueing", |outstanding| {
        let mut sender = Sender::alone(Kind::Emit, outstanding);
        move |_| sender.push(Kind::Emit)
    });
}

#[test]
fn sending_while_much_is_not_acknowledged() {
    does_not_grow("sending", |outstanding| {
        let mut sender = Sender::connected(Kind::Emit, outstanding);
        move |_| {
            sender.push(Kind::Emit);
            drain(&mut sender.client, sender.now);
        }
    });
}

#[test]
fn an_answer() {
    does_not_grow("an answer", |outstanding| {
        let mut sender = Sender::connected(Kind::Request, outstanding);
        move |sample| sender.receive(&frame(Kind::Response, some(outstanding, sample), ""))
    });
}

#[test]
fn an_acknowledgement() {
    does_not_grow("an acknowledgement", |outstanding| {
        let mut sender = Sender::connected(Kind::Emit, outstanding);
        move |sample| sender.receive(&frame(Kind::Acknowledgement, sample as u64 + 1, ""))
    });
}

#[test]
fn looking_at_the_clock() {
    does_not_grow("looking at the clock", |outstanding| {
        let mut sender = Sender::connected(Kind::Request, outstanding);
        move |_| {
            sender.now += Duration::from_millis(1);
            sender.client.elapsed(sender.now, &mut |_: Event<'_>| ());
            sender.client.deadline();
            drain(&mut sender.client, sender.now);
        }
    });
}
