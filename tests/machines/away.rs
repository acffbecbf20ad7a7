//! What is kept for clients that are away, and which of them goes first.

use std::time::Duration;

use ipcio::driver::machine::{Event, Machine, Payload};
use ipcio::driver::server;

use crate::world::{COMMAND, Said, Side, World, client_options, server_options};
use crate::{SECOND, come_back, handle, messages, with_server};

const MINUTE: Duration = Duration::from_secs(60);

/// For all but `alice`.
fn broadcast(world: &mut World, text: &str) {
    world.server().broadcast(COMMAND, Payload::Json(text.as_bytes()), Some("alice")).unwrap();
    world.flush(Side::Server);
    world.settle();
}

fn emit(world: &mut World, name: &str, text: &str) {
    world.server().emit(name, COMMAND, Payload::Json(text.as_bytes()), None).unwrap();
    world.flush(Side::Server);
    world.settle();
}

/// A client's connection breaks, of which the client learns nothing for now.
fn vanish(world: &mut World, index: usize) {
    let pipe = world.pipe_of(index).unwrap();
    world.pipes[pipe].leave(Side::Client(index));
    world.settle();
}

/// It learns of it and comes back.
fn notice_and_come_back(world: &mut World, index: usize) {
    let connection = world.pipes.iter().rev().find(|pipe| pipe.client.0 == index).unwrap().client.1;
    world.call(Side::Client(index), |client, now, mut events| client.lost(connection, now, &mut events));
    come_back(world, index);
}

fn outstanding(world: &mut World, what: &str) -> usize {
    world.server().outstanding().iter().find(|(kind, _)| *kind == what).map_or(0, |&(_, count)| count)
}

fn ended(said: &[Said]) -> Vec<(String, u64)> {
    let found = said.iter().filter_map(|said| match said {
        Said::SessionEnded { name, messages } => Some((name.clone(), *messages)),
        _ => None,
    });
    found.collect()
}

/// A text of so many bytes that begins with a number.
fn text(number: usize, size: usize) -> String {
    format!("\"{number} {}\"", "x".repeat(size))
}

/// What a client has got, each by its number.
fn numbers(said: &[Said]) -> Vec<(usize, bool)> {
    let number = |text: &str| text[1..].split(' ').next().unwrap().parse().unwrap();
    messages(said).into_iter().map(|(text, redelivered)| (number(text), redelivered)).collect()
}

#[test]
fn a_broadcast_is_stored_once_for_all_that_are_away_and_forgotten_once_all_are_back() {
    let mut world = with_server(server_options());
    for index in 2..50 {
        let name = format!("client-{index}");
        world.client(&name);
        world.settle();
    }
    (1..50).for_each(|index| vanish(&mut world, index));
    for number in 0..1_000 {
        broadcast(&mut world, &text(number, 100));
    }
    assert_eq!(outstanding(&mut world, "frames that go out"), 0);
    assert_eq!(outstanding(&mut world, "broadcasts for clients that are away"), 1_000);
    for index in 1..50 {
        world.take(index);
        notice_and_come_back(&mut world, index);
        let expected: Vec<_> = (0..1_000).map(|number| (number, false)).collect();
        assert_eq!(numbers(&world.take(index)), expected);
    }
    assert_eq!(outstanding(&mut world, "broadcasts for clients that are away"), 0);
}

#[test]
fn broadcasts_and_messages_keep_their_order_for_a_client_that_is_away() {
    for restarted in [false, true] {
        let mut world = with_server(server_options());
        // Written and not read: it is sent again, and marked where somebody else gets it.
        world.server().broadcast(COMMAND, Payload::Json(text(0, 20_000).as_bytes()), Some("alice")).unwrap();
        world.server().emit("bob", COMMAND, Payload::Json(text(1, 10).as_bytes()), None).unwrap();
        world.flush(Side::Server);
        vanish(&mut world, 1);
        let mut expected = vec![(0, restarted), (1, restarted)];
        for number in 2..300 {
            let text = text(number, if number % 37 == 0 { 30_000 } else { number % 50 });
            if world.random.below(3) == 0 {
                emit(&mut world, "bob", &text)
            } else {
                broadcast(&mut world, &text)
            }
            expected.push((number, false));
        }
        world.take(1);
        if restarted {
            world.restart_client(1);
            world.settle();
        } else {
            notice_and_come_back(&mut world, 1);
        }
        // And what follows comes behind.
        broadcast(&mut world, &text(300, 10));
        expected.push((300, false));
        let said = world.take(1);
        assert_eq!(numbers(&said), expected);
        handle(&mut world, Side::Client(1), &said);
        world.wait(2 * SECOND);
        assert_eq!(outstanding(&mut world, "bytes that go out"), 0);
    }
}

#[test]
fn what_a_client_that_does_not_return_has_missed_is_counted() {
    let mut world = with_server(server_options());
    // It has got this one, and not said so.
    emit(&mut world, "bob", "1");
    vanish(&mut world, 1);
    broadcast(&mut world, "2");
    emit(&mut world, "bob", "3");
    broadcast(&mut world, "4");
    // Its own.
    world.server().broadcast(COMMAND, Payload::Json(b"5"), Some("bob")).unwrap();
    world.take_server();
    world.wait(MINUTE + SECOND);
    assert_eq!(ended(&world.take_server()), [("bob".to_owned(), 4)]);
    assert_eq!(outstanding(&mut world, "broadcasts for clients that are away"), 0);
}

#[test]
fn a_client_that_is_away_gets_no_broadcast_that_is_too_large_for_it_or_its_own() {
    let mut world = with_server(server_options());
    let small = world.client_with(ipcio::driver::client::Options { limit: 100, ..client_options("small") });
    world.settle();
    vanish(&mut world, small);
    vanish(&mut world, 1);
    world.take(small);
    world.take(1);
    broadcast(&mut world, "1");
    broadcast(&mut world, &format!("\"{}\"", "x".repeat(200)));
    broadcast(&mut world, "2");
    world.server().broadcast(COMMAND, Payload::Json(b"3"), Some("small")).unwrap();
    broadcast(&mut world, "4");
    notice_and_come_back(&mut world, small);
    notice_and_come_back(&mut world, 1);
    assert_eq!(messages(&world.take(small)), [("1", false), ("2", false), ("4", false)]);
    assert_eq!(messages(&world.take(1)).len(), 5);
}

#[test]
fn more_than_may_wait_for_one_client_drops_it_also_where_it_is_away() {
    let mut world = with_server(server::Options { slow_consumer_limit: 5_000, ..server_options() });
    vanish(&mut world, 1);
    world.take_server();
    (0..4).for_each(|number| broadcast(&mut world, &text(number, 1_000)));
    assert_eq!(ended(&world.take_server()), []);
    broadcast(&mut world, &text(4, 1_000));
    assert_eq!(ended(&world.take_server()), [("bob".to_owned(), 5)]);
}

#[test]
fn above_the_limit_for_all_that_are_away_the_one_with_the_most_to_lose_for_the_longest_time_goes() {
    let mut world = with_server(server::Options { away_limit: 100_000, ..server_options() });
    for name in ["carol", "dave", "eve"] {
        world.client(name);
        world.settle();
    }
    world.take_server();
    vanish(&mut world, 1);
    emit(&mut world, "bob", &text(0, 10));
    world.wait(SECOND);
    for (index, name) in [(2, "carol"), (3, "dave")] {
        vanish(&mut world, index);
        world.wait(SECOND);
        for number in 0..4 {
            emit(&mut world, name, &text(number, 10_000));
        }
    }
    assert_eq!(ended(&world.take_server()), []);
    vanish(&mut world, 4);
    world.wait(SECOND);
    for number in 0..2 {
        emit(&mut world, "eve", &text(number, 10_000));
    }
    assert_eq!(ended(&world.take_server()), [("carol".to_owned(), 4)]);
    // A broadcast counts once, however many are away.
    for number in 2..5 {
        broadcast(&mut world, &text(number, 10_000));
    }
    assert_eq!(ended(&world.take_server()), []);
    broadcast(&mut world, &text(5, 10_000));
    assert_eq!(ended(&world.take_server()), [("dave".to_owned(), 8)]);
    for index in [1, 4] {
        world.take(index);
        notice_and_come_back(&mut world, index);
    }
    assert_eq!(numbers(&world.take(1)), [(0, false), (2, false), (3, false), (4, false), (5, false)]);
    assert_eq!(numbers(&world.take(4)), (0..6).map(|number| (number, false)).collect::<Vec<_>>());
}

#[test]
fn names_and_ids_count_as_kept_for_clients_that_are_away() {
    let mut world = World::with_options(1, server::Options { away_limit: 1_000_000, ..server_options() });
    for number in 0..60 {
        let index = world.client(&format!("{number}{}", "n".repeat(30_000)));
        world.settle();
        world.now += Duration::from_millis(1);
        vanish(&mut world, index);
        world.settle();
    }
    assert!(outstanding(&mut world, "clients that are away") <= 17);
}

#[test]
fn a_newcomer_takes_the_place_of_a_client_that_is_away_and_never_of_one_that_is_there() {
    let mut world = with_server(server::Options { max_clients: 4, ..server_options() });
    // The first misses something, the others nothing.
    vanish(&mut world, 1);
    broadcast(&mut world, "1");
    for name in ["carol", "dave"] {
        world.client(name);
        world.settle();
    }
    vanish(&mut world, 2);
    vanish(&mut world, 3);
    world.take_server();
    for (name, goes) in [("eve", ("carol", 0)), ("frank", ("dave", 0)), ("grace", ("bob", 1))] {
        let index = world.client(name);
        world.settle();
        assert_eq!(world.take(index), [Said::Connected]);
        assert_eq!(ended(&world.take_server()), [(goes.0.to_owned(), goes.1)]);
    }
    // All places are taken by clients that are there: one that comes has to wait.
    let last = world.client("heidi");
    world.settle();
    assert_eq!(world.take(last), []);
    assert_eq!(ended(&world.take_server()), []);
    assert!(world.clients[0].is_connected());
}

#[test]
fn a_client_comes_back_to_its_place_also_where_all_are_taken() {
    let mut world = with_server(server::Options { max_clients: 2, ..server_options() });
    vanish(&mut world, 1);
    emit(&mut world, "bob", "1");
    world.take(1);
    world.take_server();
    notice_and_come_back(&mut world, 1);
    assert_eq!(messages(&world.take(1)), [("1", false)]);
    assert_eq!(ended(&world.take_server()), []);
}

#[test]
fn clients_that_come_and_vanish_leave_no_more_than_the_most_that_there_may_be() {
    let mut world = World::with_options(1, server::Options { max_clients: 10, ..server_options() });
    for number in 0..200 {
        let index = world.client(&number.to_string());
        world.settle();
        vanish(&mut world, index);
        if number % 7 == 0 {
            broadcast(&mut world, "1");
        }
    }
    assert_eq!(outstanding(&mut world, "clients that are away"), 10);
    let now = world.now;
    world.server().close(now, &mut |_: Event<'_>| ());
    world.flush(Side::Server);
    world.wait(6 * SECOND);
    assert_eq!(world.server().outstanding(), []);
    assert_eq!(world.server().deadline(), None);
}
