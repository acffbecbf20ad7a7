//! Messages that were acknowledged and not handed over: they outlive the server.

use std::time::Duration;

use ipcio::Code;
use ipcio::driver::client;
use ipcio::driver::machine::Payload;
use ipcio::driver::protocol::frame::{Flags, Frame, Kind};
use ipcio::driver::server;

use crate::acknowledgements::frames;
use crate::world::{Said, Side, World, client_options, server_options};
use crate::{SECOND, alice_and_bob, come_back, failure, failures, handle, messages};

const ALICE: usize = 0;
const BOB: usize = 1;
const HELD: &str = "messages that the server holds";

/// Another server, to which alice is connected and bob is not.
fn next_server(world: &mut World) {
    world.kill_server();
    world.settle();
    world.start_server();
    come_back(world, ALICE);
}

/// Bob's connection ends, which the server sees.
fn leave(world: &mut World) {
    let pipe = world.pipe_of(BOB).unwrap();
    world.pipes[pipe].cut_both();
    world.settle();
    world.take(BOB);
}

/// How many messages alice keeps because they are held.
fn held(world: &World) -> usize {
    world.clients[ALICE].outstanding().iter().find(|(what, _)| *what == HELD).map_or(0, |&(_, count)| count)
}

#[test]
fn a_message_to_a_client_on_its_way_outlives_two_servers() {
    let mut world = alice_and_bob();
    next_server(&mut world);
    world.take(ALICE);
    world.send(ALICE, Kind::Emit, "bob", 0, "1");
    assert_eq!((world.take(ALICE), held(&world)), (vec![Said::Settled(1)], 1));
    for _ in 0..2 {
        next_server(&mut world);
        assert_eq!((world.take(ALICE), held(&world)), (vec![Said::Disconnected, Said::Connected], 1));
    }
    world.send(ALICE, Kind::Emit, "bob", 0, "2");
    world.take(BOB);
    come_back(&mut world, BOB);
    assert_eq!(messages(&world.take(BOB)), [("1", true), ("2", false)]);
    assert_eq!((world.take(ALICE), world.clients[ALICE].outstanding()), (vec![Said::Settled(1)], vec![]));
}

#[test]
fn a_message_to_a_client_that_is_away_outlives_the_server() {
    let mut world = alice_and_bob();
    leave(&mut world);
    world.send(ALICE, Kind::Emit, "bob", 0, "1");
    world.send(ALICE, Kind::Emit, "bob", 0, "2");
    assert_eq!((world.take(ALICE), held(&world)), (vec![Said::Settled(1), Said::Settled(1)], 2));
    next_server(&mut world);
    come_back(&mut world, BOB);
    assert_eq!(messages(&world.take(BOB)), [("1", true), ("2", true)]);
    assert_eq!(world.take(ALICE), [Said::Disconnected, Said::Connected]);
    assert_eq!(world.clients[ALICE].outstanding(), []);
}

#[test]
fn a_message_that_a_client_gets_when_it_is_back_is_held_no_longer() {
    let mut world = alice_and_bob();
    leave(&mut world);
    world.send(ALICE, Kind::Emit, "bob", 0, "1");
    come_back(&mut world, BOB);
    assert_eq!((messages(&world.take(BOB)), held(&world)), (vec![("1", false)], 0));
    next_server(&mut world);
    come_back(&mut world, BOB);
    assert_eq!(messages(&world.take(BOB)), []);
}

#[test]
fn a_message_is_held_until_all_that_stands_in_front_of_it_is_written() {
    let mut world = alice_and_bob();
    leave(&mut world);
    let large = format!("\"{}\"", "x".repeat(10_000));
    for text in ["1", &large, "3"] {
        world.send(ALICE, Kind::Emit, "bob", 0, text);
    }
    world.clients[BOB].look_again();
    world.flush(Side::Client(BOB));
    let pipe = world.pipe_of(BOB).unwrap();
    world.accept(pipe);
    world.capacity = 2_000;
    world.carry(pipe, Side::Server, usize::MAX);
    let alice = world.pipe_of(ALICE).unwrap();
    world.carry(alice, Side::Client(ALICE), usize::MAX);
    assert_eq!(held(&world), 3);
    // What is sent to one that is there again is written behind it, and not held.
    world.capacity = usize::MAX;
    world.settle();
    assert_eq!((messages(&world.take(BOB)).len(), held(&world)), (3, 0));
}

#[test]
fn deliveries_and_held_messages_are_sent_again_in_their_order() {
    let mut world = alice_and_bob();
    world.kill_server();
    world.settle();
    world.start_server();
    world.push(ALICE, Kind::Emit, "bob", 0, "1").unwrap();
    world.push(ALICE, Kind::Request, "bob", 2, "2").unwrap();
    world.push(ALICE, Kind::Emit, "bob", 0, "3").unwrap();
    world.push(ALICE, Kind::Request, "", 4, "4").unwrap();
    world.push(ALICE, Kind::Emit, "bob", 0, "5").unwrap();
    come_back(&mut world, ALICE);
    let asked = world.take_server();
    handle(&mut world, Side::Server, &asked);
    assert_eq!(held(&world), 3);
    for _ in 0..2 {
        next_server(&mut world);
        assert_eq!(messages(&world.take_server()), [("4", true)]);
        assert_eq!(held(&world), 3);
    }
    world.send(ALICE, Kind::Emit, "bob", 0, "6");
    come_back(&mut world, BOB);
    let said = world.take(BOB);
    assert_eq!(messages(&said), [("1", true), ("2", true), ("3", true), ("5", true), ("6", false)]);
}

#[test]
fn a_message_is_given_up_with_its_receiver() {
    let mut world = alice_and_bob();
    leave(&mut world);
    world.send(ALICE, Kind::Emit, "bob", 0, "1");
    world.send(ALICE, Kind::Emit, "nobody", 0, "2");
    assert_eq!(held(&world), 2);
    // Bob's process is gone, and so is who might have been on the way.
    world.now += Duration::from_secs(61);
    world.call(Side::Server, |machine, now, mut events| machine.elapsed(now, &mut events));
    world.settle();
    assert_eq!(held(&world), 0);
    assert_eq!(world.clients[ALICE].outstanding(), []);
}

#[test]
fn a_server_that_closes_gives_nothing_up() {
    let mut world = alice_and_bob();
    leave(&mut world);
    world.send(ALICE, Kind::Emit, "bob", 0, "1");
    let now = world.now;
    world.server().close(now, &mut |_: ipcio::driver::machine::Event<'_>| ());
    world.flush(Side::Server);
    world.wait(Duration::from_millis(100));
    world.kill_server();
    world.start_server();
    world.wait(SECOND);
    assert_eq!(messages(&world.take(BOB)), [("1", true)]);
}

#[test]
fn whoever_inherits_a_name_gets_what_was_held_for_it() {
    let mut world = alice_and_bob();
    leave(&mut world);
    world.send(ALICE, Kind::Emit, "bob", 0, "1");
    world.restart_client(BOB);
    world.settle();
    assert_eq!((messages(&world.take(BOB)), held(&world)), (vec![("1", false)], 0));
}

#[test]
fn what_the_next_server_does_not_take_settles_nothing_twice() {
    let mut world = alice_and_bob();
    leave(&mut world);
    let large = format!("\"{}\"", "x".repeat(200));
    world.send(ALICE, Kind::Emit, "bob", 0, &large);
    world.send(ALICE, Kind::Emit, "bob", 0, "2");
    assert_eq!(world.take(ALICE), [Said::Settled(1), Said::Settled(1)]);
    world.server_options = server::Options { limit: 100, ..server_options() };
    next_server(&mut world);
    world.push(ALICE, Kind::Emit, "bob", 0, "3").unwrap();
    world.flush(Side::Client(ALICE));
    come_back(&mut world, BOB);
    assert_eq!(messages(&world.take(BOB)), [("2", true), ("3", false)]);
    assert_eq!(world.take(ALICE), [Said::Disconnected, Said::Connected, Said::Settled(1)]);
}

#[test]
fn what_a_client_on_its_way_does_not_take_is_given_up() {
    let mut world = World::new(1);
    let alice = world.client("alice");
    world.settle();
    let large = format!("\"{}\"", "x".repeat(200));
    world.send(alice, Kind::Emit, "bob", 0, &large);
    world.push(alice, Kind::Request, "bob", 2, &large).unwrap();
    world.send(alice, Kind::Emit, "bob", 0, "3");
    let bob = world.client_with(client::Options { limit: 100, ..client_options("bob") });
    world.settle();
    assert_eq!(messages(&world.take(bob)), [("3", false)]);
    assert_eq!(failures(&world.take(alice)), [failure(2, Code::MessageTooLarge)]);
    assert_eq!(world.clients[alice].outstanding(), []);
}

#[test]
fn closing_does_not_wait_for_what_is_held() {
    let mut world = alice_and_bob();
    leave(&mut world);
    world.send(ALICE, Kind::Emit, "bob", 0, "1");
    world.take(ALICE);
    let now = world.now;
    let mut said = Vec::new();
    world.clients[ALICE].close(now, &mut |event: ipcio::driver::machine::Event<'_>| said.push(Said::from(event)));
    world.flush(Side::Client(ALICE));
    world.settle();
    assert_eq!(world.take(ALICE), [Said::Closed]);
    come_back(&mut world, BOB);
    assert_eq!(messages(&world.take(BOB)), [("1", false)]);
}

#[test]
fn a_server_can_hold_only_what_it_has_not_acknowledged() {
    for id in [0, 1, 3, u64::MAX] {
        let mut world = alice_and_bob();
        world.send(ALICE, Kind::Emit, "bob", 0, "1");
        world.push(ALICE, Kind::Emit, "bob", 0, "2").unwrap();
        world.flush(Side::Client(ALICE));
        world.take(ALICE);
        let pipe = world.pipe_of(ALICE).unwrap();
        Frame::bare(Kind::Held, id).encode(&mut world.pipes[pipe].to_client.bytes);
        world.carry(pipe, Side::Client(ALICE), usize::MAX);
        assert_eq!(world.take(ALICE), [Said::Disconnected], "{id}");
    }
}

#[test]
fn what_comes_behind_a_held_message_on_a_new_connection_is_told_by_the_same_numbers() {
    let mut world = alice_and_bob();
    leave(&mut world);
    world.push(ALICE, Kind::Emit, "bob", 0, "1").unwrap();
    world.flush(Side::Client(ALICE));
    let pipe = world.pipe_of(ALICE).unwrap();
    world.carry(pipe, Side::Server, usize::MAX);
    let told = frames(&world.pipes[pipe].to_client.bytes);
    assert_eq!(told, [(Kind::Held, 1), (Kind::Acknowledgement, 1)]);
    // Neither arrives: both are said again.
    world.pipes[pipe].cut_both();
    world.settle();
    come_back(&mut world, ALICE);
    assert_eq!((world.take(ALICE).last(), held(&world)), (Some(&Said::Settled(1)), 1));
    next_server(&mut world);
    come_back(&mut world, BOB);
    assert_eq!(messages(&world.take(BOB)), [("1", true)]);
}

#[test]
fn an_absent_client_is_not_asked_what_its_caller_was_told_it_left_without() {
    let mut world = alice_and_bob();
    leave(&mut world);
    world.send(ALICE, Kind::Emit, "bob", 0, "1");
    world.send(ALICE, Kind::Request, "bob", 2, "2");
    world.take(ALICE);
    world.now += 2 * SECOND;
    world.call(Side::Server, |machine, now, mut events| machine.elapsed(now, &mut events));
    world.settle();
    assert_eq!(failures(&world.take(ALICE)), [failure(2, Code::ClientLeft)]);
    // Neither by this server nor by the next.
    come_back(&mut world, BOB);
    assert_eq!(messages(&world.take(BOB)), [("1", false)]);
    next_server(&mut world);
    come_back(&mut world, BOB);
    assert_eq!(messages(&world.take(BOB)), []);
}

#[test]
fn answers_for_a_former_server_are_not_sent_to_the_next() {
    let mut world = alice_and_bob();
    world.send(ALICE, Kind::Request, "bob", 1, "1");
    let said = world.take(BOB);
    let Some(&Said::Message { request: Some(request), .. }) = said.first() else { panic!("{said:?}") };
    world.kill_server();
    world.settle();
    world.clients[BOB].respond(request, Ok(Payload::Json(b"\"late\"")));
    world.clients[BOB].respond(request, Err(Payload::Json(b"{}")));
    world.start_server();
    world.clients[BOB].look_again();
    world.flush(Side::Client(BOB));
    let pipe = world.pipe_of(BOB).unwrap();
    world.accept(pipe);
    world.carry(pipe, Side::Server, usize::MAX);
    world.carry(pipe, Side::Client(BOB), usize::MAX);
    let sent: Vec<Kind> = frames(&world.pipes[pipe].to_server.bytes).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(sent, [Kind::Void, Kind::Void]);
    world.settle();
    assert!(world.clients[BOB].is_connected());
}

#[test]
fn the_bit_of_the_sender_does_not_reach_the_receiver() {
    let mut world = alice_and_bob();
    leave(&mut world);
    world.send(ALICE, Kind::Emit, "bob", 0, "1");
    next_server(&mut world);
    world.clients[BOB].look_again();
    world.flush(Side::Client(BOB));
    let pipe = world.pipe_of(BOB).unwrap();
    world.accept(pipe);
    world.carry(pipe, Side::Server, usize::MAX);
    let bytes = &world.pipes[pipe].to_client.bytes;
    let end = bytes.iter().rposition(|&byte| byte == b'}').unwrap() + 1;
    let frame = Frame::decode(&bytes[end..]).unwrap();
    assert_eq!((frame.kind, frame.flags), (Kind::Emit, Flags::REDELIVERED));
}

#[test]
fn a_client_that_was_with_another_server_is_told_nothing_by_its_former_numbers() {
    let mut world = alice_and_bob();
    world.send(ALICE, Kind::Emit, "bob", 0, "1");
    leave(&mut world);
    world.send(ALICE, Kind::Emit, "bob", 0, "2");
    assert_eq!(held(&world), 1);
    // Another server has the path for a while, and holds the message as its first.
    let pipe = world.pipe_of(ALICE).unwrap();
    world.pipes[pipe].cut_both();
    world.settle();
    let former = world.server.take();
    next_server(&mut world);
    assert_eq!(held(&world), 1);
    world.kill_server();
    world.settle();
    world.start_server();
    world.server = former;
    world.take(ALICE);
    come_back(&mut world, ALICE);
    world.wait(SECOND);
    assert_eq!(world.take(ALICE), [Said::Connected]);
    come_back(&mut world, BOB);
    assert_eq!(messages(&world.take(BOB)), [("2", false), ("2", true)]);
    world.wait(SECOND);
    assert_eq!(world.clients[ALICE].outstanding(), []);
}
