//! What the machines do in each of the cases that their users can meet, without a socket.

#![allow(clippy::unwrap_used, reason = "in a test it is an assertion")]

mod world;

use std::time::Duration;

use ipcio::client::Outgoing;
use ipcio::error::Code;
use ipcio::machine::{Machine, Payload};
use ipcio::protocol::frame::{Frame, Kind};
use world::{COMMAND, Said, Side, World, client_options, server_options};

const SECOND: Duration = Duration::from_secs(1);

/// A world in which `alice`, 0, and `bob`, 1, are connected and nothing has been said.
fn alice_and_bob() -> World {
    with_server(server_options())
}

fn with_server(options: ipcio::server::Options) -> World {
    let mut world = World::with_options(1, options);
    for (index, name) in ["alice", "bob"].into_iter().enumerate() {
        world.client(name);
        world.settle();
        assert_eq!(world.take(index), [Said::Connected]);
    }
    world.take_server();
    world
}

/// The payloads of messages, and whether they are marked as redelivered.
fn messages(said: &[Said]) -> Vec<(&str, bool)> {
    let found = said.iter().filter_map(|said| match said {
        Said::Message { payload, redelivered, .. } => Some((payload.as_str(), *redelivered)),
        _ => None,
    });
    found.collect()
}

/// Has the handlers of everything that was said been called.
fn handle(world: &mut World, side: Side, said: &[Said]) {
    for said in said {
        if let Said::Message { session, receipt, .. } = *said {
            world.call(side, |machine, now, _| machine.handled(session, receipt, now));
        }
    }
    world.settle();
}

/// The code with which a delivery failed, and its number.
fn failures(said: &[Said]) -> Vec<(u64, String)> {
    let found = said.iter().filter_map(|said| match said {
        Said::Answer { request, outcome: Err(failure) } => {
            let failure: serde_json::Value = serde_json::from_str(failure).unwrap();
            Some((*request, failure["code"].as_str().unwrap().to_owned()))
        }
        _ => None,
    });
    found.collect()
}

fn failure(request: u64, code: Code) -> (u64, String) {
    (request, code.as_str().to_owned())
}

#[test]
fn a_message_settles_when_its_handler_was_called_and_not_before() {
    let mut world = alice_and_bob();
    world.send(0, Kind::Send, "", 0, "1");
    let said = world.take_server();
    assert_eq!((messages(&said), world.take(0)), (vec![("1", false)], vec![]));
    handle(&mut world, Side::Server, &said);
    assert_eq!(world.take(0), [Said::Settled(1)]);
}

#[test]
fn a_message_to_another_client_settles_when_it_is_written_to_that_client() {
    let mut world = alice_and_bob();
    world.push(0, Kind::Emit, "bob", 0, "1").unwrap();
    world.flush(Side::Client(0));
    let (alice, bob) = (world.pipe_of(0).unwrap(), world.pipe_of(1).unwrap());
    world.carry(alice, Side::Server, usize::MAX);
    assert!(!world.pipes[bob].to_client.bytes.is_empty() && !world.pipes[alice].to_client.bytes.is_empty());
    world.carry(alice, Side::Client(0), usize::MAX);
    assert_eq!(world.take(0), [Said::Settled(1)]);
}

#[test]
fn a_delivery_that_nobody_handles_fails() {
    let mut world = alice_and_bob();
    let unknown =
        |name| Outgoing { kind: Kind::Request, name, command: "unknown", payload: Payload::Json(b"1"), request: 1 };
    for (request, name) in [(1, ""), (2, "bob")] {
        world.clients[0].push(&Outgoing { request, ..unknown(name) }).unwrap();
        world.flush(Side::Client(0));
        world.settle();
        assert_eq!(failures(&world.take(0)), [failure(request, Code::NoSuchCommand)]);
    }
    world.send(0, Kind::Request, "nobody", 3, "1");
    assert_eq!(failures(&world.take(0)), [failure(3, Code::NoSuchClient)]);
    assert_eq!(messages(&world.take(1)), []);
}

#[test]
fn a_message_that_nobody_handles_is_received_all_the_same() {
    let mut world = alice_and_bob();
    let unknown = Outgoing { kind: Kind::Send, name: "", command: "unknown", payload: Payload::Json(b"1"), request: 0 };
    world.clients[0].push(&unknown).unwrap();
    world.flush(Side::Client(0));
    world.settle();
    assert_eq!(world.take(0), [Said::Settled(1)]);
}

#[test]
fn commands_of_the_protocol_are_refused() {
    let mut world = alice_and_bob();
    let reserved = Outgoing { kind: Kind::Send, name: "", command: "emit", payload: Payload::Json(b"1"), request: 0 };
    assert_eq!(world.clients[0].push(&reserved).unwrap_err().code(), Code::RestrictedCommand);
    let emitted = world.server().emit("bob", "deliver", Payload::Json(b"1"), None);
    assert_eq!(emitted.unwrap_err().code(), Code::RestrictedCommand);
}

#[test]
fn a_name_that_is_in_use_is_refused_after_it_was_disputed() {
    let mut world = alice_and_bob();
    let other = world.client("bob");
    world.settle();
    assert_eq!(world.take(other), []);
    world.wait(Duration::from_millis(51));
    assert_eq!(world.take(other), [Said::Refused(Code::NameTaken)]);
    assert!(!world.clients[other].is_started() && world.clients[1].is_connected());
    world.clients[1].close(world.now, &mut |_: ipcio::machine::Event<'_>| ());
    world.flush(Side::Client(1));
    world.settle();
    world.clients[other].connect().unwrap();
    world.flush(Side::Client(other));
    world.settle();
    assert_eq!(world.take(other), [Said::Connected]);
}

#[test]
fn a_client_that_was_restarted_gets_its_name_once_the_old_connection_ends() {
    let mut world = alice_and_bob();
    let old = world.pipe_of(1).unwrap();
    // The server reads the new client's handshake before the end of the old one's connection.
    world.restart_client(1);
    let new = world.pipe_of(1).unwrap();
    world.accept(new);
    world.carry(new, Side::Server, usize::MAX);
    assert!(world.pipes[new].to_client.bytes.is_empty());
    world.carry(old, Side::Server, usize::MAX);
    world.settle();
    assert_eq!(world.take(1), [Said::Connected]);
    let ended = Said::SessionEnded { name: "bob".into(), messages: 0 };
    assert!(world.take_server().contains(&ended));
}

#[test]
fn a_client_that_was_restarted_inherits_its_messages_and_no_deliveries() {
    let mut world = alice_and_bob();
    let pipe = world.pipe_of(1).unwrap();
    world.pipes[pipe].to_client.full = true;
    world.send(0, Kind::Emit, "bob", 0, "1");
    world.pipes[pipe].cut_both();
    world.carry(pipe, Side::Server, usize::MAX);
    world.send(0, Kind::Request, "bob", 2, "2");
    world.send(0, Kind::Emit, "bob", 0, "3");
    world.restart_client(1);
    world.settle();
    assert_eq!(messages(&world.take(1)), [("1", false), ("3", false)]);
    let said = world.take(0);
    assert_eq!(failures(&said), [failure(2, Code::ClientLeft)]);
}

#[test]
fn what_a_dead_client_may_have_seen_reaches_the_next_one_of_its_name_with_a_mark() {
    let mut world = alice_and_bob();
    world.send(0, Kind::Emit, "bob", 0, "1");
    assert_eq!(messages(&world.take(1)), [("1", false)]);
    world.restart_client(1);
    world.settle();
    world.wait(SECOND);
    assert_eq!(messages(&world.take(1)), [("1", true)]);
}

#[test]
fn a_client_that_does_not_read_is_dropped_and_holds_up_nobody() {
    let mut world = with_server(ipcio::server::Options { slow_consumer_limit: 5_000, ..server_options() });
    let pipe = world.pipe_of(1).unwrap();
    world.pipes[pipe].to_client.full = true;
    let text = format!("\"{}\"", "x".repeat(1_000));
    for _ in 0..4 {
        world.send(0, Kind::Emit, "bob", 0, &text);
        assert_eq!(world.take(0), [Said::Settled(1)]);
    }
    assert_eq!(world.take_server(), []);
    world.send(0, Kind::Request, "bob", 5, &text);
    let ended = Said::SessionEnded { name: "bob".into(), messages: 5 };
    assert_eq!(world.take_server(), [Said::SessionDisconnected, ended]);
    assert_eq!(failures(&world.take(0)), [failure(5, Code::ClientLeft)]);
    // It tries again, and is a new one.
    world.wait(SECOND);
    assert_eq!(world.take(1), [Said::Disconnected, Said::Connected]);
}

#[test]
fn what_was_sent_without_a_server_waits_for_clients_that_come_later() {
    let mut world = World::new(1);
    world.kill_server();
    let alice = world.client("alice");
    world.push(alice, Kind::Emit, "bob", 0, "1").unwrap();
    world.push(alice, Kind::Broadcast, "", 0, "2").unwrap();
    world.push(alice, Kind::Request, "bob", 3, "3").unwrap();
    world.push(alice, Kind::Request, "carol", 4, "4").unwrap();
    world.start_server();
    world.wait(SECOND);
    assert_eq!(world.take(alice), [Said::Connected, Said::Settled(2)]);
    let bob = world.client("bob");
    world.settle();
    assert_eq!(messages(&world.take(bob)), [("1", false), ("2", false), ("3", false)]);
    let dave = world.client("dave");
    world.settle();
    assert_eq!(messages(&world.take(dave)), [("2", false)]);
    assert_eq!(world.take(alice), []);
    world.wait(SECOND);
    assert_eq!(failures(&world.take(alice)), [failure(4, Code::NoSuchClient)]);
}

#[test]
fn a_connection_that_breaks_loses_nothing_and_repeats_nothing() {
    let mut world = alice_and_bob();
    for text in ["1", "2", "3"] {
        world.push(0, Kind::Send, "", 0, text).unwrap();
    }
    world.flush(Side::Client(0));
    let pipe = world.pipe_of(0).unwrap();
    let one = world.pipes[pipe].to_server.bytes.len() / 3;
    // One message arrives whole, and a part of another one.
    world.pipes[pipe].to_server.cut(one + 7);
    world.pipes[pipe].to_client.cut(0);
    world.settle();
    world.wait(SECOND);
    let said = world.take_server();
    assert_eq!(messages(&said), [("1", false), ("2", false), ("3", false)]);
    assert_eq!(world.take(0), [Said::Disconnected, Said::Connected]);
    handle(&mut world, Side::Server, &said);
    assert_eq!(world.take(0), [Said::Settled(1), Said::Settled(1), Said::Settled(1)]);
}

#[test]
fn a_message_whose_handler_was_not_called_outlives_its_connection_and_then_its_server() {
    let mut world = alice_and_bob();
    world.send(0, Kind::Send, "", 0, "1");
    assert_eq!(messages(&world.take_server()), [("1", false)]);
    let pipe = world.pipe_of(0).unwrap();
    world.pipes[pipe].cut_both();
    world.wait(SECOND);
    assert_eq!(world.take(0), [Said::Disconnected, Said::Connected]);
    world.kill_server();
    world.start_server();
    world.wait(SECOND);
    assert_eq!(messages(&world.take_server()), [("1", true)]);
}

#[test]
fn a_handshake_that_was_overtaken_by_a_later_one_changes_nothing() {
    let mut world = alice_and_bob();
    let first = world.pipe_of(0).unwrap();
    world.pipes[first].cut_both();
    world.carry(first, Side::Client(0), usize::MAX);
    world.clients[0].look_again();
    world.flush(Side::Client(0));
    let second = world.pipe_of(0).unwrap();
    world.pipes[second].to_client.cut(0);
    world.pipes[second].to_server.ended = true;
    world.carry(second, Side::Client(0), usize::MAX);
    world.clients[0].look_again();
    world.flush(Side::Client(0));
    let third = world.pipe_of(0).unwrap();
    for pipe in [third, second] {
        world.pipes[pipe].to_client.ended = false;
        world.accept(pipe);
        world.carry(pipe, Side::Server, usize::MAX);
    }
    world.settle();
    world.take(0);
    world.send(0, Kind::Emit, "bob", 0, "1");
    assert_eq!(world.take(0), [Said::Settled(1)]);
    assert_eq!(world.pipe_of(0), Some(third));
}

#[test]
fn a_client_that_does_not_come_back_is_given_up() {
    let mut world = alice_and_bob();
    for pipe in &mut world.pipes {
        pipe.leave(Side::Client(1));
    }
    world.settle();
    world.send(0, Kind::Request, "bob", 1, "1");
    world.send(0, Kind::Emit, "bob", 0, "2");
    assert_eq!(world.take(0), [Said::Settled(1)]);
    world.wait(3 * SECOND);
    assert_eq!(failures(&world.take(0)), [failure(1, Code::ClientLeft)]);
    world.send(0, Kind::Request, "bob", 3, "3");
    assert_eq!(failures(&world.take(0)), [failure(3, Code::ClientLeft)]);
    assert_eq!(world.take_server(), [Said::SessionDisconnected]);
    world.wait(60 * SECOND);
    // The withdrawn delivery keeps its place in the queue.
    assert_eq!(world.take_server(), [Said::SessionEnded { name: "bob".into(), messages: 2 }]);
    world.send(0, Kind::Request, "bob", 4, "4");
    assert_eq!(failures(&world.take(0)), [failure(4, Code::NoSuchClient)]);
}

#[test]
fn a_delivery_that_a_dead_server_had_received_is_asked_again() {
    let mut world = alice_and_bob();
    world.send(0, Kind::Request, "", 1, "1");
    let said = world.take_server();
    handle(&mut world, Side::Server, &said);
    world.send(0, Kind::Send, "", 0, "2");
    world.kill_server();
    world.start_server();
    world.wait(SECOND);
    let said = world.take_server();
    assert_eq!(messages(&said), [("1", true), ("2", true)]);
    let (session, request) = said
        .iter()
        .find_map(|said| match said {
            Said::Message { session, request: Some(request), .. } => Some((*session, *request)),
            _ => None,
        })
        .unwrap();
    world.server().respond(session, request, Ok(Payload::Json(b"\"done\"")));
    world.flush(Side::Server);
    world.settle();
    assert!(world.take(0).contains(&Said::Answer { request: 1, outcome: Ok("\"done\"".into()) }));
}

#[test]
fn what_the_other_side_does_not_take_is_rejected_in_its_turn() {
    let mut world = World::with_options(1, ipcio::server::Options { limit: 100, ..server_options() });
    world.kill_server();
    let alice = world.client("alice");
    let large = format!("\"{}\"", "x".repeat(200));
    world.push(alice, Kind::Emit, "bob", 0, "1").unwrap();
    world.push(alice, Kind::Emit, "bob", 0, &large).unwrap();
    world.push(alice, Kind::Emit, "bob", 0, "2").unwrap();
    world.push(alice, Kind::Request, "", 4, &large).unwrap();
    world.start_server();
    world.wait(SECOND);
    let said = world.take(alice);
    assert_eq!(failures(&said), [failure(4, Code::MessageTooLarge)]);
    let settled: Vec<&Said> = said.iter().filter(|said| matches!(said, Said::Settled(_) | Said::Rejected(_))).collect();
    assert_eq!(settled, [&Said::Settled(1), &Said::Rejected(Code::MessageTooLarge), &Said::Settled(1)]);
    assert_eq!(world.push(alice, Kind::Send, "", 0, &large).unwrap_err().code(), Code::MessageTooLarge);
}

#[test]
fn what_the_receiver_does_not_take_fails_its_delivery() {
    let mut world = alice_and_bob();
    let carol = world.client_with(ipcio::client::Options { limit: 100, ..client_options("carol") });
    world.settle();
    world.take(carol);
    let large = format!("\"{}\"", "x".repeat(200));
    world.send(0, Kind::Request, "carol", 1, &large);
    assert_eq!(failures(&world.take(0)), [failure(1, Code::MessageTooLarge)]);
    world.send(0, Kind::Broadcast, "", 0, &large);
    assert_eq!((messages(&world.take(carol)).len(), messages(&world.take(1)).len()), (0, 1));

    world.send(carol, Kind::Request, "", 2, "1");
    let said = world.take_server();
    let Some(Said::Message { session, request: Some(request), .. }) = said.last() else { panic!("{said:?}") };
    world.server().respond(*session, *request, Ok(Payload::Json(large.as_bytes())));
    world.flush(Side::Server);
    world.settle();
    assert_eq!(failures(&world.take(carol)), [failure(2, Code::MessageTooLarge)]);
}

#[test]
fn a_payload_that_ends_early_ends_its_connection() {
    let mut world = alice_and_bob();
    let pipe = world.pipe_of(0).unwrap();
    let forged = Frame { command: COMMAND, payload: b"1],[2", ..Frame::bare(Kind::Send, 0) };
    forged.encode(&mut world.pipes[pipe].to_server.bytes);
    world.settle();
    assert_eq!(world.take_server(), [Said::SessionDisconnected]);
    assert_eq!(world.take(0), [Said::Disconnected]);
}

#[test]
fn users_that_are_not_allowed_are_refused_on_both_sides() {
    let mut world = World::new(1);
    world.uid = 7;
    let alice = world.client("alice");
    assert_eq!(world.take(alice), [Said::Refused(Code::NotTrusted)]);

    let mut options = client_options("bob");
    options.trust.others = ipcio::trust::Others::Any;
    let bob = world.client_with(options);
    world.settle();
    assert_eq!(world.take(bob), [Said::Refused(Code::NotTrusted)]);
}

#[test]
fn a_client_above_the_most_of_them_gets_its_place_when_there_is_one() {
    let mut world = with_server(ipcio::server::Options { max_clients: 2, ..server_options() });
    let carol = world.client("carol");
    world.wait(SECOND);
    assert_eq!(world.take(carol), []);
    for pipe in &mut world.pipes {
        pipe.leave(Side::Client(1));
    }
    world.settle();
    world.wait(2 * SECOND);
    assert_eq!(world.take(carol), [Said::Connected]);
}

#[test]
fn a_connection_that_does_not_say_who_it_is_is_ended() {
    let mut world = alice_and_bob();
    world.client("carol");
    let pipe = world.pipes.len() - 1;
    world.pipes[pipe].to_server.bytes.truncate(5);
    world.accept(pipe);
    world.carry(pipe, Side::Server, usize::MAX);
    let due = world.server().deadline().unwrap();
    world.now = due;
    world.call(Side::Server, |machine, now, mut events| machine.elapsed(now, &mut events));
    assert!(world.pipes[pipe].to_client.ended);
}

#[test]
fn a_server_that_closes_says_goodbye_when_everything_has_arrived() {
    let mut world = alice_and_bob();
    let pipe = world.pipe_of(1).unwrap();
    world.pipes[pipe].to_client.full = true;
    world.server().emit("bob", COMMAND, Payload::Json(b"1"), None).unwrap();
    world.flush(Side::Server);
    let now = world.now;
    let mut said = Vec::new();
    world.server().close(now, &mut |event: ipcio::machine::Event<'_>| said.push(Said::from(event)));
    world.flush(Side::Server);
    world.settle();
    assert_eq!(world.take(0), [Said::Disconnected]);
    assert!(!world.take_server().contains(&Said::Closed));
    world.pipes[pipe].to_client.full = false;
    world.pipes[pipe].to_client.blocked = false;
    world.write(pipe, Side::Server);
    world.settle();
    let said = world.take(1);
    assert_eq!(messages(&said), [("1", false)]);
    handle(&mut world, Side::Client(1), &said);
    world.wait(SECOND);
    assert_eq!(world.take_server().last(), Some(&Said::Closed));
    assert!(!world.server().is_started() && world.clients[0].is_started());
}

#[test]
fn a_server_that_closes_does_not_wait_for_ever() {
    let mut world = alice_and_bob();
    let pipe = world.pipe_of(1).unwrap();
    world.pipes[pipe].to_client.full = true;
    world.server().emit("bob", COMMAND, Payload::Json(b"1"), None).unwrap();
    world.flush(Side::Server);
    world.call(Side::Server, |_, _, _| ());
    let now = world.now;
    world.server().close(now, &mut |_: ipcio::machine::Event<'_>| ());
    world.flush(Side::Server);
    world.wait(6 * SECOND);
    assert_eq!(world.take_server().last(), Some(&Said::Closed));
}

#[test]
fn a_client_that_closes_waits_for_what_it_has_sent() {
    let mut world = alice_and_bob();
    world.push(0, Kind::Send, "", 0, "1").unwrap();
    let now = world.now;
    world.clients[0].close(now, &mut |_: ipcio::machine::Event<'_>| ());
    world.flush(Side::Client(0));
    world.settle();
    let said = world.take_server();
    assert_eq!((messages(&said), world.take(0)), (vec![("1", false)], vec![]));
    handle(&mut world, Side::Server, &said);
    assert_eq!(world.take(0), [Said::Settled(1), Said::Closed]);
    let ended = Said::SessionEnded { name: "alice".into(), messages: 0 };
    assert!(world.take_server().contains(&ended));
}

#[test]
fn a_client_that_nobody_answers_closes_after_a_while() {
    let mut world = alice_and_bob();
    world.push(0, Kind::Send, "", 0, "1").unwrap();
    let now = world.now;
    world.clients[0].close(now, &mut |_: ipcio::machine::Event<'_>| ());
    world.flush(Side::Client(0));
    world.wait(6 * SECOND);
    assert_eq!(world.take(0), [Said::Closed]);
    assert!(!world.clients[0].is_started());
    // It can be used again.
    world.clients[0].connect().unwrap();
    world.flush(Side::Client(0));
    world.settle();
    assert_eq!(world.take(0), [Said::Connected]);
}

#[test]
fn a_server_is_started_once_and_again_after_it_was_closed() {
    let mut world = World::new(1);
    let now = world.now;
    assert_eq!(world.server().start(now).unwrap_err().code(), Code::AlreadyStarted);
    let mut said = Vec::new();
    world.server().close(now, &mut |event: ipcio::machine::Event<'_>| said.push(Said::from(event)));
    world.flush(Side::Server);
    assert_eq!(said, [Said::Closed]);
    world.server().start(now).unwrap();
    let client = world.client("alice");
    assert_eq!(world.clients[client].connect().unwrap_err().code(), Code::AlreadyStarted);
}
