//! Starting, and leaving.

use std::time::Duration;

use ipcio::Code;
use ipcio::driver::machine::{Event, Payload};
use ipcio::driver::protocol::frame::Kind;
use ipcio::driver::protocol::v1::message;

use crate::network::{COMMAND, Network, Recorded, Side};
use crate::{SECOND, alice_and_bob, handle, messages, old_client};

#[test]
fn a_server_that_closes_says_goodbye_when_everything_has_arrived() {
    let mut network = alice_and_bob();
    let pipe = network.pipe_of(1).unwrap();
    network.pipes[pipe].to_client.full = true;
    network.server().emit("bob", COMMAND, Payload::Json(b"1"), None).unwrap();
    network.flush(Side::Server);
    let now = network.now;
    let mut recorded = Vec::new();
    network.server().close(now, &mut |event: Event<'_>| recorded.push(Recorded::from(event)));
    network.flush(Side::Server);
    network.run_until_idle();
    assert_eq!(network.take(0), [Recorded::Disconnected]);
    assert!(!network.take_server().contains(&Recorded::Closed));
    network.pipes[pipe].to_client.full = false;
    network.pipes[pipe].to_client.blocked = false;
    network.write(pipe, Side::Server);
    network.run_until_idle();
    let recorded = network.take(1);
    assert_eq!(messages(&recorded), [("1", false)]);
    handle(&mut network, Side::Client(1), &recorded);
    network.wait(SECOND);
    assert_eq!(network.take_server().last(), Some(&Recorded::Closed));
    assert!(!network.server().is_started() && network.clients[0].is_started());
}

#[test]
fn a_server_that_closes_does_not_wait_for_ever() {
    let mut network = alice_and_bob();
    let pipe = network.pipe_of(1).unwrap();
    network.pipes[pipe].to_client.full = true;
    network.server().emit("bob", COMMAND, Payload::Json(b"1"), None).unwrap();
    network.flush(Side::Server);
    network.call(Side::Server, |_, _, _| ());
    let now = network.now;
    network.server().close(now, &mut |_: Event<'_>| ());
    network.flush(Side::Server);
    network.wait(6 * SECOND);
    assert_eq!(network.take_server().last(), Some(&Recorded::Closed));
}

#[test]
fn a_client_that_closes_waits_for_what_it_has_sent() {
    let mut network = alice_and_bob();
    network.push(0, Kind::Send, "", 0, "1").unwrap();
    let now = network.now;
    network.clients[0].close(now, &mut |_: Event<'_>| ());
    network.flush(Side::Client(0));
    network.run_until_idle();
    let recorded = network.take_server();
    assert_eq!((messages(&recorded), network.take(0)), (vec![("1", false)], vec![]));
    handle(&mut network, Side::Server, &recorded);
    assert_eq!(network.take(0), [Recorded::Settled(1), Recorded::Closed]);
    let ended = Recorded::SessionEnded { name: "alice".into(), messages: 0 };
    assert!(network.take_server().contains(&ended));
}

#[test]
fn a_client_without_an_answer_closes_after_a_while() {
    let mut network = alice_and_bob();
    network.push(0, Kind::Send, "", 0, "1").unwrap();
    let now = network.now;
    network.clients[0].close(now, &mut |_: Event<'_>| ());
    network.flush(Side::Client(0));
    network.wait(6 * SECOND);
    assert_eq!(network.take(0), [Recorded::Closed]);
    assert!(!network.clients[0].is_started());
    // It can be used again.
    network.clients[0].connect().unwrap();
    network.flush(Side::Client(0));
    network.run_until_idle();
    assert_eq!(network.take(0), [Recorded::Connected]);
}

#[test]
fn a_server_is_started_once_and_again_after_it_was_closed() {
    let mut network = Network::new(1);
    let now = network.now;
    assert_eq!(network.server().start(now).unwrap_err().code(), Code::AlreadyStarted);
    let mut recorded = Vec::new();
    network.server().close(now, &mut |event: Event<'_>| recorded.push(Recorded::from(event)));
    network.flush(Side::Server);
    assert_eq!(recorded, [Recorded::Closed]);
    network.server().start(now).unwrap();
    let client = network.client("alice");
    assert_eq!(network.clients[client].connect().unwrap_err().code(), Code::AlreadyStarted);
}

#[test]
fn a_server_that_has_closed_keeps_nothing() {
    let mut network = alice_and_bob();
    // One of each: a client that wants a taken name, a peer that sends nothing, and an outstanding delivery.
    network.client("bob");
    let pipe = network.pipes.len() - 1;
    network.accept(pipe);
    network.carry(pipe, Side::Server, usize::MAX);
    network.client("carol");
    let pipe = network.pipes.len() - 1;
    network.pipes[pipe].to_server.bytes.clear();
    network.accept(pipe);
    network.push(0, Kind::Request, "bob", 1, "1").unwrap();
    network.flush(Side::Client(0));
    let pipe = network.pipe_of(0).unwrap();
    network.carry(pipe, Side::Server, usize::MAX);
    let now = network.now;
    network.server().close(now, &mut |_: Event<'_>| ());
    network.flush(Side::Server);
    network.wait(6 * SECOND);
    assert_eq!(network.take_server().last(), Some(&Recorded::Closed));
    assert_eq!(network.server().outstanding(), []);
}

#[test]
fn a_server_that_closes_ends_all_connections_also_while_a_client_of_protocol_1_asks_another() {
    let mut network = alice_and_bob();
    let [control, private] = old_client(&mut network);
    // Something that keeps it from leaving them at once.
    network.send(0, Kind::Send, "", 0, "1");
    network.send(1, Kind::Send, "", 0, "1");
    message::write(None, COMMAND, b"1", Some("q"), &mut network.raws[private].to_server);
    network.carry_raw(private, usize::MAX);
    let recorded = network.take_server();
    let now = network.now;
    network.server().close(now, &mut |_: Event<'_>| ());
    network.flush(Side::Server);
    let mut inner = Vec::new();
    message::write(Some("bob"), COMMAND, b"2", Some("d"), &mut inner);
    message::write_wrapped("old", "emit", Some("d"), &inner, &mut network.raws[control].to_server);
    network.carry_raw(control, usize::MAX);
    network.run_until_idle();
    handle(&mut network, Side::Server, &recorded);
    let Some(Recorded::Message { session, request: Some(request), .. }) = recorded.last().cloned() else {
        panic!("{recorded:?}")
    };
    network.server().respond(session, request, Ok(Payload::Json(b"1")));
    network.flush(Side::Server);
    let recorded = network.take(1);
    let Some(Recorded::Message { request: Some(request), .. }) = recorded.first().cloned() else {
        panic!("{recorded:?}")
    };
    handle(&mut network, Side::Client(1), &recorded);
    network.wait(Duration::from_millis(100));
    assert!(!network.take_server().contains(&Recorded::Closed));
    network.clients[1].respond(request, Ok(Payload::Json(b"3")));
    network.flush(Side::Client(1));
    network.wait(Duration::from_millis(100));
    assert_eq!(network.take_server().last(), Some(&Recorded::Closed));
    let answer = br#"{"id":null,"command":"deliver","data":3,"delivery":"d"}"#;
    assert!(network.raws[private].received.ends_with(answer));
}
