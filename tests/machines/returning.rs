//! What is left over when a client comes back, connects anew, or changes its mind.

use ipcio::driver::machine::{Event, Payload};
use ipcio::driver::protocol::frame::Kind;
use ipcio::driver::server;

use crate::network::{Network, Recorded, Side, server_options};
use crate::{SECOND, alice_and_bob, come_back, failures, messages};

#[test]
fn a_client_that_came_back_is_asked_on_for_as_long_as_it_likes() {
    let mut network = alice_and_bob();
    network.send(0, Kind::Request, "bob", 1, "1");
    let recorded = network.take(1);
    let Some(&Recorded::Message { request: Some(request), .. }) = recorded.first() else { panic!("{recorded:?}") };
    let pipe = network.pipe_of(1).unwrap();
    network.pipes[pipe].cut_both();
    network.run_until_idle();
    come_back(&mut network, 1);
    network.wait(3 * SECOND);
    assert_eq!(failures(&network.take(0)), []);
    network.clients[1].respond(request, Ok(Payload::Json(b"2")));
    network.flush(Side::Client(1));
    network.run_until_idle();
    assert_eq!(network.take(0), [Recorded::Answer { request: 1, outcome: Ok("2".into()) }]);
}

#[test]
fn what_waited_for_a_client_leaves_its_room_once_that_is_there() {
    let mut network = Network::with_options(1, server::Options { slow_consumer_limit: 1000, ..server_options() });
    let alice = network.client("alice");
    network.run_until_idle();
    let large = format!("\"{}\"", "x".repeat(600));
    for name in ["bob", "carol"] {
        network.send(alice, Kind::Emit, name, 0, &large);
        let receiver = network.client(name);
        network.run_until_idle();
        assert_eq!(messages(&network.take(receiver)), [(large.as_str(), false)], "{name}");
    }
}

#[test]
fn a_client_that_was_closed_forgets_what_its_server_took() {
    let mut network = Network::with_options(1, server::Options { limit: 100, ..server_options() });
    let alice = network.client("alice");
    network.run_until_idle();
    let large = format!("\"{}\"", "x".repeat(200));
    assert!(network.push(alice, Kind::Send, "", 0, &large).is_err());
    let now = network.now;
    network.clients[alice].close(now, &mut |_: Event<'_>| {});
    network.flush(Side::Client(alice));
    network.run_until_idle();
    assert!(!network.clients[alice].is_started());
    network.push(alice, Kind::Send, "", 0, &large).unwrap();
}

#[test]
fn a_delivery_behind_one_that_was_withdrawn_as_too_large_is_still_found() {
    let mut network = Network::with_options(1, server::Options { limit: 100, ..server_options() });
    network.kill_server();
    let alice = network.client("alice");
    network.push(alice, Kind::Request, "", 1, &format!("\"{}\"", "x".repeat(200))).unwrap();
    network.push(alice, Kind::Request, "", 2, "2").unwrap();
    network.push(alice, Kind::Send, "", 0, "3").unwrap();
    network.start_server();
    network.clients[alice].look_again();
    network.flush(Side::Client(alice));
    let pipe = network.pipe_of(alice).unwrap();
    network.accept(pipe);
    network.carry(pipe, Side::Server, usize::MAX);
    network.carry(pipe, Side::Client(alice), usize::MAX);
    network.pipes[pipe].cut_both();
    network.run_until_idle();
    network.clients[alice].cancel(2);
    come_back(&mut network, alice);
    let recorded: Vec<String> = messages(&network.take_server()).into_iter().map(|(text, _)| text.to_owned()).collect();
    assert_eq!(recorded, ["3"]);
}
