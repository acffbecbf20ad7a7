//! Starting, and leaving.

use std::time::Duration;

use ipcio::Code;
use ipcio::driver::machine::{Event, Payload};
use ipcio::driver::protocol::frame::Kind;
use ipcio::driver::protocol::v1::message;

use crate::world::{COMMAND, Said, Side, World};
use crate::{SECOND, alice_and_bob, handle, messages, old_client};

#[test]
fn a_server_that_closes_says_goodbye_when_everything_has_arrived() {
    let mut world = alice_and_bob();
    let pipe = world.pipe_of(1).unwrap();
    world.pipes[pipe].to_client.full = true;
    world.server().emit("bob", COMMAND, Payload::Json(b"1"), None).unwrap();
    world.flush(Side::Server);
    let now = world.now;
    let mut said = Vec::new();
    world.server().close(now, &mut |event: Event<'_>| said.push(Said::from(event)));
    world.flush(Side::Server);
    world.settle();
    assert_eq!(world.take(0), [Said::Disconnected]);
    assert!(!world.take_server().contains(&Said::Closed));
    world.pipes[pipe].to_client.full = false;
    world.pipes[pipe].to_client.blocked = false;
    world.write(pipe, Side::Server);
    world.settle();
    let said = world.take(1);
    assert_eq!(messages(&said), [("1", false)]);
    handle(&mut world, Side::Client(1), &said);
    world.wait(SECOND);
    assert_eq!(world.take_server().last(), Some(&Said::Closed));
    assert!(!world.server().is_started() && world.clients[0].is_started());
}

#[test]
fn a_server_that_closes_does_not_wait_for_ever() {
    let mut world = alice_and_bob();
    let pipe = world.pipe_of(1).unwrap();
    world.pipes[pipe].to_client.full = true;
    world.server().emit("bob", COMMAND, Payload::Json(b"1"), None).unwrap();
    world.flush(Side::Server);
    world.call(Side::Server, |_, _, _| ());
    let now = world.now;
    world.server().close(now, &mut |_: Event<'_>| ());
    world.flush(Side::Server);
    world.wait(6 * SECOND);
    assert_eq!(world.take_server().last(), Some(&Said::Closed));
}

#[test]
fn a_client_that_closes_waits_for_what_it_has_sent() {
    let mut world = alice_and_bob();
    world.push(0, Kind::Send, "", 0, "1").unwrap();
    let now = world.now;
    world.clients[0].close(now, &mut |_: Event<'_>| ());
    world.flush(Side::Client(0));
    world.settle();
    let said = world.take_server();
    assert_eq!((messages(&said), world.take(0)), (vec![("1", false)], vec![]));
    handle(&mut world, Side::Server, &said);
    assert_eq!(world.take(0), [Said::Settled(1), Said::Closed]);
    let ended = Said::SessionEnded { name: "alice".into(), messages: 0 };
    assert!(world.take_server().contains(&ended));
}

#[test]
fn a_client_that_nobody_answers_closes_after_a_while() {
    let mut world = alice_and_bob();
    world.push(0, Kind::Send, "", 0, "1").unwrap();
    let now = world.now;
    world.clients[0].close(now, &mut |_: Event<'_>| ());
    world.flush(Side::Client(0));
    world.wait(6 * SECOND);
    assert_eq!(world.take(0), [Said::Closed]);
    assert!(!world.clients[0].is_started());
    // It can be used again.
    world.clients[0].connect().unwrap();
    world.flush(Side::Client(0));
    world.settle();
    assert_eq!(world.take(0), [Said::Connected]);
}

#[test]
fn a_server_is_started_once_and_again_after_it_was_closed() {
    let mut world = World::new(1);
    let now = world.now;
    assert_eq!(world.server().start(now).unwrap_err().code(), Code::AlreadyStarted);
    let mut said = Vec::new();
    world.server().close(now, &mut |event: Event<'_>| said.push(Said::from(event)));
    world.flush(Side::Server);
    assert_eq!(said, [Said::Closed]);
    world.server().start(now).unwrap();
    let client = world.client("alice");
    assert_eq!(world.clients[client].connect().unwrap_err().code(), Code::AlreadyStarted);
}

#[test]
fn a_server_that_has_closed_keeps_nothing() {
    let mut world = alice_and_bob();
    // One of each: somebody who wants a name that is taken, somebody who says nothing, and a delivery under way.
    world.client("bob");
    let pipe = world.pipes.len() - 1;
    world.accept(pipe);
    world.carry(pipe, Side::Server, usize::MAX);
    world.client("carol");
    let pipe = world.pipes.len() - 1;
    world.pipes[pipe].to_server.bytes.clear();
    world.accept(pipe);
    world.push(0, Kind::Request, "bob", 1, "1").unwrap();
    world.flush(Side::Client(0));
    let pipe = world.pipe_of(0).unwrap();
    world.carry(pipe, Side::Server, usize::MAX);
    let now = world.now;
    world.server().close(now, &mut |_: Event<'_>| ());
    world.flush(Side::Server);
    world.wait(6 * SECOND);
    assert_eq!(world.take_server().last(), Some(&Said::Closed));
    assert_eq!(world.server().outstanding(), []);
}

#[test]
fn a_server_that_closes_leaves_everybody_also_when_a_client_of_protocol_1_asks_another_meanwhile() {
    let mut world = alice_and_bob();
    let [control, private] = old_client(&mut world);
    // Something that keeps it from leaving them at once.
    world.send(0, Kind::Send, "", 0, "1");
    world.send(1, Kind::Send, "", 0, "1");
    message::write(None, COMMAND, b"1", Some("q"), &mut world.raws[private].to_server);
    world.carry_raw(private, usize::MAX);
    let said = world.take_server();
    let now = world.now;
    world.server().close(now, &mut |_: Event<'_>| ());
    world.flush(Side::Server);
    let mut inner = Vec::new();
    message::write(Some("bob"), COMMAND, b"2", Some("d"), &mut inner);
    message::write_wrapped("old", "emit", Some("d"), &inner, &mut world.raws[control].to_server);
    world.carry_raw(control, usize::MAX);
    world.settle();
    handle(&mut world, Side::Server, &said);
    let Some(Said::Message { session, request: Some(request), .. }) = said.last().cloned() else { panic!("{said:?}") };
    world.server().respond(session, request, Ok(Payload::Json(b"1")));
    world.flush(Side::Server);
    let said = world.take(1);
    let Some(Said::Message { request: Some(request), .. }) = said.first().cloned() else { panic!("{said:?}") };
    handle(&mut world, Side::Client(1), &said);
    world.wait(Duration::from_millis(100));
    assert!(!world.take_server().contains(&Said::Closed));
    world.clients[1].respond(request, Ok(Payload::Json(b"3")));
    world.flush(Side::Client(1));
    world.wait(Duration::from_millis(100));
    assert_eq!(world.take_server().last(), Some(&Said::Closed));
    let answer = br#"{"id":null,"command":"deliver","data":3,"delivery":"d"}"#;
    assert!(world.raws[private].received.ends_with(answer));
}
