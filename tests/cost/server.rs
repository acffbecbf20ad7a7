//! What a server's operations cost.

use std::time::{Duration, Instant};

use ipcio::driver::machine::{ConnectionId, Event, ListenerId, Machine, Payload, SessionId};
use ipcio::driver::protocol::frame::Kind;
use ipcio::driver::server::{Options, Server};

use crate::network::{COMMAND, credentials, server_options};
use crate::{MANY, SAMPLES, does_not_grow, drain, frame, receive};

struct Hall {
    server: Server,
    listener: ListenerId,
    now: Instant,
}

impl Hall {
    fn new() -> Hall {
        let mut server = Server::new(Options { max_clients: 10 * MANY, ..server_options() });
        server.commands().add(&[COMMAND.into()]).unwrap();
        let now = Instant::now();
        let listener = server.start(now).unwrap();
        Hall { server, listener, now }
    }

    /// After the time in which clients of an earlier server may be on their way.
    fn old() -> Hall {
        let mut hall = Hall::new();
        hall.pass(Duration::from_secs(3));
        hall
    }

    /// A connection that has not said who it is.
    fn door(&mut self) -> ConnectionId {
        self.server.accepted(self.listener, credentials(), self.now, &mut |_: Event<'_>| ()).unwrap()
    }

    fn client(&mut self, name: &str) -> ConnectionId {
        let connection = self.door();
        let hello = format!(
            "{{\"id\":null,\"command\":\"handshake\",\"data\":\"{name}\",\"delivery\":null,\"ipcio\":{{\"version\":2,\
             \"session\":\"{name}\",\"attempt\":1,\"server\":null,\"received\":0,\"limit\":1000000}}}}"
        );
        self.receive(connection, hello.as_bytes());
        connection
    }

    fn clients(&mut self, count: usize) -> Vec<ConnectionId> {
        (0..count).map(|number| self.client(&format!("client-{number}"))).collect()
    }

    /// Clients whose connections are gone.
    fn away(&mut self, count: usize) {
        for connection in self.clients(count) {
            self.lose(connection);
        }
    }

    fn receive(&mut self, connection: ConnectionId, bytes: &[u8]) {
        receive(&mut self.server, connection, bytes, self.now);
    }

    fn lose(&mut self, connection: ConnectionId) {
        self.server.lost(connection, self.now, &mut |_: Event<'_>| ());
        drain(&mut self.server, self.now);
    }

    fn pass(&mut self, duration: Duration) {
        self.now += duration;
        self.server.elapsed(self.now, &mut |_: Event<'_>| ());
        drain(&mut self.server, self.now);
    }

    /// The server asks bob, and has a minute for that.
    fn ask(&mut self, request: u64) {
        self.server.ask("bob", COMMAND, Payload::Json(b"1"), request, self.now).unwrap();
        self.server.limit_time(request, self.now + Duration::from_secs(60));
        drain(&mut self.server, self.now);
    }

    /// Alice has asked bob so often, under numbers from 1 on. Returns both, and the number that bob knows the first by.
    fn asked(count: usize) -> (Hall, ConnectionId, ConnectionId, u64) {
        let mut hall = Hall::old();
        let (alice, bob) = (hall.client("alice"), hall.client("bob"));
        hall.server.received(alice, &frame(Kind::Request, 1, "bob"), hall.now, &mut |_: Event<'_>| ());
        let first = hall.server.unwritten(bob);
        let start = first.len() - frame(Kind::Request, 1, "alice").len();
        let first = u64::from_le_bytes(first[start + 10..start + 18].try_into().unwrap());
        drain(&mut hall.server, hall.now);
        for request in 2..=count as u64 {
            hall.receive(alice, &frame(Kind::Request, request, "bob"));
        }
        (hall, alice, bob, first)
    }
}

#[test]
fn asking_another_client() {
    does_not_grow("asking another client", |outstanding| {
        let (mut hall, alice, ..) = Hall::asked(outstanding);
        move |sample| hall.receive(alice, &frame(Kind::Request, (outstanding + sample + 1) as u64, "bob"))
    });
}

#[test]
fn answering_another_client() {
    does_not_grow("answering another client", |outstanding| {
        let (mut hall, _, bob, first) = Hall::asked(outstanding);
        move |sample| hall.receive(bob, &frame(Kind::Response, first + (outstanding / 2 + sample) as u64, ""))
    });
}

#[test]
fn giving_up_an_answer_of_another_client() {
    does_not_grow("giving up an answer", |outstanding| {
        let (mut hall, alice, ..) = Hall::asked(outstanding);
        move |sample| hall.receive(alice, &frame(Kind::Cancel, (outstanding / 2 + sample) as u64, ""))
    });
}

#[test]
fn coming_and_leaving_while_others_wait_for_answers() {
    does_not_grow("coming and leaving while others wait for answers", |outstanding| {
        let (mut hall, ..) = Hall::asked(outstanding);
        move |sample| {
            let connection = hall.client(&format!("carol-{sample}"));
            hall.receive(connection, &frame(Kind::Goodbye, 0, ""));
        }
    });
}

#[test]
fn coming_and_leaving_among_many() {
    does_not_grow("coming and leaving among many", |outstanding| {
        let mut hall = Hall::old();
        hall.clients(outstanding);
        move |sample| {
            let connection = hall.client(&format!("carol-{sample}"));
            hall.receive(connection, &frame(Kind::Goodbye, 0, ""));
        }
    });
}

#[test]
fn losing_a_connection_and_coming_back_among_many_that_are_away() {
    does_not_grow("losing a connection and coming back", |outstanding| {
        let mut hall = Hall::old();
        hall.away(outstanding);
        let mut connection = hall.client("carol");
        move |_| {
            hall.lose(connection);
            connection = hall.client("carol");
        }
    });
}

#[test]
fn a_message_to_one_of_many() {
    does_not_grow("a message to one of many", |outstanding| {
        let mut hall = Hall::old();
        hall.clients(outstanding);
        let alice = hall.client("alice");
        move |sample| {
            let name = format!("client-{}", outstanding / 2 + sample);
            hall.receive(alice, &frame(Kind::Emit, 0, &name));
            hall.server.emit(&name, COMMAND, Payload::Json(b"1"), None).unwrap();
            drain(&mut hall.server, hall.now);
        }
    });
}

#[test]
fn a_message_to_one_who_is_away() {
    does_not_grow("a message to one who is away", |outstanding| {
        let mut hall = Hall::old();
        let (alice, bob) = (hall.client("alice"), hall.client("bob"));
        hall.lose(bob);
        (0..outstanding).for_each(|_| hall.receive(alice, &frame(Kind::Emit, 0, "bob")));
        move |_| hall.receive(alice, &frame(Kind::Emit, 0, "bob"))
    });
}

#[test]
fn a_message_to_one_on_its_way_for_whom_many_wait() {
    does_not_grow("a message to one on its way", |outstanding| {
        let mut hall = Hall::new();
        let alice = hall.client("alice");
        (0..outstanding).for_each(|_| hall.receive(alice, &frame(Kind::Emit, 0, "bob")));
        move |_| hall.receive(alice, &frame(Kind::Emit, 0, "bob"))
    });
}

#[test]
fn a_message_to_one_of_many_on_their_way_who_comes_then() {
    does_not_grow("a message to one of many on their way", |outstanding| {
        let mut hall = Hall::new();
        let alice = hall.client("alice");
        for number in 0..outstanding {
            hall.receive(alice, &frame(Kind::Emit, 0, &format!("away-{number}")));
        }
        move |sample| {
            let name = format!("away-{}", outstanding / 2 + sample);
            hall.receive(alice, &frame(Kind::Emit, 0, &name));
            hall.client(&name);
        }
    });
}

#[test]
fn a_delivery_to_one_on_its_way_that_is_given_up() {
    does_not_grow("giving up a delivery to one on its way", |outstanding| {
        let mut hall = Hall::new();
        let alice = hall.client("alice");
        hall.receive(alice, &frame(Kind::Emit, 0, "bob"));
        // What comes behind a message that waits does not overtake it.
        for request in 1..=outstanding as u64 {
            hall.receive(alice, &frame(Kind::Request, request, "bob"));
        }
        move |sample| hall.receive(alice, &frame(Kind::Cancel, (outstanding / 2 + sample) as u64, ""))
    });
}

#[test]
fn a_message_to_one_who_does_not_acknowledge() {
    does_not_grow("a message to one who does not acknowledge", |outstanding| {
        let mut hall = Hall::old();
        let (alice, _) = (hall.client("alice"), hall.client("bob"));
        (0..outstanding).for_each(|_| hall.receive(alice, &frame(Kind::Emit, 0, "bob")));
        move |_| {
            hall.receive(alice, &frame(Kind::Emit, 0, "bob"));
            hall.server.is_blocked(SessionId(2));
        }
    });
}

#[test]
fn a_connection_that_ends_among_many_that_have_not_said_who_they_are() {
    does_not_grow("a connection that ends among many", |outstanding| {
        let mut hall = Hall::old();
        for _ in 0..outstanding {
            hall.door();
        }
        move |_| {
            let connection = hall.door();
            hall.lose(connection);
        }
    });
}

#[test]
fn wanting_a_name_that_many_want() {
    does_not_grow("wanting a name", |outstanding| {
        let mut hall = Hall::old();
        hall.client("alice");
        let wanting = |hall: &mut Hall, number: usize| {
            let connection = hall.door();
            let hello = format!(
                "{{\"id\":null,\"command\":\"handshake\",\"data\":\"alice\",\"delivery\":null,\"ipcio\":{{\"version\":2,\
                 \"session\":\"{number}\",\"attempt\":1,\"server\":null,\"received\":0,\"limit\":1000000}}}}"
            );
            hall.receive(connection, hello.as_bytes());
            connection
        };
        for number in 0..outstanding {
            wanting(&mut hall, number);
        }
        move |sample| {
            let connection = wanting(&mut hall, outstanding + sample);
            hall.lose(connection);
        }
    });
}

#[test]
fn handling_while_many_wait_to_be_handled() {
    does_not_grow("handling", |outstanding| {
        let mut hall = Hall::old();
        let alice = hall.client("alice");
        let mut receipts = Vec::new();
        for _ in 0..outstanding {
            let event = &mut |event: Event<'_>| {
                if let Event::Message(incoming) = event {
                    receipts.push(incoming.receipt);
                }
            };
            hall.server.received(alice, &frame(Kind::Send, 0, ""), hall.now, event);
        }
        move |sample| {
            hall.server.handled(SessionId(1), receipts[sample], hall.now);
            drain(&mut hall.server, hall.now);
        }
    });
}

#[test]
fn a_timer_among_many() {
    does_not_grow("a timer among many", |outstanding| {
        let mut hall = Hall::old();
        hall.away(outstanding);
        hall.pass(Duration::from_secs(5));
        move |sample| {
            let connection = hall.client(&format!("carol-{sample}"));
            hall.lose(connection);
            hall.pass(Duration::from_millis(5));
        }
    });
}
#[test]
fn reading_while_the_server_closes() {
    does_not_grow("reading while the server closes", |outstanding| {
        let mut hall = Hall::old();
        let connections = hall.clients(outstanding);
        // None of them has acknowledged it, so that closing waits for all.
        hall.server.broadcast(COMMAND, Payload::Json(b"1"), None).unwrap();
        drain(&mut hall.server, hall.now);
        hall.server.close(hall.now, &mut |_: Event<'_>| ());
        drain(&mut hall.server, hall.now);
        move |sample| hall.receive(connections[sample], &frame(Kind::Send, 0, ""))
    });
}

/// A server that has asked bob so often, under numbers from 1 on, and all of it within a minute.
fn asking(count: usize) -> Hall {
    let mut hall = Hall::old();
    hall.client("bob");
    for request in 1..=count as u64 {
        hall.ask(request);
    }
    hall
}

#[test]
fn asking_a_client() {
    does_not_grow("asking a client", |outstanding| {
        let mut hall = asking(outstanding);
        move |sample| hall.ask((outstanding + sample + 1) as u64)
    });
}

#[test]
fn giving_up_what_the_server_asked() {
    does_not_grow("giving up what the server asked", |outstanding| {
        let mut hall = asking(outstanding);
        move |sample| {
            hall.server.cancel((outstanding / 2 + sample) as u64);
            drain(&mut hall.server, hall.now);
        }
    });
}

#[test]
fn the_time_of_what_the_server_asked_is_over() {
    does_not_grow("the time of what the server asked", |outstanding| {
        let mut hall = asking(outstanding);
        let start = hall.now;
        for sample in 0..=SAMPLES as u64 {
            hall.server.limit_time(outstanding as u64 / 2 + sample, start + Duration::from_millis(sample));
        }
        move |_| hall.pass(Duration::from_millis(1))
    });
}
