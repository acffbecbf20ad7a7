//! Deliveries whose time is limited.

use std::time::Duration;

use ipcio::driver::machine::{Machine, Payload};
use ipcio::driver::protocol::frame::Kind;

use crate::network::{Network, Recorded, Side};
use crate::{SECOND, alice_and_bob, handle, messages};

const LIMIT: Duration = Duration::from_millis(100);

/// Queues a delivery that ends after [`LIMIT`].
fn ask(network: &mut Network, name: &str, request: u64) {
    network.push(0, Kind::Request, name, request, "1").unwrap();
    let end = network.now + LIMIT;
    network.clients[0].limit_time(request, end);
}

/// Lets the client look at the clock once.
fn elapse(network: &mut Network) {
    network.call(Side::Client(0), |machine, now, mut events| machine.elapsed(now, &mut events));
}

#[test]
fn a_delivery_whose_time_is_over_is_not_sent_and_leaves_nothing() {
    let mut network = Network::new(1);
    network.kill_server();
    network.client("alice");
    ask(&mut network, "", 1);
    network.push(0, Kind::Send, "", 0, "2").unwrap();
    ask(&mut network, "", 2);
    network.wait(LIMIT / 2);
    assert_eq!(network.take(0), []);
    network.wait(LIMIT);
    assert_eq!(network.take(0), [Recorded::TimedOut(1), Recorded::TimedOut(2)]);
    network.start_server();
    network.wait(SECOND);
    let recorded = network.take_server();
    assert_eq!(messages(&recorded), [("2", false)]);
    handle(&mut network, Side::Server, &recorded);
    assert_eq!(network.take(0), [Recorded::Connected, Recorded::Settled(1)]);
    network.wait(SECOND);
    assert_eq!(network.clients[0].outstanding(), []);
}

#[test]
fn a_delivery_that_was_answered_or_given_up_has_no_time_any_more() {
    let mut network = alice_and_bob();
    ask(&mut network, "", 1);
    ask(&mut network, "", 2);
    network.flush(Side::Client(0));
    network.run_until_idle();
    let recorded = network.take_server();
    let (session, request) = recorded
        .iter()
        .find_map(|recorded| match *recorded {
            Recorded::Message { session, request: Some(request), .. } => Some((session, request)),
            _ => None,
        })
        .unwrap();
    handle(&mut network, Side::Server, &recorded);
    network.server().respond(session, request, Ok(Payload::Json(b"5")));
    network.flush(Side::Server);
    network.clients[0].cancel(2);
    network.flush(Side::Client(0));
    network.wait(SECOND);
    assert_eq!(network.take(0), [Recorded::Answer { request: 1, outcome: Ok("5".into()) }]);
    assert_eq!((network.clients[0].deadline(), network.clients[0].outstanding()), (None, vec![]));
}

#[test]
fn others_have_their_turn_between_many_that_end_at_once() {
    let mut network = Network::new(1);
    network.kill_server();
    network.client("alice");
    network.run_until_idle();
    for request in 1..=1_000 {
        ask(&mut network, "", request);
    }
    network.now += LIMIT;
    for expected in [256, 256, 256, 232] {
        assert!(network.clients[0].deadline().is_some_and(|at| at <= network.now));
        elapse(&mut network);
        assert_eq!(network.take(0).len(), expected);
    }
    assert!(network.clients[0].deadline().is_none_or(|at| at > network.now));
}

#[test]
fn the_receiver_of_a_delivery_learns_that_it_timed_out() {
    let mut network = alice_and_bob();
    ask(&mut network, "bob", 1);
    network.flush(Side::Client(0));
    network.run_until_idle();
    let recorded = network.take(1);
    assert_eq!(messages(&recorded), [("1", false)]);
    handle(&mut network, Side::Client(1), &recorded);
    network.wait(SECOND);
    assert_eq!(network.take(0), [Recorded::TimedOut(1)]);
    assert_eq!(network.clients[0].outstanding(), []);
    assert!(
        !network.server().outstanding().iter().any(|(what, _)| what.contains("deliver")),
        "{:?}",
        network.server().outstanding()
    );
}

#[test]
fn a_client_that_closes_waits_no_longer_than_for_what_has_time_left() {
    let mut network = alice_and_bob();
    ask(&mut network, "bob", 1);
    network.flush(Side::Client(0));
    network.run_until_idle();
    let recorded = network.take(1);
    handle(&mut network, Side::Client(1), &recorded);
    let now = network.now;
    let mut closed = Vec::new();
    network.clients[0].close(now, &mut |event: ipcio::driver::machine::Event<'_>| closed.push(Recorded::from(event)));
    network.flush(Side::Client(0));
    network.wait(SECOND);
    assert_eq!((closed, network.take(0)), (vec![], vec![Recorded::TimedOut(1), Recorded::Closed]));
}
