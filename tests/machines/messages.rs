//! What becomes of messages.

use std::time::Duration;

use ipcio::Code;
use ipcio::driver::client::{self, Outgoing};
use ipcio::driver::machine::{Event, Payload};
use ipcio::driver::protocol::frame::{Frame, Kind, LARGE_TEXT};
use ipcio::driver::server;

use crate::world::{COMMAND, Said, Side, World, client_options, server_options};
use crate::{SECOND, alice_and_bob, failure, failures, handle, messages, next_turn, with_server};
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
fn a_run_is_as_many_messages_in_their_order() {
    let mut world = alice_and_bob();
    let texts = ["1", "\"two\"", "[3]"];
    let answer = |request| Said::Answer { request, outcome: Ok("null".into()) };
    for (kind, request, expected) in [
        (Kind::Send, 0, vec![Said::Settled(1), Said::Settled(1), Said::Settled(1)]),
        (Kind::Request, 7, vec![answer(7), answer(8), answer(9)]),
    ] {
        let first = Outgoing { kind, name: "", command: COMMAND, payload: Payload::Json(b""), request };
        world.clients[0].push_run(&first, texts.iter().map(|text| text.as_bytes()));
        world.flush(Side::Client(0));
        world.settle();
        let said = world.take_server();
        assert_eq!(messages(&said), texts.map(|text| (text, false)));
        for message in &said {
            if let Said::Message { session, request: Some(request), .. } = *message {
                world.server().respond(session, request, Ok(Payload::Json(b"null")));
            }
        }
        handle(&mut world, Side::Server, &said);
        world.flush(Side::Server);
        world.settle();
        assert_eq!(world.take(0), expected);
    }
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
fn what_waits_for_clients_that_come_later_takes_no_more_room_than_a_slow_client_may() {
    let mut world = World::with_options(1, server::Options { slow_consumer_limit: 1_000, ..server_options() });
    world.kill_server();
    let alice = world.client("alice");
    let text = format!("\"{}\"", "x".repeat(600));
    world.push(alice, Kind::Emit, "bob", 0, &text).unwrap();
    world.push(alice, Kind::Emit, "bob", 0, &text).unwrap();
    world.push(alice, Kind::Request, "bob", 3, &text).unwrap();
    world.start_server();
    world.wait(SECOND);
    assert_eq!(failures(&world.take(alice)), [failure(3, Code::NoSuchClient)]);
    let bob = world.client("bob");
    world.settle();
    assert_eq!(messages(&world.take(bob)), [(text.as_str(), false)]);
}

#[test]
fn what_the_other_side_does_not_take_is_rejected_in_its_turn() {
    let mut world = World::with_options(1, server::Options { limit: 100, ..server_options() });
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
    let carol = world.client_with(client::Options { limit: 100, ..client_options("carol") });
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
fn a_client_with_much_to_read_gets_more_when_it_has_dealt_with_some() {
    let mut world = alice_and_bob();
    let mut read = Vec::new();
    for n in 0..2_100 {
        world.server().broadcast(COMMAND, Payload::Json(n.to_string().as_bytes()), None).unwrap();
        world.flush(Side::Server);
        world.settle();
        read.append(&mut world.take(0));
    }
    let numbers = |said: &[Said]| messages(said).iter().map(|(text, _)| text.parse().unwrap()).collect::<Vec<u32>>();
    assert_eq!(numbers(&read), Vec::from_iter(0..2_000));

    handle(&mut world, Side::Client(0), &read);
    assert_eq!(numbers(&world.take(0)), Vec::from_iter(2_000..2_100));

    // What is worth a write of its own does not wait, and takes what waits with it.
    let large = format!("\"{}\"", "x".repeat(20_000));
    let waiting = messages(&world.take(1)).len();
    world.server().broadcast(COMMAND, Payload::Json(large.as_bytes()), None).unwrap();
    world.flush(Side::Server);
    world.settle();
    assert_eq!((waiting, messages(&world.take(1)).len()), (2_000, 0));
    world.server().broadcast(COMMAND, Payload::Json(b"1"), None).unwrap();
    world.flush(Side::Server);
    world.settle();
    assert_eq!(messages(&world.take(1)).len(), 102);
}

#[test]
fn whoever_parses_large_texts_gets_them_unchecked_and_nobody_else_does() {
    let mut world = with_server(server::Options { parses_texts: true, ..server_options() });
    let alice = 0;
    let large = format!("{}1,2", " ".repeat(LARGE_TEXT));
    for (kind, name, given) in [(Kind::Send, "", true), (Kind::Request, "", true), (Kind::Emit, "bob", false)] {
        world.take_server();
        world.take(alice);
        world.send(alice, kind, name, u64::from(kind == Kind::Request), &large);
        let said = world.take_server();
        assert_eq!(messages(&said), if given { vec![(large.as_str(), false)] } else { vec![] }, "{kind:?}");
        if let Some(Said::Message { session, .. }) = said.first() {
            let session = *session;
            let now = world.now;
            world.server().reject_payload(session, now, &mut |_: Event<'_>| ());
            world.flush(Side::Server);
            world.settle();
        }
        assert_eq!(world.take(alice), [Said::Disconnected], "{kind:?}");
        assert_eq!(messages(&world.take(1)), []);
        world.restart_client(alice);
        world.settle();
    }
}

#[test]
fn a_client_leaves_a_server_that_it_distrusts_and_comes_back() {
    let mut world = World::with_options(1, server_options());
    let alice = world.client_with(client::Options { parses_texts: true, ..client_options("alice") });
    world.settle();
    let large = format!("{}1,2", " ".repeat(LARGE_TEXT));
    world.server().emit("alice", COMMAND, Payload::Json(large.as_bytes()), None).unwrap();
    world.flush(Side::Server);
    world.settle();
    let said = world.take(alice);
    assert_eq!(messages(&said), [(large.as_str(), false)]);
    let now = world.now;
    let mut left = Vec::new();
    world.clients[alice].reject_payload(now, &mut |event: Event<'_>| left.push(Said::from(event)));
    assert_eq!(left, [Said::Disconnected]);
    world.wait(SECOND);
    assert!(world.clients[alice].is_connected());
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
fn a_client_that_does_not_read_is_dropped_and_holds_up_nobody() {
    let mut world = with_server(server::Options { slow_consumer_limit: 5_000, ..server_options() });
    let pipe = world.pipe_of(1).unwrap();
    world.pipes[pipe].to_client.full = true;
    let text = format!("\"{}\"", "x".repeat(1_000));
    for _ in 0..4 {
        world.send(0, Kind::Emit, "bob", 0, &text);
        assert_eq!(world.take(0), [Said::Settled(1)]);
    }
    assert_eq!(world.take_server(), []);
    world.send(0, Kind::Request, "bob", 5, &text);
    next_turn(&mut world);
    let ended = Said::SessionEnded { name: "bob".into(), messages: 5 };
    assert_eq!(world.take_server(), [Said::SessionDisconnected, ended]);
    assert_eq!(failures(&world.take(0)), [failure(5, Code::ClientLeft)]);
    // It tries again, and is a new one.
    world.wait(SECOND);
    assert_eq!(world.take(1), [Said::Disconnected, Said::Connected]);
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
fn an_acknowledgement_that_was_lost_with_its_connection_is_given_again() {
    let mut world = alice_and_bob();
    world.send(0, Kind::Send, "", 0, "1");
    let said = world.take_server();
    let pipe = world.pipe_of(0).unwrap();
    for said in &said {
        if let Said::Message { session, receipt, .. } = *said {
            world.call(Side::Server, |machine, now, _| machine.handled(session, receipt, now));
        }
    }
    world.pipes[pipe].cut_both();
    world.wait(SECOND);
    assert_eq!(world.take(0), [Said::Disconnected, Said::Connected, Said::Settled(1)]);
}

#[test]
fn a_server_that_dies_in_the_middle_has_acknowledged_nothing_that_it_had_not_passed_on() {
    let mut world = alice_and_bob();
    let unknown = Outgoing { kind: Kind::Request, name: "", command: "?", payload: Payload::Json(b"1"), request: 1 };
    world.clients[0].push(&unknown).unwrap();
    world.push(0, Kind::Emit, "bob", 0, "2").unwrap();
    // Its first write is the answer to alice, its second one would be the message to bob.
    world.mortality = Some(1);
    world.flush(Side::Client(0));
    world.settle();
    assert_eq!(failures(&world.take(0)), [failure(1, Code::NoSuchCommand)]);
    world.mortality = None;
    world.start_server();
    world.wait(SECOND);
    assert_eq!(messages(&world.take(1)), [("2", true)]);
    assert!(world.take(0).contains(&Said::Settled(1)));
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
fn whoever_comes_again_to_a_new_server_gets_a_broadcast_that_waits_with_a_mark() {
    let mut world = alice_and_bob();
    world.kill_server();
    world.settle();
    world.push(0, Kind::Broadcast, "", 0, "1").unwrap();
    world.start_server();
    world.wait(SECOND);
    assert_eq!(messages(&world.take(1)), [("1", false)]);
    let now = world.now;
    world.clients[1].close(now, &mut |_: Event<'_>| ());
    world.flush(Side::Client(1));
    world.wait(Duration::from_millis(100));
    world.clients[1].connect().unwrap();
    world.flush(Side::Client(1));
    world.settle();
    assert_eq!(messages(&world.take(1)), [("1", true)]);
    let carol = world.client("carol");
    world.settle();
    assert_eq!(messages(&world.take(carol)), [("1", false)]);
}

#[test]
fn beyond_the_limit_of_what_is_unfinished_large_messages_arrive_one_after_the_other() {
    let options = server::Options { unfinished_limit: 300_000, ..server_options() };
    let mut world = World::with_options(1, options);
    let clients: Vec<usize> = (0..5).map(|index| world.client(&format!("client {index}"))).collect();
    world.settle();
    world.take_server();
    for &client in &clients {
        world.push(client, Kind::Send, "", 0, &format!("\"{}\"", "x".repeat(200_000))).unwrap();
        world.flush(Side::Client(client));
    }
    // Little by little, so that all of them are under way at once.
    for _ in 0..20 {
        for pipe in 0..world.pipes.len() {
            world.carry(pipe, Side::Server, 20_000);
        }
    }
    let paused = world.pipes.iter().filter(|pipe| pipe.to_server.paused).count();
    assert!(paused > 0, "nobody waits");
    world.settle();
    // The next one comes when a handler was called for the one before.
    let mut got = 0;
    while !world.server_said.is_empty() {
        let said = world.take_server();
        got += messages(&said).len();
        handle(&mut world, Side::Server, &said);
        world.settle();
    }
    assert_eq!((got, world.pipes.iter().filter(|pipe| pipe.to_server.paused).count()), (5, 0));
}
