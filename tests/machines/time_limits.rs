//! Deliveries whose time is limited.

use std::time::Duration;

use ipcio::driver::machine::{Machine, Payload};
use ipcio::driver::protocol::frame::Kind;

use crate::world::{Said, Side, World};
use crate::{SECOND, alice_and_bob, handle, messages};

const LIMIT: Duration = Duration::from_millis(100);

/// Queues a delivery that ends after [`LIMIT`].
fn ask(world: &mut World, name: &str, request: u64) {
    world.push(0, Kind::Request, name, request, "1").unwrap();
    let end = world.now + LIMIT;
    world.clients[0].limit_time(request, end);
}

/// Lets the client look at the clock once.
fn elapse(world: &mut World) {
    world.call(Side::Client(0), |machine, now, mut events| machine.elapsed(now, &mut events));
}

#[test]
fn a_delivery_whose_time_is_over_is_not_sent_and_leaves_nothing() {
    let mut world = World::new(1);
    world.kill_server();
    world.client("alice");
    ask(&mut world, "", 1);
    world.push(0, Kind::Send, "", 0, "2").unwrap();
    ask(&mut world, "", 2);
    world.wait(LIMIT / 2);
    assert_eq!(world.take(0), []);
    world.wait(LIMIT);
    assert_eq!(world.take(0), [Said::TimedOut(1), Said::TimedOut(2)]);
    world.start_server();
    world.wait(SECOND);
    let said = world.take_server();
    assert_eq!(messages(&said), [("2", false)]);
    handle(&mut world, Side::Server, &said);
    assert_eq!(world.take(0), [Said::Connected, Said::Settled(1)]);
    world.wait(SECOND);
    assert_eq!(world.clients[0].outstanding(), []);
}

#[test]
fn a_delivery_that_was_answered_or_given_up_has_no_time_any_more() {
    let mut world = alice_and_bob();
    ask(&mut world, "", 1);
    ask(&mut world, "", 2);
    world.flush(Side::Client(0));
    world.settle();
    let said = world.take_server();
    let (session, request) = said
        .iter()
        .find_map(|said| match *said {
            Said::Message { session, request: Some(request), .. } => Some((session, request)),
            _ => None,
        })
        .unwrap();
    handle(&mut world, Side::Server, &said);
    world.server().respond(session, request, Ok(Payload::Json(b"5")));
    world.flush(Side::Server);
    world.clients[0].cancel(2);
    world.flush(Side::Client(0));
    world.wait(SECOND);
    assert_eq!(world.take(0), [Said::Answer { request: 1, outcome: Ok("5".into()) }]);
    assert_eq!((world.clients[0].deadline(), world.clients[0].outstanding()), (None, vec![]));
}

#[test]
fn others_have_their_turn_between_many_that_end_at_once() {
    let mut world = World::new(1);
    world.kill_server();
    world.client("alice");
    world.settle();
    for request in 1..=1_000 {
        ask(&mut world, "", request);
    }
    world.now += LIMIT;
    for expected in [256, 256, 256, 232] {
        assert!(world.clients[0].deadline().is_some_and(|at| at <= world.now));
        elapse(&mut world);
        assert_eq!(world.take(0).len(), expected);
    }
    assert!(world.clients[0].deadline().is_none_or(|at| at > world.now));
}

#[test]
fn whoever_was_asked_learns_that_nobody_waits() {
    let mut world = alice_and_bob();
    ask(&mut world, "bob", 1);
    world.flush(Side::Client(0));
    world.settle();
    let said = world.take(1);
    assert_eq!(messages(&said), [("1", false)]);
    handle(&mut world, Side::Client(1), &said);
    world.wait(SECOND);
    assert_eq!(world.take(0), [Said::TimedOut(1)]);
    assert_eq!(world.clients[0].outstanding(), []);
    assert!(
        !world.server().outstanding().iter().any(|(what, _)| what.contains("deliver")),
        "{:?}",
        world.server().outstanding()
    );
}

#[test]
fn a_client_that_closes_waits_no_longer_than_for_what_has_time_left() {
    let mut world = alice_and_bob();
    ask(&mut world, "bob", 1);
    world.flush(Side::Client(0));
    world.settle();
    let said = world.take(1);
    handle(&mut world, Side::Client(1), &said);
    let now = world.now;
    let mut closed = Vec::new();
    world.clients[0].close(now, &mut |event: ipcio::driver::machine::Event<'_>| closed.push(Said::from(event)));
    world.flush(Side::Client(0));
    world.wait(SECOND);
    assert_eq!((closed, world.take(0)), (vec![], vec![Said::TimedOut(1), Said::Closed]));
}
