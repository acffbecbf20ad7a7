//! What becomes of messages.

use std::time::Duration;

use ipcio::Code;
use ipcio::driver::client::{self, Outgoing};
use ipcio::driver::machine::{Event, Payload};
use ipcio::driver::protocol::frame::{Frame, Kind, LARGE_TEXT};
use ipcio::driver::server;

use crate::network::{COMMAND, Network, Recorded, Side, client_options, server_options};
use crate::{SECOND, alice_and_bob, failure, failures, handle, messages, next_turn, with_server};
#[test]
fn a_message_settles_when_its_handler_was_called_and_not_before() {
    let mut network = alice_and_bob();
    network.send(0, Kind::Send, "", 0, "1");
    let recorded = network.take_server();
    assert_eq!((messages(&recorded), network.take(0)), (vec![("1", false)], vec![]));
    handle(&mut network, Side::Server, &recorded);
    assert_eq!(network.take(0), [Recorded::Settled(1)]);
}

#[test]
fn a_message_to_another_client_settles_when_it_is_written_to_that_client() {
    let mut network = alice_and_bob();
    network.push(0, Kind::Emit, "bob", 0, "1").unwrap();
    network.flush(Side::Client(0));
    let (alice, bob) = (network.pipe_of(0).unwrap(), network.pipe_of(1).unwrap());
    network.carry(alice, Side::Server, usize::MAX);
    assert!(!network.pipes[bob].to_client.bytes.is_empty() && !network.pipes[alice].to_client.bytes.is_empty());
    network.carry(alice, Side::Client(0), usize::MAX);
    assert_eq!(network.take(0), [Recorded::Settled(1)]);
}

#[test]
fn a_delivery_without_a_handler_fails() {
    let mut network = alice_and_bob();
    let unknown =
        |name| Outgoing { kind: Kind::Request, name, command: "unknown", payload: Payload::Json(b"1"), request: 1 };
    for (request, name) in [(1, ""), (2, "bob")] {
        network.clients[0].push(&Outgoing { request, ..unknown(name) }).unwrap();
        network.flush(Side::Client(0));
        network.run_until_idle();
        assert_eq!(failures(&network.take(0)), [failure(request, Code::NoSuchCommand)]);
    }
    network.send(0, Kind::Request, "nobody", 3, "1");
    assert_eq!(failures(&network.take(0)), [failure(3, Code::NoSuchClient)]);
    assert_eq!(messages(&network.take(1)), []);
}

#[test]
fn a_run_is_as_many_messages_in_their_order() {
    let mut network = alice_and_bob();
    let texts = ["1", "\"two\"", "[3]"];
    let answer = |request| Recorded::Answer { request, outcome: Ok("null".into()) };
    for (kind, request, expected) in [
        (Kind::Send, 0, vec![Recorded::Settled(1), Recorded::Settled(1), Recorded::Settled(1)]),
        (Kind::Request, 7, vec![answer(7), answer(8), answer(9)]),
    ] {
        let first = Outgoing { kind, name: "", command: COMMAND, payload: Payload::Json(b""), request };
        network.clients[0].push_run(&first, texts.iter().map(|text| text.as_bytes()));
        network.flush(Side::Client(0));
        network.run_until_idle();
        let recorded = network.take_server();
        assert_eq!(messages(&recorded), texts.map(|text| (text, false)));
        for message in &recorded {
            if let Recorded::Message { session, request: Some(request), .. } = *message {
                network.server().respond(session, request, Ok(Payload::Json(b"null")));
            }
        }
        handle(&mut network, Side::Server, &recorded);
        network.flush(Side::Server);
        network.run_until_idle();
        assert_eq!(network.take(0), expected);
    }
}

#[test]
fn a_message_without_a_handler_is_still_received() {
    let mut network = alice_and_bob();
    let unknown = Outgoing { kind: Kind::Send, name: "", command: "unknown", payload: Payload::Json(b"1"), request: 0 };
    network.clients[0].push(&unknown).unwrap();
    network.flush(Side::Client(0));
    network.run_until_idle();
    assert_eq!(network.take(0), [Recorded::Settled(1)]);
}

#[test]
fn commands_of_the_protocol_are_refused() {
    let mut network = alice_and_bob();
    let reserved = Outgoing { kind: Kind::Send, name: "", command: "emit", payload: Payload::Json(b"1"), request: 0 };
    assert_eq!(network.clients[0].push(&reserved).unwrap_err().code(), Code::RestrictedCommand);
    let emitted = network.server().emit("bob", "deliver", Payload::Json(b"1"), None);
    assert_eq!(emitted.unwrap_err().code(), Code::RestrictedCommand);
}

#[test]
fn what_was_sent_without_a_server_waits_for_clients_that_come_later() {
    let mut network = Network::new(1);
    network.kill_server();
    let alice = network.client("alice");
    network.push(alice, Kind::Emit, "bob", 0, "1").unwrap();
    network.push(alice, Kind::Broadcast, "", 0, "2").unwrap();
    network.push(alice, Kind::Request, "bob", 3, "3").unwrap();
    network.push(alice, Kind::Request, "carol", 4, "4").unwrap();
    network.start_server();
    network.wait(SECOND);
    assert_eq!(network.take(alice), [Recorded::Connected, Recorded::Settled(2)]);
    let bob = network.client("bob");
    network.run_until_idle();
    assert_eq!(messages(&network.take(bob)), [("1", false), ("2", false), ("3", false)]);
    let dave = network.client("dave");
    network.run_until_idle();
    assert_eq!(messages(&network.take(dave)), [("2", false)]);
    assert_eq!(network.take(alice), []);
    network.wait(SECOND);
    assert_eq!(failures(&network.take(alice)), [failure(4, Code::NoSuchClient)]);
}

#[test]
fn what_waits_for_clients_that_come_later_takes_no_more_room_than_a_slow_client_may() {
    let mut network = Network::with_options(1, server::Options { slow_consumer_limit: 1_000, ..server_options() });
    network.kill_server();
    let alice = network.client("alice");
    let text = format!("\"{}\"", "x".repeat(600));
    network.push(alice, Kind::Emit, "bob", 0, &text).unwrap();
    network.push(alice, Kind::Emit, "bob", 0, &text).unwrap();
    network.push(alice, Kind::Request, "bob", 3, &text).unwrap();
    network.start_server();
    network.wait(SECOND);
    assert_eq!(failures(&network.take(alice)), [failure(3, Code::NoSuchClient)]);
    let bob = network.client("bob");
    network.run_until_idle();
    assert_eq!(messages(&network.take(bob)), [(text.as_str(), false)]);
}

#[test]
fn what_the_other_side_does_not_take_is_rejected_in_its_turn() {
    let mut network = Network::with_options(1, server::Options { limit: 100, ..server_options() });
    network.kill_server();
    let alice = network.client("alice");
    let large = format!("\"{}\"", "x".repeat(200));
    network.push(alice, Kind::Emit, "bob", 0, "1").unwrap();
    network.push(alice, Kind::Emit, "bob", 0, &large).unwrap();
    network.push(alice, Kind::Emit, "bob", 0, "2").unwrap();
    network.push(alice, Kind::Request, "", 4, &large).unwrap();
    network.start_server();
    network.wait(SECOND);
    let recorded = network.take(alice);
    assert_eq!(failures(&recorded), [failure(4, Code::MessageTooLarge)]);
    let settled: Vec<&Recorded> =
        recorded.iter().filter(|recorded| matches!(recorded, Recorded::Settled(_) | Recorded::Rejected(_))).collect();
    assert_eq!(settled, [&Recorded::Settled(1), &Recorded::Rejected(Code::MessageTooLarge), &Recorded::Settled(1)]);
    assert_eq!(network.push(alice, Kind::Send, "", 0, &large).unwrap_err().code(), Code::MessageTooLarge);
}

#[test]
fn what_the_receiver_does_not_take_fails_its_delivery() {
    let mut network = alice_and_bob();
    let carol = network.client_with(client::Options { limit: 100, ..client_options("carol") });
    network.run_until_idle();
    network.take(carol);
    let large = format!("\"{}\"", "x".repeat(200));
    network.send(0, Kind::Request, "carol", 1, &large);
    assert_eq!(failures(&network.take(0)), [failure(1, Code::MessageTooLarge)]);
    network.send(0, Kind::Broadcast, "", 0, &large);
    assert_eq!((messages(&network.take(carol)).len(), messages(&network.take(1)).len()), (0, 1));

    network.send(carol, Kind::Request, "", 2, "1");
    let recorded = network.take_server();
    let Some(Recorded::Message { session, request: Some(request), .. }) = recorded.last() else {
        panic!("{recorded:?}")
    };
    network.server().respond(*session, *request, Ok(Payload::Json(large.as_bytes())));
    network.flush(Side::Server);
    network.run_until_idle();
    assert_eq!(failures(&network.take(carol)), [failure(2, Code::MessageTooLarge)]);
}

#[test]
fn a_client_with_much_to_read_gets_more_when_it_has_dealt_with_some() {
    let mut network = alice_and_bob();
    let mut read = Vec::new();
    for n in 0..2_100 {
        network.server().broadcast(COMMAND, Payload::Json(n.to_string().as_bytes()), None).unwrap();
        network.flush(Side::Server);
        network.run_until_idle();
        read.append(&mut network.take(0));
    }
    let numbers =
        |recorded: &[Recorded]| messages(recorded).iter().map(|(text, _)| text.parse().unwrap()).collect::<Vec<u32>>();
    assert_eq!(numbers(&read), Vec::from_iter(0..2_000));

    handle(&mut network, Side::Client(0), &read);
    assert_eq!(numbers(&network.take(0)), Vec::from_iter(2_000..2_100));

    // A large message does not wait, and what waits is written with it.
    let large = format!("\"{}\"", "x".repeat(20_000));
    let waiting = messages(&network.take(1)).len();
    network.server().broadcast(COMMAND, Payload::Json(large.as_bytes()), None).unwrap();
    network.flush(Side::Server);
    network.run_until_idle();
    assert_eq!((waiting, messages(&network.take(1)).len()), (2_000, 0));
    network.server().broadcast(COMMAND, Payload::Json(b"1"), None).unwrap();
    network.flush(Side::Server);
    network.run_until_idle();
    assert_eq!(messages(&network.take(1)).len(), 102);
}

#[test]
fn only_applications_that_parse_large_texts_get_them_unchecked() {
    let mut network = with_server(server::Options { parses_texts: true, ..server_options() });
    let alice = 0;
    let large = format!("{}1,2", " ".repeat(LARGE_TEXT));
    for (kind, name, given) in [(Kind::Send, "", true), (Kind::Request, "", true), (Kind::Emit, "bob", false)] {
        network.take_server();
        network.take(alice);
        network.send(alice, kind, name, u64::from(kind == Kind::Request), &large);
        let recorded = network.take_server();
        assert_eq!(messages(&recorded), if given { vec![(large.as_str(), false)] } else { vec![] }, "{kind:?}");
        if let Some(Recorded::Message { session, .. }) = recorded.first() {
            let session = *session;
            let now = network.now;
            network.server().reject_payload(session, now, &mut |_: Event<'_>| ());
            network.flush(Side::Server);
            network.run_until_idle();
        }
        assert_eq!(network.take(alice), [Recorded::Disconnected], "{kind:?}");
        assert_eq!(messages(&network.take(1)), []);
        network.restart_client(alice);
        network.run_until_idle();
    }
}

#[test]
fn a_client_leaves_a_server_that_it_distrusts_and_comes_back() {
    let mut network = Network::with_options(1, server_options());
    let alice = network.client_with(client::Options { parses_texts: true, ..client_options("alice") });
    network.run_until_idle();
    let large = format!("{}1,2", " ".repeat(LARGE_TEXT));
    network.server().emit("alice", COMMAND, Payload::Json(large.as_bytes()), None).unwrap();
    network.flush(Side::Server);
    network.run_until_idle();
    let recorded = network.take(alice);
    assert_eq!(messages(&recorded), [(large.as_str(), false)]);
    let now = network.now;
    let mut left = Vec::new();
    network.clients[alice].reject_payload(now, &mut |event: Event<'_>| left.push(Recorded::from(event)));
    assert_eq!(left, [Recorded::Disconnected]);
    network.wait(SECOND);
    assert!(network.clients[alice].is_connected());
}

#[test]
fn a_payload_that_ends_early_ends_its_connection() {
    let mut network = alice_and_bob();
    let pipe = network.pipe_of(0).unwrap();
    let forged = Frame { command: COMMAND, payload: b"1],[2", ..Frame::bare(Kind::Send, 0) };
    forged.encode(&mut network.pipes[pipe].to_server.bytes);
    network.run_until_idle();
    assert_eq!(network.take_server(), [Recorded::SessionDisconnected]);
    assert_eq!(network.take(0), [Recorded::Disconnected]);
}

#[test]
fn a_client_that_does_not_read_is_dropped_and_does_not_delay_others() {
    let mut network = with_server(server::Options { slow_consumer_limit: 5_000, ..server_options() });
    let pipe = network.pipe_of(1).unwrap();
    network.pipes[pipe].to_client.full = true;
    let text = format!("\"{}\"", "x".repeat(1_000));
    for _ in 0..4 {
        network.send(0, Kind::Emit, "bob", 0, &text);
        assert_eq!(network.take(0), [Recorded::Settled(1)]);
    }
    assert_eq!(network.take_server(), []);
    network.send(0, Kind::Request, "bob", 5, &text);
    next_turn(&mut network);
    let ended = Recorded::SessionEnded { name: "bob".into(), messages: 5 };
    assert_eq!(network.take_server(), [Recorded::SessionDisconnected, ended]);
    assert_eq!(failures(&network.take(0)), [failure(5, Code::ClientLeft)]);
    // It tries again, and is a new one.
    network.wait(SECOND);
    assert_eq!(network.take(1), [Recorded::Disconnected, Recorded::Connected]);
}

#[test]
fn a_delivery_that_a_dead_server_had_received_is_asked_again() {
    let mut network = alice_and_bob();
    network.send(0, Kind::Request, "", 1, "1");
    let recorded = network.take_server();
    handle(&mut network, Side::Server, &recorded);
    network.send(0, Kind::Send, "", 0, "2");
    network.kill_server();
    network.start_server();
    network.wait(SECOND);
    let recorded = network.take_server();
    assert_eq!(messages(&recorded), [("1", true), ("2", true)]);
    let (session, request) = recorded
        .iter()
        .find_map(|recorded| match recorded {
            Recorded::Message { session, request: Some(request), .. } => Some((*session, *request)),
            _ => None,
        })
        .unwrap();
    network.server().respond(session, request, Ok(Payload::Json(b"\"done\"")));
    network.flush(Side::Server);
    network.run_until_idle();
    assert!(network.take(0).contains(&Recorded::Answer { request: 1, outcome: Ok("\"done\"".into()) }));
}

#[test]
fn a_message_whose_handler_was_not_called_outlives_its_connection_and_then_its_server() {
    let mut network = alice_and_bob();
    network.send(0, Kind::Send, "", 0, "1");
    assert_eq!(messages(&network.take_server()), [("1", false)]);
    let pipe = network.pipe_of(0).unwrap();
    network.pipes[pipe].cut_both();
    network.wait(SECOND);
    assert_eq!(network.take(0), [Recorded::Disconnected, Recorded::Connected]);
    network.kill_server();
    network.start_server();
    network.wait(SECOND);
    assert_eq!(messages(&network.take_server()), [("1", true)]);
}

#[test]
fn an_acknowledgement_that_was_lost_with_its_connection_is_given_again() {
    let mut network = alice_and_bob();
    network.send(0, Kind::Send, "", 0, "1");
    let recorded = network.take_server();
    let pipe = network.pipe_of(0).unwrap();
    for recorded in &recorded {
        if let Recorded::Message { session, receipt, .. } = *recorded {
            network.call(Side::Server, |machine, now, _| machine.handled(session, receipt, now));
        }
    }
    network.pipes[pipe].cut_both();
    network.wait(SECOND);
    assert_eq!(network.take(0), [Recorded::Disconnected, Recorded::Connected, Recorded::Settled(1)]);
}

#[test]
fn a_server_that_dies_in_the_middle_has_acknowledged_nothing_that_it_had_not_passed_on() {
    let mut network = alice_and_bob();
    let unknown = Outgoing { kind: Kind::Request, name: "", command: "?", payload: Payload::Json(b"1"), request: 1 };
    network.clients[0].push(&unknown).unwrap();
    network.push(0, Kind::Emit, "bob", 0, "2").unwrap();
    // Its first write is the answer to alice, its second one would be the message to bob.
    network.mortality = Some(1);
    network.flush(Side::Client(0));
    network.run_until_idle();
    assert_eq!(failures(&network.take(0)), [failure(1, Code::NoSuchCommand)]);
    network.mortality = None;
    network.start_server();
    network.wait(SECOND);
    assert_eq!(messages(&network.take(1)), [("2", true)]);
    assert!(network.take(0).contains(&Recorded::Settled(1)));
}

#[test]
fn a_connection_that_breaks_loses_nothing_and_repeats_nothing() {
    let mut network = alice_and_bob();
    for text in ["1", "2", "3"] {
        network.push(0, Kind::Send, "", 0, text).unwrap();
    }
    network.flush(Side::Client(0));
    let pipe = network.pipe_of(0).unwrap();
    let one = network.pipes[pipe].to_server.bytes.len() / 3;
    // One message arrives whole, and a part of another one.
    network.pipes[pipe].to_server.cut(one + 7);
    network.pipes[pipe].to_client.cut(0);
    network.run_until_idle();
    network.wait(SECOND);
    let recorded = network.take_server();
    assert_eq!(messages(&recorded), [("1", false), ("2", false), ("3", false)]);
    assert_eq!(network.take(0), [Recorded::Disconnected, Recorded::Connected]);
    handle(&mut network, Side::Server, &recorded);
    assert_eq!(network.take(0), [Recorded::Settled(1), Recorded::Settled(1), Recorded::Settled(1)]);
}

#[test]
fn a_client_that_connects_again_to_a_new_server_gets_a_waiting_broadcast_marked() {
    let mut network = alice_and_bob();
    network.kill_server();
    network.run_until_idle();
    network.push(0, Kind::Broadcast, "", 0, "1").unwrap();
    network.start_server();
    network.wait(SECOND);
    assert_eq!(messages(&network.take(1)), [("1", false)]);
    let now = network.now;
    network.clients[1].close(now, &mut |_: Event<'_>| ());
    network.flush(Side::Client(1));
    network.wait(Duration::from_millis(100));
    network.clients[1].connect().unwrap();
    network.flush(Side::Client(1));
    network.run_until_idle();
    assert_eq!(messages(&network.take(1)), [("1", true)]);
    let carol = network.client("carol");
    network.run_until_idle();
    assert_eq!(messages(&network.take(carol)), [("1", false)]);
}

#[test]
fn beyond_the_limit_of_what_is_unfinished_large_messages_arrive_one_after_the_other() {
    let options = server::Options { unfinished_limit: 300_000, ..server_options() };
    let mut network = Network::with_options(1, options);
    let clients: Vec<usize> = (0..5).map(|index| network.client(&format!("client {index}"))).collect();
    network.run_until_idle();
    network.take_server();
    for &client in &clients {
        network.push(client, Kind::Send, "", 0, &format!("\"{}\"", "x".repeat(200_000))).unwrap();
        network.flush(Side::Client(client));
    }
    // Little by little, so that all of them are under way at once.
    for _ in 0..20 {
        for pipe in 0..network.pipes.len() {
            network.carry(pipe, Side::Server, 20_000);
        }
    }
    let paused = network.pipes.iter().filter(|pipe| pipe.to_server.paused).count();
    assert!(paused > 0, "no client was paused");
    network.run_until_idle();
    // The next one comes when a handler was called for the one before.
    let mut got = 0;
    while !network.server_recorded.is_empty() {
        let recorded = network.take_server();
        got += messages(&recorded).len();
        handle(&mut network, Side::Server, &recorded);
        network.run_until_idle();
    }
    assert_eq!((got, network.pipes.iter().filter(|pipe| pipe.to_server.paused).count()), (5, 0));
}
