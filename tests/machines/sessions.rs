//! Who gets a name, and what is kept for whom.

use std::time::Duration;

use ipcio::Code;
use ipcio::driver::machine::{Event, Machine};
use ipcio::driver::protocol::frame::Kind;
use ipcio::driver::server;
use ipcio::driver::trust::Others;

use crate::world::{Said, Side, World, client_options, server_options};
use crate::{SECOND, alice_and_bob, failure, failures, messages, next_turn, with_server};
#[test]
fn a_name_that_is_in_use_is_refused_after_it_was_disputed() {
    let mut world = alice_and_bob();
    let other = world.client("bob");
    world.settle();
    assert_eq!(world.take(other), []);
    world.wait(Duration::from_millis(51));
    assert_eq!(world.take(other), [Said::Refused(Code::NameTaken)]);
    assert!(!world.clients[other].is_started() && world.clients[1].is_connected());
    world.clients[1].close(world.now, &mut |_: Event<'_>| ());
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
fn of_several_that_wait_for_a_name_one_gets_it_with_its_messages() {
    let mut world = alice_and_bob();
    let others = [world.client("bob"), world.client("bob")];
    let pipe = world.pipe_of(1).unwrap();
    for other in 1..=2 {
        world.accept(pipe + other);
        world.carry(pipe + other, Side::Server, usize::MAX);
    }
    world.pipes[pipe].leave(Side::Client(1));
    world.settle();
    assert_eq!(world.take(others[0]), [Said::Connected]);
    world.wait(Duration::from_millis(51));
    assert_eq!(world.take(others[1]), [Said::Refused(Code::NameTaken)]);
    world.send(0, Kind::Emit, "bob", 0, "1");
    assert_eq!(messages(&world.take(others[0])), [("1", false)]);
}

#[test]
fn a_client_that_was_forgotten_and_never_told_so_misses_nothing_that_follows() {
    let mut world = with_server(server::Options { slow_consumer_limit: 100, ..server_options() });
    world.send(0, Kind::Emit, "bob", 0, "1");
    let pipe = world.pipe_of(1).unwrap();
    world.pipes[pipe].to_client.full = true;
    world.send(0, Kind::Emit, "bob", 0, &format!("\"{}\"", "x".repeat(200)));
    next_turn(&mut world);
    assert!(world.take_server().contains(&Said::SessionEnded { name: "bob".into(), messages: 2 }));
    world.clients[1].look_again();
    world.flush(Side::Client(1));
    let next = world.pipe_of(1).unwrap();
    world.accept(next);
    world.carry(next, Side::Server, usize::MAX);
    world.send_only(0, Kind::Emit, "bob", "2");
    world.pipes[next].cut_both();
    world.wait(SECOND);
    assert_eq!(messages(&world.take(1)), [("1", false), ("2", true)]);
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
fn users_that_are_not_allowed_are_refused_on_both_sides() {
    let mut world = World::new(1);
    world.uid = 7;
    let alice = world.client("alice");
    assert_eq!(world.take(alice), [Said::Refused(Code::NotTrusted)]);

    let mut options = client_options("bob");
    options.trust.others = Others::Any;
    let bob = world.client_with(options);
    world.settle();
    assert_eq!(world.take(bob), [Said::Refused(Code::NotTrusted)]);
}

#[test]
fn a_client_above_the_most_of_them_gets_its_place_when_there_is_one() {
    let mut world = with_server(server::Options { max_clients: 2, ..server_options() });
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
