//! What is left over when a client comes back, connects anew, or changes its mind.

use ipcio::driver::machine::{Event, Payload};
use ipcio::driver::protocol::frame::Kind;
use ipcio::driver::server;

use crate::world::{Said, Side, World, server_options};
use crate::{SECOND, alice_and_bob, come_back, failures, messages};

#[test]
fn a_client_that_came_back_is_asked_on_for_as_long_as_it_likes() {
    let mut world = alice_and_bob();
    world.send(0, Kind::Request, "bob", 1, "1");
    let said = world.take(1);
    let Some(&Said::Message { request: Some(request), .. }) = said.first() else { panic!("{said:?}") };
    let pipe = world.pipe_of(1).unwrap();
    world.pipes[pipe].cut_both();
    world.settle();
    come_back(&mut world, 1);
    world.wait(3 * SECOND);
    assert_eq!(failures(&world.take(0)), []);
    world.clients[1].respond(request, Ok(Payload::Json(b"2")));
    world.flush(Side::Client(1));
    world.settle();
    assert_eq!(world.take(0), [Said::Answer { request: 1, outcome: Ok("2".into()) }]);
}

#[test]
fn what_waited_for_a_client_leaves_its_room_once_that_is_there() {
    let mut world = World::with_options(1, server::Options { slow_consumer_limit: 1000, ..server_options() });
    let alice = world.client("alice");
    world.settle();
    let large = format!("\"{}\"", "x".repeat(600));
    for name in ["bob", "carol"] {
        world.send(alice, Kind::Emit, name, 0, &large);
        let receiver = world.client(name);
        world.settle();
        assert_eq!(messages(&world.take(receiver)), [(large.as_str(), false)], "{name}");
    }
}

#[test]
fn a_client_that_was_closed_forgets_what_its_server_took() {
    let mut world = World::with_options(1, server::Options { limit: 100, ..server_options() });
    let alice = world.client("alice");
    world.settle();
    let large = format!("\"{}\"", "x".repeat(200));
    assert!(world.push(alice, Kind::Send, "", 0, &large).is_err());
    let now = world.now;
    world.clients[alice].close(now, &mut |_: Event<'_>| {});
    world.flush(Side::Client(alice));
    world.settle();
    assert!(!world.clients[alice].is_started());
    world.push(alice, Kind::Send, "", 0, &large).unwrap();
}

#[test]
fn a_delivery_behind_one_that_was_withdrawn_as_too_large_is_still_found() {
    let mut world = World::with_options(1, server::Options { limit: 100, ..server_options() });
    world.kill_server();
    let alice = world.client("alice");
    world.push(alice, Kind::Request, "", 1, &format!("\"{}\"", "x".repeat(200))).unwrap();
    world.push(alice, Kind::Request, "", 2, "2").unwrap();
    world.push(alice, Kind::Send, "", 0, "3").unwrap();
    world.start_server();
    world.clients[alice].look_again();
    world.flush(Side::Client(alice));
    let pipe = world.pipe_of(alice).unwrap();
    world.accept(pipe);
    world.carry(pipe, Side::Server, usize::MAX);
    world.carry(pipe, Side::Client(alice), usize::MAX);
    world.pipes[pipe].cut_both();
    world.settle();
    world.clients[alice].cancel(2);
    come_back(&mut world, alice);
    let said: Vec<String> = messages(&world.take_server()).into_iter().map(|(text, _)| text.to_owned()).collect();
    assert_eq!(said, ["3"]);
}
