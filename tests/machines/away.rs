//! What is kept for clients that are away, and which of them goes first.

use std::time::Duration;

use ipcio::driver::machine::{Event, Machine, Payload};
use ipcio::driver::server;

use crate::network::{COMMAND, Network, Recorded, Side, client_options, server_options};
use crate::{SECOND, come_back, handle, messages, with_server};

const MINUTE: Duration = Duration::from_secs(60);

/// For all but `alice`.
fn broadcast(network: &mut Network, text: &str) {
    network.server().broadcast(COMMAND, Payload::Json(text.as_bytes()), Some("alice")).unwrap();
    network.flush(Side::Server);
    network.run_until_idle();
}

fn emit(network: &mut Network, name: &str, text: &str) {
    network.server().emit(name, COMMAND, Payload::Json(text.as_bytes()), None).unwrap();
    network.flush(Side::Server);
    network.run_until_idle();
}

/// A client's connection breaks, of which the client learns nothing for now.
fn vanish(network: &mut Network, index: usize) {
    let pipe = network.pipe_of(index).unwrap();
    network.pipes[pipe].leave(Side::Client(index));
    network.run_until_idle();
}

/// It learns of it and comes back.
fn notice_and_come_back(network: &mut Network, index: usize) {
    let connection = network.pipes.iter().rev().find(|pipe| pipe.client.0 == index).unwrap().client.1;
    network.call(Side::Client(index), |client, now, mut events| client.lost(connection, now, &mut events));
    come_back(network, index);
}

fn outstanding(network: &mut Network, what: &str) -> usize {
    network.server().outstanding().iter().find(|(kind, _)| *kind == what).map_or(0, |&(_, count)| count)
}

fn ended(recorded: &[Recorded]) -> Vec<(String, u64)> {
    let found = recorded.iter().filter_map(|recorded| match recorded {
        Recorded::SessionEnded { name, messages } => Some((name.clone(), *messages)),
        _ => None,
    });
    found.collect()
}

/// A text of this many bytes that begins with a number.
fn text(number: usize, size: usize) -> String {
    format!("\"{number} {}\"", "x".repeat(size))
}

/// What a client has got, each by its number.
fn numbers(recorded: &[Recorded]) -> Vec<(usize, bool)> {
    let number = |text: &str| text[1..].split(' ').next().unwrap().parse().unwrap();
    messages(recorded).into_iter().map(|(text, redelivered)| (number(text), redelivered)).collect()
}

#[test]
fn a_broadcast_is_stored_once_for_all_that_are_away_and_forgotten_once_all_are_back() {
    let mut network = with_server(server_options());
    for index in 2..50 {
        let name = format!("client-{index}");
        network.client(&name);
        network.run_until_idle();
    }
    (1..50).for_each(|index| vanish(&mut network, index));
    for number in 0..1_000 {
        broadcast(&mut network, &text(number, 100));
    }
    assert_eq!(outstanding(&mut network, "frames that go out"), 0);
    assert_eq!(outstanding(&mut network, "broadcasts for clients that are away"), 1_000);
    for index in 1..50 {
        network.take(index);
        notice_and_come_back(&mut network, index);
        let expected: Vec<_> = (0..1_000).map(|number| (number, false)).collect();
        assert_eq!(numbers(&network.take(index)), expected);
    }
    assert_eq!(outstanding(&mut network, "broadcasts for clients that are away"), 0);
}

#[test]
fn broadcasts_and_messages_keep_their_order_for_a_client_that_is_away() {
    for restarted in [false, true] {
        let mut network = with_server(server_options());
        // Written and not read: it is sent again, and marked if another client gets it.
        network.server().broadcast(COMMAND, Payload::Json(text(0, 20_000).as_bytes()), Some("alice")).unwrap();
        network.server().emit("bob", COMMAND, Payload::Json(text(1, 10).as_bytes()), None).unwrap();
        network.flush(Side::Server);
        vanish(&mut network, 1);
        let mut expected = vec![(0, restarted), (1, restarted)];
        for number in 2..300 {
            let text = text(number, if number % 37 == 0 { 30_000 } else { number % 50 });
            if network.random.below(3) == 0 {
                emit(&mut network, "bob", &text)
            } else {
                broadcast(&mut network, &text)
            }
            expected.push((number, false));
        }
        network.take(1);
        if restarted {
            network.restart_client(1);
            network.run_until_idle();
        } else {
            notice_and_come_back(&mut network, 1);
        }
        // And what follows comes behind.
        broadcast(&mut network, &text(300, 10));
        expected.push((300, false));
        let recorded = network.take(1);
        assert_eq!(numbers(&recorded), expected);
        handle(&mut network, Side::Client(1), &recorded);
        network.wait(2 * SECOND);
        assert_eq!(outstanding(&mut network, "bytes that go out"), 0);
    }
}

#[test]
fn what_a_client_that_does_not_return_has_missed_is_counted() {
    let mut network = with_server(server_options());
    // It has got this one, and not said so.
    emit(&mut network, "bob", "1");
    vanish(&mut network, 1);
    broadcast(&mut network, "2");
    emit(&mut network, "bob", "3");
    broadcast(&mut network, "4");
    // Its own.
    network.server().broadcast(COMMAND, Payload::Json(b"5"), Some("bob")).unwrap();
    network.take_server();
    network.wait(MINUTE + SECOND);
    assert_eq!(ended(&network.take_server()), [("bob".to_owned(), 4)]);
    assert_eq!(outstanding(&mut network, "broadcasts for clients that are away"), 0);
}

#[test]
fn a_client_that_is_away_gets_no_broadcast_that_is_too_large_for_it_or_its_own() {
    let mut network = with_server(server_options());
    let small = network.client_with(ipcio::driver::client::Options { limit: 100, ..client_options("small") });
    network.run_until_idle();
    vanish(&mut network, small);
    vanish(&mut network, 1);
    network.take(small);
    network.take(1);
    broadcast(&mut network, "1");
    broadcast(&mut network, &format!("\"{}\"", "x".repeat(200)));
    broadcast(&mut network, "2");
    network.server().broadcast(COMMAND, Payload::Json(b"3"), Some("small")).unwrap();
    broadcast(&mut network, "4");
    notice_and_come_back(&mut network, small);
    notice_and_come_back(&mut network, 1);
    assert_eq!(messages(&network.take(small)), [("1", false), ("2", false), ("4", false)]);
    assert_eq!(messages(&network.take(1)).len(), 5);
}

#[test]
fn more_than_may_wait_for_one_client_drops_it_also_where_it_is_away() {
    let mut network = with_server(server::Options { slow_consumer_limit: 5_000, ..server_options() });
    vanish(&mut network, 1);
    network.take_server();
    (0..4).for_each(|number| broadcast(&mut network, &text(number, 1_000)));
    assert_eq!(ended(&network.take_server()), []);
    broadcast(&mut network, &text(4, 1_000));
    assert_eq!(ended(&network.take_server()), [("bob".to_owned(), 5)]);
}

#[test]
fn above_the_limit_for_all_that_are_away_the_one_with_the_most_to_lose_for_the_longest_time_goes() {
    let mut network = with_server(server::Options { away_limit: 100_000, ..server_options() });
    for name in ["carol", "dave", "eve"] {
        network.client(name);
        network.run_until_idle();
    }
    network.take_server();
    vanish(&mut network, 1);
    emit(&mut network, "bob", &text(0, 10));
    network.wait(SECOND);
    for (index, name) in [(2, "carol"), (3, "dave")] {
        vanish(&mut network, index);
        network.wait(SECOND);
        for number in 0..4 {
            emit(&mut network, name, &text(number, 10_000));
        }
    }
    assert_eq!(ended(&network.take_server()), []);
    vanish(&mut network, 4);
    network.wait(SECOND);
    for number in 0..2 {
        emit(&mut network, "eve", &text(number, 10_000));
    }
    assert_eq!(ended(&network.take_server()), [("carol".to_owned(), 4)]);
    // A broadcast counts once, however many are away.
    for number in 2..5 {
        broadcast(&mut network, &text(number, 10_000));
    }
    assert_eq!(ended(&network.take_server()), []);
    broadcast(&mut network, &text(5, 10_000));
    assert_eq!(ended(&network.take_server()), [("dave".to_owned(), 8)]);
    for index in [1, 4] {
        network.take(index);
        notice_and_come_back(&mut network, index);
    }
    assert_eq!(numbers(&network.take(1)), [(0, false), (2, false), (3, false), (4, false), (5, false)]);
    assert_eq!(numbers(&network.take(4)), (0..6).map(|number| (number, false)).collect::<Vec<_>>());
}

#[test]
fn names_and_ids_count_as_kept_for_clients_that_are_away() {
    let mut network = Network::with_options(1, server::Options { away_limit: 1_000_000, ..server_options() });
    for number in 0..60 {
        let index = network.client(&format!("{number}{}", "n".repeat(30_000)));
        network.run_until_idle();
        network.now += Duration::from_millis(1);
        vanish(&mut network, index);
        network.run_until_idle();
    }
    assert!(outstanding(&mut network, "clients that are away") <= 17);
}

#[test]
fn a_newcomer_takes_the_place_of_a_client_that_is_away_and_never_of_one_that_is_there() {
    let mut network = with_server(server::Options { max_clients: 4, ..server_options() });
    // The first misses something, the others nothing.
    vanish(&mut network, 1);
    broadcast(&mut network, "1");
    for name in ["carol", "dave"] {
        network.client(name);
        network.run_until_idle();
    }
    vanish(&mut network, 2);
    vanish(&mut network, 3);
    network.take_server();
    for (name, goes) in [("eve", ("carol", 0)), ("frank", ("dave", 0)), ("grace", ("bob", 1))] {
        let index = network.client(name);
        network.run_until_idle();
        assert_eq!(network.take(index), [Recorded::Connected]);
        assert_eq!(ended(&network.take_server()), [(goes.0.to_owned(), goes.1)]);
    }
    // All places are taken by clients that are there: a new one must wait.
    let last = network.client("heidi");
    network.run_until_idle();
    assert_eq!(network.take(last), []);
    assert_eq!(ended(&network.take_server()), []);
    assert!(network.clients[0].is_connected());
}

#[test]
fn a_client_comes_back_to_its_place_also_where_all_are_taken() {
    let mut network = with_server(server::Options { max_clients: 2, ..server_options() });
    vanish(&mut network, 1);
    emit(&mut network, "bob", "1");
    network.take(1);
    network.take_server();
    notice_and_come_back(&mut network, 1);
    assert_eq!(messages(&network.take(1)), [("1", false)]);
    assert_eq!(ended(&network.take_server()), []);
}

#[test]
fn clients_that_come_and_vanish_leave_no_more_than_the_most_that_there_may_be() {
    let mut network = Network::with_options(1, server::Options { max_clients: 10, ..server_options() });
    for number in 0..200 {
        let index = network.client(&number.to_string());
        network.run_until_idle();
        vanish(&mut network, index);
        if number % 7 == 0 {
            broadcast(&mut network, "1");
        }
    }
    assert_eq!(outstanding(&mut network, "clients that are away"), 10);
    let now = network.now;
    network.server().close(now, &mut |_: Event<'_>| ());
    network.flush(Side::Server);
    network.wait(6 * SECOND);
    assert_eq!(network.server().outstanding(), []);
    assert_eq!(network.server().deadline(), None);
}
