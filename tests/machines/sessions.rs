//! Who gets a name, and what is kept for whom.

use std::time::Duration;

use ipcio::Code;
use ipcio::driver::machine::{Event, Machine};
use ipcio::driver::protocol::frame::Kind;
use ipcio::driver::server;
use ipcio::driver::trust::Others;

use crate::network::{Network, Recorded, Side, client_options, server_options};
use crate::{SECOND, alice_and_bob, failure, failures, messages, next_turn, with_server};
#[test]
fn a_name_that_is_in_use_is_refused_after_it_was_disputed() {
    let mut network = alice_and_bob();
    let other = network.client("bob");
    network.run_until_idle();
    assert_eq!(network.take(other), []);
    network.wait(Duration::from_millis(51));
    assert_eq!(network.take(other), [Recorded::Refused(Code::NameTaken)]);
    assert!(!network.clients[other].is_started() && network.clients[1].is_connected());
    network.clients[1].close(network.now, &mut |_: Event<'_>| ());
    network.flush(Side::Client(1));
    network.run_until_idle();
    network.clients[other].connect().unwrap();
    network.flush(Side::Client(other));
    network.run_until_idle();
    assert_eq!(network.take(other), [Recorded::Connected]);
}

#[test]
fn a_client_that_was_restarted_gets_its_name_once_the_old_connection_ends() {
    let mut network = alice_and_bob();
    let old = network.pipe_of(1).unwrap();
    // The server reads the new client's handshake before the end of the old one's connection.
    network.restart_client(1);
    let new = network.pipe_of(1).unwrap();
    network.accept(new);
    network.carry(new, Side::Server, usize::MAX);
    assert!(network.pipes[new].to_client.bytes.is_empty());
    network.carry(old, Side::Server, usize::MAX);
    network.run_until_idle();
    assert_eq!(network.take(1), [Recorded::Connected]);
    let ended = Recorded::SessionEnded { name: "bob".into(), messages: 0 };
    assert!(network.take_server().contains(&ended));
}

#[test]
fn of_several_that_wait_for_a_name_one_gets_it_with_its_messages() {
    let mut network = alice_and_bob();
    let others = [network.client("bob"), network.client("bob")];
    let pipe = network.pipe_of(1).unwrap();
    for other in 1..=2 {
        network.accept(pipe + other);
        network.carry(pipe + other, Side::Server, usize::MAX);
    }
    network.pipes[pipe].leave(Side::Client(1));
    network.run_until_idle();
    assert_eq!(network.take(others[0]), [Recorded::Connected]);
    network.wait(Duration::from_millis(51));
    assert_eq!(network.take(others[1]), [Recorded::Refused(Code::NameTaken)]);
    network.send(0, Kind::Emit, "bob", 0, "1");
    assert_eq!(messages(&network.take(others[0])), [("1", false)]);
}

#[test]
fn a_client_that_was_forgotten_and_never_told_so_misses_nothing_that_follows() {
    let mut network = with_server(server::Options { slow_consumer_limit: 100, ..server_options() });
    network.send(0, Kind::Emit, "bob", 0, "1");
    let pipe = network.pipe_of(1).unwrap();
    network.pipes[pipe].to_client.full = true;
    network.send(0, Kind::Emit, "bob", 0, &format!("\"{}\"", "x".repeat(200)));
    next_turn(&mut network);
    assert!(network.take_server().contains(&Recorded::SessionEnded { name: "bob".into(), messages: 2 }));
    network.clients[1].look_again();
    network.flush(Side::Client(1));
    let next = network.pipe_of(1).unwrap();
    network.accept(next);
    network.carry(next, Side::Server, usize::MAX);
    network.send_only(0, Kind::Emit, "bob", "2");
    network.pipes[next].cut_both();
    network.wait(SECOND);
    assert_eq!(messages(&network.take(1)), [("1", false), ("2", true)]);
}

#[test]
fn a_client_that_was_restarted_inherits_its_messages_and_no_deliveries() {
    let mut network = alice_and_bob();
    let pipe = network.pipe_of(1).unwrap();
    network.pipes[pipe].to_client.full = true;
    network.send(0, Kind::Emit, "bob", 0, "1");
    network.pipes[pipe].cut_both();
    network.carry(pipe, Side::Server, usize::MAX);
    network.send(0, Kind::Request, "bob", 2, "2");
    network.send(0, Kind::Emit, "bob", 0, "3");
    network.restart_client(1);
    network.run_until_idle();
    assert_eq!(messages(&network.take(1)), [("1", false), ("3", false)]);
    let recorded = network.take(0);
    assert_eq!(failures(&recorded), [failure(2, Code::ClientLeft)]);
}

#[test]
fn what_a_dead_client_may_have_seen_reaches_the_next_one_of_its_name_with_a_mark() {
    let mut network = alice_and_bob();
    network.send(0, Kind::Emit, "bob", 0, "1");
    assert_eq!(messages(&network.take(1)), [("1", false)]);
    network.restart_client(1);
    network.run_until_idle();
    network.wait(SECOND);
    assert_eq!(messages(&network.take(1)), [("1", true)]);
}

#[test]
fn a_handshake_that_was_overtaken_by_a_later_one_changes_nothing() {
    let mut network = alice_and_bob();
    let first = network.pipe_of(0).unwrap();
    network.pipes[first].cut_both();
    network.carry(first, Side::Client(0), usize::MAX);
    network.clients[0].look_again();
    network.flush(Side::Client(0));
    let second = network.pipe_of(0).unwrap();
    network.pipes[second].to_client.cut(0);
    network.pipes[second].to_server.ended = true;
    network.carry(second, Side::Client(0), usize::MAX);
    network.clients[0].look_again();
    network.flush(Side::Client(0));
    let third = network.pipe_of(0).unwrap();
    for pipe in [third, second] {
        network.pipes[pipe].to_client.ended = false;
        network.accept(pipe);
        network.carry(pipe, Side::Server, usize::MAX);
    }
    network.run_until_idle();
    network.take(0);
    network.send(0, Kind::Emit, "bob", 0, "1");
    assert_eq!(network.take(0), [Recorded::Settled(1)]);
    assert_eq!(network.pipe_of(0), Some(third));
}

#[test]
fn a_client_that_does_not_come_back_is_dropped() {
    let mut network = alice_and_bob();
    for pipe in &mut network.pipes {
        pipe.leave(Side::Client(1));
    }
    network.run_until_idle();
    network.send(0, Kind::Request, "bob", 1, "1");
    network.send(0, Kind::Emit, "bob", 0, "2");
    assert_eq!(network.take(0), [Recorded::Settled(1)]);
    network.wait(3 * SECOND);
    assert_eq!(failures(&network.take(0)), [failure(1, Code::ClientLeft)]);
    network.send(0, Kind::Request, "bob", 3, "3");
    assert_eq!(failures(&network.take(0)), [failure(3, Code::ClientLeft)]);
    assert_eq!(network.take_server(), [Recorded::SessionDisconnected]);
    network.wait(60 * SECOND);
    // The withdrawn delivery keeps its place in the queue.
    assert_eq!(network.take_server(), [Recorded::SessionEnded { name: "bob".into(), messages: 2 }]);
    network.send(0, Kind::Request, "bob", 4, "4");
    assert_eq!(failures(&network.take(0)), [failure(4, Code::NoSuchClient)]);
}

#[test]
fn users_that_are_not_allowed_are_refused_on_both_sides() {
    let mut network = Network::new(1);
    network.uid = 7;
    let alice = network.client("alice");
    assert_eq!(network.take(alice), [Recorded::Refused(Code::NotTrusted)]);

    let mut options = client_options("bob");
    options.trust.others = Others::Any;
    let bob = network.client_with(options);
    network.run_until_idle();
    assert_eq!(network.take(bob), [Recorded::Refused(Code::NotTrusted)]);
}

#[test]
fn a_client_above_the_most_of_them_gets_its_place_when_there_is_one() {
    let mut network = with_server(server::Options { max_clients: 2, ..server_options() });
    let carol = network.client("carol");
    network.wait(SECOND);
    assert_eq!(network.take(carol), []);
    for pipe in &mut network.pipes {
        pipe.leave(Side::Client(1));
    }
    network.run_until_idle();
    network.wait(2 * SECOND);
    assert_eq!(network.take(carol), [Recorded::Connected]);
}

#[test]
fn a_connection_that_does_not_say_who_it_is_is_ended() {
    let mut network = alice_and_bob();
    network.client("carol");
    let pipe = network.pipes.len() - 1;
    network.pipes[pipe].to_server.bytes.truncate(5);
    network.accept(pipe);
    network.carry(pipe, Side::Server, usize::MAX);
    let due = network.server().deadline().unwrap();
    network.now = due;
    network.call(Side::Server, |machine, now, mut events| machine.elapsed(now, &mut events));
    assert!(network.pipes[pipe].to_client.ended);
}
