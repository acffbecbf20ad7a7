//! What a server asks its clients.

use std::time::Duration;

use ipcio::Code;
use ipcio::driver::machine::{Event, Payload};
use ipcio::driver::server;

use crate::network::{COMMAND, Network, Recorded, Side, client_options, server_options};
use crate::{SECOND, alice_and_bob, come_back, failure, failures, handle, messages, with_server};

/// Bob is asked, and everything moves that can.
fn ask(network: &mut Network, request: u64) {
    ask_client(network, "bob", request).unwrap();
    network.run_until_idle();
}

fn ask_client(network: &mut Network, name: &str, request: u64) -> Result<(), Code> {
    let now = network.now;
    let text = request.to_string();
    let result = network.server().ask(name, COMMAND, Payload::Json(text.as_bytes()), request, now);
    network.flush(Side::Server);
    result.map_err(|error| error.code())
}

/// The numbers under which a client was asked.
fn asked(recorded: &[Recorded]) -> Vec<u64> {
    let found = recorded.iter().filter_map(|recorded| match recorded {
        Recorded::Message { request, .. } => *request,
        _ => None,
    });
    found.collect()
}

fn respond(network: &mut Network, client: usize, request: u64, text: &str) {
    network.clients[client].respond(request, Ok(Payload::Json(text.as_bytes())));
    network.flush(Side::Client(client));
    network.run_until_idle();
}

fn close(network: &mut Network) {
    let (now, mut recorded) = (network.now, Vec::new());
    network.server().close(now, &mut |event: Event<'_>| recorded.push(Recorded::from(event)));
    network.server_recorded.extend(recorded);
    network.flush(Side::Server);
    network.run_until_idle();
}

#[test]
fn a_client_is_asked_by_the_server_and_only_that_client_answers() {
    let mut network = alice_and_bob();
    ask(&mut network, 7);
    let recorded = network.take(1);
    assert!(
        matches!(&recorded[0], Recorded::Message { from, redelivered: false, .. } if from.is_empty()),
        "{recorded:?}"
    );
    let [number] = asked(&recorded)[..] else { panic!("bob is asked once") };
    respond(&mut network, 0, number, "\"forged\"");
    assert_eq!(network.take_server(), []);
    respond(&mut network, 1, number, "\"bob\"");
    respond(&mut network, 1, number, "\"again\"");
    assert_eq!(network.take_server(), [Recorded::Answer { request: 7, outcome: Ok("\"bob\"".into()) }]);
    handle(&mut network, Side::Client(1), &recorded);
    network.wait(SECOND);
    assert_eq!(network.server().outstanding(), []);
}

#[test]
fn what_a_handler_fails_with_comes_as_a_failure() {
    let mut network = alice_and_bob();
    ask(&mut network, 1);
    let [number] = asked(&network.take(1))[..] else { panic!("bob is asked once") };
    network.clients[1].respond(number, Err(Payload::Json(b"{\"code\":\"E\"}")));
    network.flush(Side::Client(1));
    network.run_until_idle();
    assert_eq!(failures(&network.take_server()), [(1, "E".to_owned())]);
    let now = network.now;
    network.server().ask("bob", "unknown", Payload::Json(b"1"), 2, now).unwrap();
    network.flush(Side::Server);
    network.run_until_idle();
    assert_eq!(failures(&network.take_server()), [failure(2, Code::NoSuchCommand)]);
}

#[test]
fn what_can_not_be_asked_is_refused_at_once_and_leaves_nothing() {
    let mut network = with_server(server::Options { max_deliveries: 2, limit: 100, ..server_options() });
    network.client_with(ipcio::driver::client::Options { limit: 10, ..client_options("small") });
    network.run_until_idle();
    network.take_server();
    let now = network.now;
    let mut refused = |name: &str, command: &str, payload: &[u8]| {
        network.server().ask(name, command, Payload::Json(payload), 1, now).unwrap_err().code()
    };
    assert_eq!(refused("nobody", COMMAND, b"1"), Code::NoSuchClient);
    assert_eq!(refused("bob", "handshake", b"1"), Code::RestrictedCommand);
    assert_eq!(refused(&"n".repeat(70_000), COMMAND, b"1"), Code::InvalidArgument);
    assert_eq!(refused("bob", COMMAND, &[b'1'; 101]), Code::MessageTooLarge);
    assert_eq!(refused("small", COMMAND, &[b'1'; 11]), Code::MessageTooLarge);
    ask(&mut network, 2);
    ask(&mut network, 3);
    assert_eq!(ask_client(&mut network, "bob", 4), Err(Code::TooManyDeliveries));
    network.server().cancel(2);
    assert_eq!(ask_client(&mut network, "bob", 4), Ok(()));
    network.server().cancel(3);
    network.server().cancel(4);
    network.run_until_idle();
    let recorded = network.take(1);
    assert_eq!(messages(&recorded), [("2", false), ("3", false), ("4", false)]);
    handle(&mut network, Side::Client(1), &recorded);
    network.wait(SECOND);
    assert_eq!(network.server().outstanding(), []);
    close(&mut network);
    assert_eq!(ask_client(&mut network, "bob", 5), Err(Code::Closed));
}

#[test]
fn a_delivery_whose_time_is_over_times_out_and_its_answer_is_ignored() {
    let mut network = alice_and_bob();
    for (request, end) in [(1, 100), (2, 100), (3, 5000)] {
        ask(&mut network, request);
        let end = network.now + Duration::from_millis(end);
        network.server().limit_time(request, end);
    }
    let numbers = asked(&network.take(1));
    respond(&mut network, 1, numbers[1], "2");
    assert_eq!(network.take_server(), [Recorded::Answer { request: 2, outcome: Ok("2".into()) }]);
    network.wait(Duration::from_millis(99));
    assert_eq!(network.take_server(), []);
    network.wait(Duration::from_millis(2));
    assert_eq!(network.take_server(), [Recorded::TimedOut(1)]);
    respond(&mut network, 1, numbers[0], "1");
    respond(&mut network, 1, numbers[2], "3");
    assert_eq!(network.take_server(), [Recorded::Answer { request: 3, outcome: Ok("3".into()) }]);
    network.wait(6 * SECOND);
    assert_eq!(network.take_server(), []);
}

#[test]
fn a_client_that_was_away_is_asked_when_it_is_back_and_fails_when_it_is_not() {
    for comes_back in [true, false] {
        let mut network = alice_and_bob();
        let pipe = network.pipe_of(1).unwrap();
        network.cut(pipe);
        network.carry(pipe, Side::Server, usize::MAX);
        network.take_server();
        ask_client(&mut network, "bob", 1).unwrap();
        network.carry(pipe, Side::Client(1), usize::MAX);
        if comes_back {
            come_back(&mut network, 1);
            let numbers = asked(&network.take(1));
            respond(&mut network, 1, numbers[0], "1");
            let recorded = network.take_server();
            assert!(recorded.contains(&Recorded::Answer { request: 1, outcome: Ok("1".into()) }), "{recorded:?}");
        } else {
            let now = network.now;
            network.clients[1].close(now, &mut |_: Event<'_>| ());
            network.wait(3 * SECOND);
            assert_eq!(failures(&network.take_server()), [failure(1, Code::ClientLeft)]);
            assert_eq!(ask_client(&mut network, "bob", 2), Err(Code::ClientLeft));
        }
    }
}

#[test]
fn a_client_that_leaves_fails_what_it_was_asked_and_the_next_of_its_name_is_not_asked() {
    let mut network = alice_and_bob();
    ask(&mut network, 1);
    network.restart_client(1);
    network.wait(SECOND);
    assert_eq!(failures(&network.take_server()), [failure(1, Code::ClientLeft)]);
    assert_eq!(messages(&network.take(1)), []);
}

#[test]
fn a_server_that_closes_waits_for_answers_and_then_fails_what_is_left() {
    for answers in [true, false] {
        let mut network = alice_and_bob();
        ask(&mut network, 1);
        let recorded = network.take(1);
        handle(&mut network, Side::Client(1), &recorded);
        close(&mut network);
        assert!(!network.take_server().contains(&Recorded::Closed));
        if answers {
            respond(&mut network, 1, asked(&recorded)[0], "1");
            network.wait(SECOND);
            let recorded = network.take_server();
            assert_eq!(recorded[0], Recorded::Answer { request: 1, outcome: Ok("1".into()) });
            assert!(recorded.contains(&Recorded::Closed), "{recorded:?}");
        } else {
            network.wait(6 * SECOND);
            let recorded = network.take_server();
            assert_eq!(failures(&recorded), [failure(1, Code::Closed)]);
            assert_eq!(recorded.last(), Some(&Recorded::Closed));
        }
        assert_eq!(network.server().outstanding(), []);
    }
}

#[test]
fn a_delivery_does_not_overtake_messages_for_a_client_on_its_way() {
    let mut network = Network::new(1);
    let alice = network.client("alice");
    network.run_until_idle();
    network.send(alice, ipcio::driver::protocol::frame::Kind::Emit, "bob", 0, "\"first\"");
    ask_client(&mut network, "bob", 2).unwrap();
    let bob = network.client("bob");
    network.run_until_idle();
    let recorded = network.take(bob);
    assert_eq!(messages(&recorded), [("\"first\"", false), ("2", false)]);
    network.take_server();
    respond(&mut network, bob, asked(&recorded)[0], "2");
    assert_eq!(network.take_server(), [Recorded::Answer { request: 2, outcome: Ok("2".into()) }]);

    // One that does not come is not there, and a server that closes does not wait for it.
    for closes in [false, true] {
        let mut network = Network::new(1);
        let alice = network.client("alice");
        network.run_until_idle();
        network.send(alice, ipcio::driver::protocol::frame::Kind::Emit, "bob", 0, "1");
        ask_client(&mut network, "bob", 2).unwrap();
        network.take_server();
        if closes {
            close(&mut network)
        } else {
            network.wait(3 * SECOND)
        }
        assert_eq!(failures(&network.take_server()), [failure(2, Code::NoSuchClient)]);
    }
}

#[test]
fn clients_are_listed_with_what_waits_for_them() {
    let mut network = alice_and_bob();
    network.wait(SECOND);
    let came = network.now;
    let pipe = network.pipe_of(1).unwrap();
    network.cut(pipe);
    network.carry(pipe, Side::Server, usize::MAX);
    network.server().emit("bob", COMMAND, Payload::Json(b"1"), None).unwrap();
    network.server().broadcast(COMMAND, Payload::Json(b"2"), None).unwrap();
    let listed = network.server().list_clients();
    let seen: Vec<_> = listed.iter().map(|info| (info.name.as_str(), info.is_away, info.queued.0)).collect();
    assert_eq!(seen, [("alice", false, 1), ("bob", true, 2)]);
    assert!(listed[0].since < came && listed[1].since == came);
    assert!(listed[1].queued.1 > 0 && listed[1].uuid.len() == 32 && listed[1].peer == crate::network::credentials());
    network.carry(pipe, Side::Client(1), usize::MAX);
    network.wait(SECOND);
    let recorded = network.take(1);
    handle(&mut network, Side::Client(1), &recorded);
    network.wait(SECOND);
    let bob = &network.server().list_clients()[1];
    assert_eq!((bob.is_away, bob.queued), (false, (0, 0)));
}
