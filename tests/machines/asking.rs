//! What a server asks its clients.

use std::time::Duration;

use ipcio::Code;
use ipcio::driver::machine::{Event, Payload};
use ipcio::driver::server;

use crate::world::{COMMAND, Said, Side, World, client_options, server_options};
use crate::{SECOND, alice_and_bob, come_back, failure, failures, handle, messages, with_server};

/// Bob is asked, and everything moves that can.
fn ask(world: &mut World, request: u64) {
    ask_client(world, "bob", request).unwrap();
    world.settle();
}

fn ask_client(world: &mut World, name: &str, request: u64) -> Result<(), Code> {
    let now = world.now;
    let text = request.to_string();
    let result = world.server().ask(name, COMMAND, Payload::Json(text.as_bytes()), request, now);
    world.flush(Side::Server);
    result.map_err(|error| error.code())
}

/// The numbers under which a client was asked.
fn asked(said: &[Said]) -> Vec<u64> {
    let found = said.iter().filter_map(|said| match said {
        Said::Message { request, .. } => *request,
        _ => None,
    });
    found.collect()
}

fn respond(world: &mut World, client: usize, request: u64, text: &str) {
    world.clients[client].respond(request, Ok(Payload::Json(text.as_bytes())));
    world.flush(Side::Client(client));
    world.settle();
}

fn close(world: &mut World) {
    let (now, mut said) = (world.now, Vec::new());
    world.server().close(now, &mut |event: Event<'_>| said.push(Said::from(event)));
    world.server_said.extend(said);
    world.flush(Side::Server);
    world.settle();
}

#[test]
fn a_client_is_asked_by_the_server_and_only_that_client_answers() {
    let mut world = alice_and_bob();
    ask(&mut world, 7);
    let said = world.take(1);
    assert!(matches!(&said[0], Said::Message { from, redelivered: false, .. } if from.is_empty()), "{said:?}");
    let [number] = asked(&said)[..] else { panic!("bob is asked once") };
    respond(&mut world, 0, number, "\"forged\"");
    assert_eq!(world.take_server(), []);
    respond(&mut world, 1, number, "\"bob\"");
    respond(&mut world, 1, number, "\"again\"");
    assert_eq!(world.take_server(), [Said::Answer { request: 7, outcome: Ok("\"bob\"".into()) }]);
    handle(&mut world, Side::Client(1), &said);
    world.wait(SECOND);
    assert_eq!(world.server().outstanding(), []);
}

#[test]
fn what_a_handler_fails_with_comes_as_a_failure() {
    let mut world = alice_and_bob();
    ask(&mut world, 1);
    let [number] = asked(&world.take(1))[..] else { panic!("bob is asked once") };
    world.clients[1].respond(number, Err(Payload::Json(b"{\"code\":\"E\"}")));
    world.flush(Side::Client(1));
    world.settle();
    assert_eq!(failures(&world.take_server()), [(1, "E".to_owned())]);
    let now = world.now;
    world.server().ask("bob", "unknown", Payload::Json(b"1"), 2, now).unwrap();
    world.flush(Side::Server);
    world.settle();
    assert_eq!(failures(&world.take_server()), [failure(2, Code::NoSuchCommand)]);
}

#[test]
fn what_can_not_be_asked_is_refused_at_once_and_leaves_nothing() {
    let mut world = with_server(server::Options { max_deliveries: 2, limit: 100, ..server_options() });
    world.client_with(ipcio::driver::client::Options { limit: 10, ..client_options("small") });
    world.settle();
    world.take_server();
    let now = world.now;
    let mut refused = |name: &str, command: &str, payload: &[u8]| {
        world.server().ask(name, command, Payload::Json(payload), 1, now).unwrap_err().code()
    };
    assert_eq!(refused("nobody", COMMAND, b"1"), Code::NoSuchClient);
    assert_eq!(refused("bob", "handshake", b"1"), Code::RestrictedCommand);
    assert_eq!(refused(&"n".repeat(70_000), COMMAND, b"1"), Code::InvalidArgument);
    assert_eq!(refused("bob", COMMAND, &[b'1'; 101]), Code::MessageTooLarge);
    assert_eq!(refused("small", COMMAND, &[b'1'; 11]), Code::MessageTooLarge);
    ask(&mut world, 2);
    ask(&mut world, 3);
    assert_eq!(ask_client(&mut world, "bob", 4), Err(Code::TooManyDeliveries));
    world.server().cancel(2);
    assert_eq!(ask_client(&mut world, "bob", 4), Ok(()));
    world.server().cancel(3);
    world.server().cancel(4);
    world.settle();
    let said = world.take(1);
    assert_eq!(messages(&said), [("2", false), ("3", false), ("4", false)]);
    handle(&mut world, Side::Client(1), &said);
    world.wait(SECOND);
    assert_eq!(world.server().outstanding(), []);
    close(&mut world);
    assert_eq!(ask_client(&mut world, "bob", 5), Err(Code::Closed));
}

#[test]
fn a_delivery_whose_time_is_over_times_out_and_its_answer_is_ignored() {
    let mut world = alice_and_bob();
    for (request, end) in [(1, 100), (2, 100), (3, 5000)] {
        ask(&mut world, request);
        let end = world.now + Duration::from_millis(end);
        world.server().limit_time(request, end);
    }
    let numbers = asked(&world.take(1));
    respond(&mut world, 1, numbers[1], "2");
    assert_eq!(world.take_server(), [Said::Answer { request: 2, outcome: Ok("2".into()) }]);
    world.wait(Duration::from_millis(99));
    assert_eq!(world.take_server(), []);
    world.wait(Duration::from_millis(2));
    assert_eq!(world.take_server(), [Said::TimedOut(1)]);
    respond(&mut world, 1, numbers[0], "1");
    respond(&mut world, 1, numbers[2], "3");
    assert_eq!(world.take_server(), [Said::Answer { request: 3, outcome: Ok("3".into()) }]);
    world.wait(6 * SECOND);
    assert_eq!(world.take_server(), []);
}

#[test]
fn a_client_that_was_away_is_asked_when_it_is_back_and_fails_when_it_is_not() {
    for comes_back in [true, false] {
        let mut world = alice_and_bob();
        let pipe = world.pipe_of(1).unwrap();
        world.cut(pipe);
        world.carry(pipe, Side::Server, usize::MAX);
        world.take_server();
        ask_client(&mut world, "bob", 1).unwrap();
        world.carry(pipe, Side::Client(1), usize::MAX);
        if comes_back {
            come_back(&mut world, 1);
            let numbers = asked(&world.take(1));
            respond(&mut world, 1, numbers[0], "1");
            let said = world.take_server();
            assert!(said.contains(&Said::Answer { request: 1, outcome: Ok("1".into()) }), "{said:?}");
        } else {
            let now = world.now;
            world.clients[1].close(now, &mut |_: Event<'_>| ());
            world.wait(3 * SECOND);
            assert_eq!(failures(&world.take_server()), [failure(1, Code::ClientLeft)]);
            assert_eq!(ask_client(&mut world, "bob", 2), Err(Code::ClientLeft));
        }
    }
}

#[test]
fn a_client_that_leaves_fails_what_it_was_asked_and_the_next_of_its_name_is_not_asked() {
    let mut world = alice_and_bob();
    ask(&mut world, 1);
    world.restart_client(1);
    world.wait(SECOND);
    assert_eq!(failures(&world.take_server()), [failure(1, Code::ClientLeft)]);
    assert_eq!(messages(&world.take(1)), []);
}

#[test]
fn a_server_that_closes_waits_for_answers_and_then_fails_what_is_left() {
    for answers in [true, false] {
        let mut world = alice_and_bob();
        ask(&mut world, 1);
        let said = world.take(1);
        handle(&mut world, Side::Client(1), &said);
        close(&mut world);
        assert!(!world.take_server().contains(&Said::Closed));
        if answers {
            respond(&mut world, 1, asked(&said)[0], "1");
            world.wait(SECOND);
            let said = world.take_server();
            assert_eq!(said[0], Said::Answer { request: 1, outcome: Ok("1".into()) });
            assert!(said.contains(&Said::Closed), "{said:?}");
        } else {
            world.wait(6 * SECOND);
            let said = world.take_server();
            assert_eq!(failures(&said), [failure(1, Code::Closed)]);
            assert_eq!(said.last(), Some(&Said::Closed));
        }
        assert_eq!(world.server().outstanding(), []);
    }
}

#[test]
fn a_delivery_does_not_overtake_messages_for_a_client_on_its_way() {
    let mut world = World::new(1);
    let alice = world.client("alice");
    world.settle();
    world.send(alice, ipcio::driver::protocol::frame::Kind::Emit, "bob", 0, "\"first\"");
    ask_client(&mut world, "bob", 2).unwrap();
    let bob = world.client("bob");
    world.settle();
    let said = world.take(bob);
    assert_eq!(messages(&said), [("\"first\"", false), ("2", false)]);
    world.take_server();
    respond(&mut world, bob, asked(&said)[0], "2");
    assert_eq!(world.take_server(), [Said::Answer { request: 2, outcome: Ok("2".into()) }]);

    // One that does not come is not there, and a server that closes does not wait for it.
    for closes in [false, true] {
        let mut world = World::new(1);
        let alice = world.client("alice");
        world.settle();
        world.send(alice, ipcio::driver::protocol::frame::Kind::Emit, "bob", 0, "1");
        ask_client(&mut world, "bob", 2).unwrap();
        world.take_server();
        if closes {
            close(&mut world)
        } else {
            world.wait(3 * SECOND)
        }
        assert_eq!(failures(&world.take_server()), [failure(2, Code::NoSuchClient)]);
    }
}

#[test]
fn clients_are_listed_with_what_waits_for_them() {
    let mut world = alice_and_bob();
    world.wait(SECOND);
    let came = world.now;
    let pipe = world.pipe_of(1).unwrap();
    world.cut(pipe);
    world.carry(pipe, Side::Server, usize::MAX);
    world.server().emit("bob", COMMAND, Payload::Json(b"1"), None).unwrap();
    world.server().broadcast(COMMAND, Payload::Json(b"2"), None).unwrap();
    let listed = world.server().list_clients();
    let seen: Vec<_> = listed.iter().map(|info| (info.name.as_str(), info.is_away, info.queued.0)).collect();
    assert_eq!(seen, [("alice", false, 1), ("bob", true, 2)]);
    assert!(listed[0].since < came && listed[1].since == came);
    assert!(listed[1].queued.1 > 0 && listed[1].uuid.len() == 32 && listed[1].peer == crate::world::credentials());
    world.carry(pipe, Side::Client(1), usize::MAX);
    world.wait(SECOND);
    let said = world.take(1);
    handle(&mut world, Side::Client(1), &said);
    world.wait(SECOND);
    let bob = &world.server().list_clients()[1];
    assert_eq!((bob.is_away, bob.queued), (false, (0, 0)));
}
