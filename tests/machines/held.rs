//! Messages that were acknowledged and not handed over: they outlive the server.

use std::time::Duration;

use ipcio::Code;
use ipcio::driver::client;
use ipcio::driver::machine::Payload;
use ipcio::driver::protocol::frame::{Flags, Frame, Kind};
use ipcio::driver::server;

use crate::acknowledgements::frames;
use crate::network::{Network, Recorded, Side, client_options, server_options};
use crate::{SECOND, alice_and_bob, come_back, failure, failures, handle, messages};

const ALICE: usize = 0;
const BOB: usize = 1;
const HELD: &str = "messages that the server holds";

/// Another server, to which alice is connected and bob is not.
fn next_server(network: &mut Network) {
    network.kill_server();
    network.run_until_idle();
    network.start_server();
    come_back(network, ALICE);
}

/// Bob's connection ends, which the server sees.
fn leave(network: &mut Network) {
    let pipe = network.pipe_of(BOB).unwrap();
    network.pipes[pipe].cut_both();
    network.run_until_idle();
    network.take(BOB);
}

/// How many messages alice keeps because they are held.
fn held(network: &Network) -> usize {
    network.clients[ALICE].outstanding().iter().find(|(what, _)| *what == HELD).map_or(0, |&(_, count)| count)
}

#[test]
fn a_message_to_a_client_on_its_way_outlives_two_servers() {
    let mut network = alice_and_bob();
    next_server(&mut network);
    network.take(ALICE);
    network.send(ALICE, Kind::Emit, "bob", 0, "1");
    assert_eq!((network.take(ALICE), held(&network)), (vec![Recorded::Settled(1)], 1));
    for _ in 0..2 {
        next_server(&mut network);
        assert_eq!((network.take(ALICE), held(&network)), (vec![Recorded::Disconnected, Recorded::Connected], 1));
    }
    network.send(ALICE, Kind::Emit, "bob", 0, "2");
    network.take(BOB);
    come_back(&mut network, BOB);
    assert_eq!(messages(&network.take(BOB)), [("1", true), ("2", false)]);
    assert_eq!((network.take(ALICE), network.clients[ALICE].outstanding()), (vec![Recorded::Settled(1)], vec![]));
}

#[test]
fn a_message_to_a_client_that_is_away_outlives_the_server() {
    let mut network = alice_and_bob();
    leave(&mut network);
    network.send(ALICE, Kind::Emit, "bob", 0, "1");
    network.send(ALICE, Kind::Emit, "bob", 0, "2");
    assert_eq!((network.take(ALICE), held(&network)), (vec![Recorded::Settled(1), Recorded::Settled(1)], 2));
    next_server(&mut network);
    come_back(&mut network, BOB);
    assert_eq!(messages(&network.take(BOB)), [("1", true), ("2", true)]);
    assert_eq!(network.take(ALICE), [Recorded::Disconnected, Recorded::Connected]);
    assert_eq!(network.clients[ALICE].outstanding(), []);
}

#[test]
fn a_message_that_a_client_gets_when_it_is_back_is_held_no_longer() {
    let mut network = alice_and_bob();
    leave(&mut network);
    network.send(ALICE, Kind::Emit, "bob", 0, "1");
    come_back(&mut network, BOB);
    assert_eq!((messages(&network.take(BOB)), held(&network)), (vec![("1", false)], 0));
    next_server(&mut network);
    come_back(&mut network, BOB);
    assert_eq!(messages(&network.take(BOB)), []);
}

#[test]
fn a_message_is_held_until_everything_before_it_is_written() {
    let mut network = alice_and_bob();
    leave(&mut network);
    let large = format!("\"{}\"", "x".repeat(10_000));
    for text in ["1", &large, "3"] {
        network.send(ALICE, Kind::Emit, "bob", 0, text);
    }
    network.clients[BOB].look_again();
    network.flush(Side::Client(BOB));
    let pipe = network.pipe_of(BOB).unwrap();
    network.accept(pipe);
    network.capacity = 2_000;
    network.carry(pipe, Side::Server, usize::MAX);
    let alice = network.pipe_of(ALICE).unwrap();
    network.carry(alice, Side::Client(ALICE), usize::MAX);
    assert_eq!(held(&network), 3);
    // What is sent to one that is there again is written behind it, and not held.
    network.capacity = usize::MAX;
    network.run_until_idle();
    assert_eq!((messages(&network.take(BOB)).len(), held(&network)), (3, 0));
}

#[test]
fn deliveries_and_held_messages_are_sent_again_in_their_order() {
    let mut network = alice_and_bob();
    network.kill_server();
    network.run_until_idle();
    network.start_server();
    network.push(ALICE, Kind::Emit, "bob", 0, "1").unwrap();
    network.push(ALICE, Kind::Request, "bob", 2, "2").unwrap();
    network.push(ALICE, Kind::Emit, "bob", 0, "3").unwrap();
    network.push(ALICE, Kind::Request, "", 4, "4").unwrap();
    network.push(ALICE, Kind::Emit, "bob", 0, "5").unwrap();
    come_back(&mut network, ALICE);
    let asked = network.take_server();
    handle(&mut network, Side::Server, &asked);
    assert_eq!(held(&network), 3);
    for _ in 0..2 {
        next_server(&mut network);
        assert_eq!(messages(&network.take_server()), [("4", true)]);
        assert_eq!(held(&network), 3);
    }
    network.send(ALICE, Kind::Emit, "bob", 0, "6");
    come_back(&mut network, BOB);
    let recorded = network.take(BOB);
    assert_eq!(messages(&recorded), [("1", true), ("2", true), ("3", true), ("5", true), ("6", false)]);
}

#[test]
fn a_held_message_is_dropped_with_its_receiver() {
    let mut network = alice_and_bob();
    leave(&mut network);
    network.send(ALICE, Kind::Emit, "bob", 0, "1");
    network.send(ALICE, Kind::Emit, "nobody", 0, "2");
    assert_eq!(held(&network), 2);
    // Bob's process is gone, and so is who might have been on the way.
    network.now += Duration::from_secs(61);
    network.call(Side::Server, |machine, now, mut events| machine.elapsed(now, &mut events));
    network.run_until_idle();
    assert_eq!(held(&network), 0);
    assert_eq!(network.clients[ALICE].outstanding(), []);
}

#[test]
fn a_server_that_closes_gives_nothing_up() {
    let mut network = alice_and_bob();
    leave(&mut network);
    network.send(ALICE, Kind::Emit, "bob", 0, "1");
    let now = network.now;
    network.server().close(now, &mut |_: ipcio::driver::machine::Event<'_>| ());
    network.flush(Side::Server);
    network.wait(Duration::from_millis(100));
    network.kill_server();
    network.start_server();
    network.wait(SECOND);
    assert_eq!(messages(&network.take(BOB)), [("1", true)]);
}

#[test]
fn a_client_that_takes_over_a_name_gets_what_was_held_for_it() {
    let mut network = alice_and_bob();
    leave(&mut network);
    network.send(ALICE, Kind::Emit, "bob", 0, "1");
    network.restart_client(BOB);
    network.run_until_idle();
    assert_eq!((messages(&network.take(BOB)), held(&network)), (vec![("1", false)], 0));
}

#[test]
fn what_the_next_server_does_not_take_settles_nothing_twice() {
    let mut network = alice_and_bob();
    leave(&mut network);
    let large = format!("\"{}\"", "x".repeat(200));
    network.send(ALICE, Kind::Emit, "bob", 0, &large);
    network.send(ALICE, Kind::Emit, "bob", 0, "2");
    assert_eq!(network.take(ALICE), [Recorded::Settled(1), Recorded::Settled(1)]);
    network.server_options = server::Options { limit: 100, ..server_options() };
    next_server(&mut network);
    network.push(ALICE, Kind::Emit, "bob", 0, "3").unwrap();
    network.flush(Side::Client(ALICE));
    come_back(&mut network, BOB);
    assert_eq!(messages(&network.take(BOB)), [("2", true), ("3", false)]);
    assert_eq!(network.take(ALICE), [Recorded::Disconnected, Recorded::Connected, Recorded::Settled(1)]);
}

#[test]
fn messages_for_a_client_on_its_way_that_it_does_not_accept_are_dropped() {
    let mut network = Network::new(1);
    let alice = network.client("alice");
    network.run_until_idle();
    let large = format!("\"{}\"", "x".repeat(200));
    network.send(alice, Kind::Emit, "bob", 0, &large);
    network.push(alice, Kind::Request, "bob", 2, &large).unwrap();
    network.send(alice, Kind::Emit, "bob", 0, "3");
    let bob = network.client_with(client::Options { limit: 100, ..client_options("bob") });
    network.run_until_idle();
    assert_eq!(messages(&network.take(bob)), [("3", false)]);
    assert_eq!(failures(&network.take(alice)), [failure(2, Code::MessageTooLarge)]);
    assert_eq!(network.clients[alice].outstanding(), []);
}

#[test]
fn closing_does_not_wait_for_what_is_held() {
    let mut network = alice_and_bob();
    leave(&mut network);
    network.send(ALICE, Kind::Emit, "bob", 0, "1");
    network.take(ALICE);
    let now = network.now;
    let mut recorded = Vec::new();
    network.clients[ALICE]
        .close(now, &mut |event: ipcio::driver::machine::Event<'_>| recorded.push(Recorded::from(event)));
    network.flush(Side::Client(ALICE));
    network.run_until_idle();
    assert_eq!(network.take(ALICE), [Recorded::Closed]);
    come_back(&mut network, BOB);
    assert_eq!(messages(&network.take(BOB)), [("1", false)]);
}

#[test]
fn a_server_can_hold_only_what_it_has_not_acknowledged() {
    for id in [0, 1, 3, u64::MAX] {
        let mut network = alice_and_bob();
        network.send(ALICE, Kind::Emit, "bob", 0, "1");
        network.push(ALICE, Kind::Emit, "bob", 0, "2").unwrap();
        network.flush(Side::Client(ALICE));
        network.take(ALICE);
        let pipe = network.pipe_of(ALICE).unwrap();
        Frame::bare(Kind::Held, id).encode(&mut network.pipes[pipe].to_client.bytes);
        network.carry(pipe, Side::Client(ALICE), usize::MAX);
        assert_eq!(network.take(ALICE), [Recorded::Disconnected], "{id}");
    }
}

#[test]
fn what_comes_behind_a_held_message_on_a_new_connection_is_told_by_the_same_numbers() {
    let mut network = alice_and_bob();
    leave(&mut network);
    network.push(ALICE, Kind::Emit, "bob", 0, "1").unwrap();
    network.flush(Side::Client(ALICE));
    let pipe = network.pipe_of(ALICE).unwrap();
    network.carry(pipe, Side::Server, usize::MAX);
    let told = frames(&network.pipes[pipe].to_client.bytes);
    assert_eq!(told, [(Kind::Held, 1), (Kind::Acknowledgement, 1)]);
    // Neither arrives: both are said again.
    network.pipes[pipe].cut_both();
    network.run_until_idle();
    come_back(&mut network, ALICE);
    assert_eq!((network.take(ALICE).last(), held(&network)), (Some(&Recorded::Settled(1)), 1));
    next_server(&mut network);
    come_back(&mut network, BOB);
    assert_eq!(messages(&network.take(BOB)), [("1", true)]);
}

#[test]
fn an_absent_client_is_not_asked_what_its_caller_was_told_it_left_without() {
    let mut network = alice_and_bob();
    leave(&mut network);
    network.send(ALICE, Kind::Emit, "bob", 0, "1");
    network.send(ALICE, Kind::Request, "bob", 2, "2");
    network.take(ALICE);
    network.now += 2 * SECOND;
    network.call(Side::Server, |machine, now, mut events| machine.elapsed(now, &mut events));
    network.run_until_idle();
    assert_eq!(failures(&network.take(ALICE)), [failure(2, Code::ClientLeft)]);
    // Neither by this server nor by the next.
    come_back(&mut network, BOB);
    assert_eq!(messages(&network.take(BOB)), [("1", false)]);
    next_server(&mut network);
    come_back(&mut network, BOB);
    assert_eq!(messages(&network.take(BOB)), []);
}

#[test]
fn answers_for_a_former_server_are_not_sent_to_the_next() {
    let mut network = alice_and_bob();
    network.send(ALICE, Kind::Request, "bob", 1, "1");
    let recorded = network.take(BOB);
    let Some(&Recorded::Message { request: Some(request), .. }) = recorded.first() else { panic!("{recorded:?}") };
    network.kill_server();
    network.run_until_idle();
    network.clients[BOB].respond(request, Ok(Payload::Json(b"\"late\"")));
    network.clients[BOB].respond(request, Err(Payload::Json(b"{}")));
    network.start_server();
    network.clients[BOB].look_again();
    network.flush(Side::Client(BOB));
    let pipe = network.pipe_of(BOB).unwrap();
    network.accept(pipe);
    network.carry(pipe, Side::Server, usize::MAX);
    network.carry(pipe, Side::Client(BOB), usize::MAX);
    let sent: Vec<Kind> = frames(&network.pipes[pipe].to_server.bytes).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(sent, [Kind::Void, Kind::Void]);
    network.run_until_idle();
    assert!(network.clients[BOB].is_connected());
}

#[test]
fn the_bit_of_the_sender_does_not_reach_the_receiver() {
    let mut network = alice_and_bob();
    leave(&mut network);
    network.send(ALICE, Kind::Emit, "bob", 0, "1");
    next_server(&mut network);
    network.clients[BOB].look_again();
    network.flush(Side::Client(BOB));
    let pipe = network.pipe_of(BOB).unwrap();
    network.accept(pipe);
    network.carry(pipe, Side::Server, usize::MAX);
    let bytes = &network.pipes[pipe].to_client.bytes;
    let end = bytes.iter().rposition(|&byte| byte == b'}').unwrap() + 1;
    let frame = Frame::decode(&bytes[end..]).unwrap();
    assert_eq!((frame.kind, frame.flags), (Kind::Emit, Flags::REDELIVERED));
}

#[test]
fn a_client_that_was_with_another_server_is_told_nothing_by_its_former_numbers() {
    let mut network = alice_and_bob();
    network.send(ALICE, Kind::Emit, "bob", 0, "1");
    leave(&mut network);
    network.send(ALICE, Kind::Emit, "bob", 0, "2");
    assert_eq!(held(&network), 1);
    // Another server has the path for a while, and holds the message as its first.
    let pipe = network.pipe_of(ALICE).unwrap();
    network.pipes[pipe].cut_both();
    network.run_until_idle();
    let former = network.server.take();
    next_server(&mut network);
    assert_eq!(held(&network), 1);
    network.kill_server();
    network.run_until_idle();
    network.start_server();
    network.server = former;
    network.take(ALICE);
    come_back(&mut network, ALICE);
    network.wait(SECOND);
    assert_eq!(network.take(ALICE), [Recorded::Connected]);
    come_back(&mut network, BOB);
    assert_eq!(messages(&network.take(BOB)), [("2", false), ("2", true)]);
    network.wait(SECOND);
    assert_eq!(network.clients[ALICE].outstanding(), []);
}
