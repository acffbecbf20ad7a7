//! What becomes of too much: of messages, of deliveries, of what is not read.

use ipcio::Code;
use ipcio::driver::client;
use ipcio::driver::machine::Payload;
use ipcio::driver::protocol::frame::{Frame, Kind};
use ipcio::driver::protocol::v1::message;
use ipcio::driver::server;

use crate::world::{COMMAND, Said, Side, World, client_options, server_options};
use crate::{SECOND, alice_and_bob, failure, failures, handle, messages, next_turn, old_client, with_server};

fn text(size: usize) -> String {
    format!("\"{}\"", "x".repeat(size - 2))
}

#[test]
fn a_client_that_reads_is_not_slow_however_late_it_acknowledges() {
    let mut world = with_server(server::Options { slow_consumer_limit: 1_000, ..server_options() });
    for _ in 0..100 {
        world.send(0, Kind::Emit, "bob", 0, &text(900));
    }
    assert_eq!((world.take_server(), messages(&world.take(1)).len()), (vec![], 100));
}

#[test]
fn a_client_that_reads_and_never_acknowledges_is_dropped_in_the_end() {
    let mut world = with_server(server::Options { slow_consumer_limit: 2 << 20, ..server_options() });
    let large = vec![0; 1 << 20];
    for count in 1..=65 {
        world.server().emit("bob", COMMAND, Payload::Bytes(&large, None), None).unwrap();
        world.flush(Side::Server);
        next_turn(&mut world);
        assert_eq!(world.take_server().is_empty(), count < 65, "{count}");
    }
}

#[test]
fn what_is_larger_than_a_client_takes_is_dropped_and_told_of() {
    let mut world = alice_and_bob();
    let small = world.client_with(client::Options { limit: 100, ..client_options("small") });
    world.settle();
    world.take_server();
    let large = text(200);
    let payload = Payload::Json(large.as_bytes());
    world.server().emit("small", COMMAND, payload, None).unwrap();
    world.server().broadcast(COMMAND, payload, None).unwrap();
    world.flush(Side::Server);
    world.settle();
    assert_eq!(world.take_server(), [Said::Dropped { name: "small".into(), messages: 2 }]);
    world.send(0, Kind::Emit, "small", 0, &large);
    world.send(0, Kind::Broadcast, "", 0, &large);
    let one = || Said::Dropped { name: "small".into(), messages: 1 };
    assert_eq!(world.take_server(), [one(), one()]);
    // Whoever waits for an answer is told.
    world.send(0, Kind::Request, "small", 3, &large);
    assert_eq!(failures(&world.take(0)), [failure(3, Code::MessageTooLarge)]);
    assert_eq!((world.take_server(), world.take(small)), (vec![], vec![Said::Connected]));
    // The server's own limit is the program's business.
    let huge = text((1 << 20) + 1);
    let payload = Payload::Json(huge.as_bytes());
    assert_eq!(world.server().emit("small", COMMAND, payload, None).unwrap_err().code(), Code::MessageTooLarge);
    assert_eq!(world.server().emit("nobody", COMMAND, payload, None).unwrap_err().code(), Code::MessageTooLarge);
    assert_eq!(world.server().broadcast(COMMAND, payload, None).unwrap_err().code(), Code::MessageTooLarge);
}

#[test]
fn an_answer_to_discover_that_is_too_large_fails_it_and_nothing_else() {
    let mut world = World::with_options(1, server_options());
    for number in 0..5 {
        world.client(&format!("{number}{}", "n".repeat(50)));
    }
    let asks = world.client_with(client::Options { limit: 200, ..client_options("asks") });
    world.settle();
    assert_eq!(world.take(asks), [Said::Connected]);
    world.send(asks, Kind::Discover, "", 1, "");
    assert_eq!(failures(&world.take(asks)), [failure(1, Code::MessageTooLarge)]);
}

#[test]
fn a_client_asks_no_more_than_it_may_until_some_is_answered_given_up_or_lost() {
    let mut world = with_server(server::Options { max_deliveries: 3, ..server_options() });
    for (request, name) in [(1, ""), (2, "bob"), (3, "bob"), (4, ""), (5, "bob")] {
        world.send(0, Kind::Request, name, request, "1");
    }
    let too_many = |request| failure(request, Code::TooManyDeliveries);
    assert_eq!(failures(&world.take(0)), [too_many(4), too_many(5)]);
    let (said, at_bob) = (world.take_server(), world.take(1));
    handle(&mut world, Side::Server, &said);
    handle(&mut world, Side::Client(1), &at_bob);
    // One is given up, one answered: two more.
    world.clients[0].cancel(3);
    world.flush(Side::Client(0));
    world.settle();
    let Some(Said::Message { session, request: Some(number), .. }) = said.first() else { panic!("{said:?}") };
    world.server().respond(*session, *number, Ok(Payload::Json(b"1")));
    world.flush(Side::Server);
    world.settle();
    world.take(0);
    for request in 6..=8 {
        world.send(0, Kind::Request, "bob", request, "1");
    }
    assert_eq!(failures(&world.take(0)), [too_many(8)]);
    // Bob leaves: it has answered nothing.
    world.restart_client(1);
    world.settle();
    assert_eq!(failures(&world.take(0)), [2, 6, 7].map(|request| failure(request, Code::ClientLeft)));
    world.send(0, Kind::Request, "bob", 9, "1");
    assert_eq!(failures(&world.take(0)), []);
}

#[test]
fn whoever_asks_without_reading_is_dropped_before_the_answers_are_many() {
    let mut world = with_server(server::Options { slow_consumer_limit: 5_000, ..server_options() });
    let pipe = world.pipe_of(1).unwrap();
    world.pipes[pipe].to_client.full = true;
    for request in 1..=1_000 {
        world.push(1, Kind::Discover, "", request, "").unwrap();
    }
    world.flush(Side::Client(1));
    next_turn(&mut world);
    let said = world.take_server();
    let ended = said.iter().find_map(|said| match said {
        Said::SessionEnded { messages, .. } => Some(*messages),
        _ => None,
    });
    assert!(ended.is_some_and(|messages| messages < 100), "{said:?}");
}

#[test]
fn whoever_reads_may_ask_at_once_for_more_than_may_wait_for_it() {
    let mut world = with_server(server::Options { slow_consumer_limit: 1_000, ..server_options() });
    let large = text(900);
    for request in 1..=1_000 {
        world.push(1, Kind::Request, "bob", request, &large).unwrap();
        world.push(1, Kind::Discover, "", 1_000 + request, "").unwrap();
    }
    world.push(1, Kind::Send, "", 0, "1").unwrap();
    world.flush(Side::Client(1));
    next_turn(&mut world);
    let said = world.take(1);
    let answered = said.iter().filter(|said| matches!(said, Said::Answer { outcome: Ok(_), .. })).count();
    assert_eq!((answered, messages(&said).len()), (1_000, 1_000));
    let at_server = world.take_server();
    assert_eq!(messages(&at_server), [("1", false)]);
    // Nothing is left of it.
    handle(&mut world, Side::Server, &at_server);
    handle(&mut world, Side::Client(1), &said);
    for said in said {
        let Said::Message { request: Some(request), .. } = said else { continue };
        world.clients[1].respond(request, Ok(Payload::Json(b"1")));
    }
    world.flush(Side::Client(1));
    world.wait(SECOND);
    assert_eq!(world.server().outstanding(), []);
}

#[test]
fn what_a_client_asks_behind_what_it_has_to_read_first_is_done_when_it_has_read_also_if_it_ends() {
    let mut world = with_server(server::Options { slow_consumer_limit: 1_000, ..server_options() });
    let pipe = world.pipe_of(1).unwrap();
    world.push(1, Kind::Request, "bob", 1, &text(1_100)).unwrap();
    world.push(1, Kind::Send, "", 0, "1").unwrap();
    world.flush(Side::Client(1));
    world.carry(pipe, Side::Server, usize::MAX);
    assert_eq!(world.take_server(), []);
    world.pipes[pipe].leave(Side::Client(1));
    world.settle();
    let said = world.take_server();
    assert_eq!((messages(&said), &said[1..]), (vec![("1", false)], &[Said::SessionDisconnected][..]));
}

#[test]
fn what_waited_for_a_client_when_it_came_back_is_not_held_against_it_and_what_follows_is() {
    let mut world = with_server(server::Options { slow_consumer_limit: 1_000, ..server_options() });
    let pipe = world.pipe_of(1).unwrap();
    world.pipes[pipe].cut_both();
    world.settle();
    world.send(0, Kind::Emit, "bob", 0, &text(900));
    world.clients[1].look_again();
    world.flush(Side::Client(1));
    let pipe = world.pipe_of(1).unwrap();
    world.pipes[pipe].to_client.full = true;
    world.settle();
    let mut said = Vec::new();
    world.send(0, Kind::Emit, "bob", 0, &text(900));
    next_turn(&mut world);
    said.extend(world.take_server());
    assert!(!said.iter().any(|said| matches!(said, Said::SessionEnded { .. })), "{said:?}");
    world.send(0, Kind::Emit, "bob", 0, &text(900));
    next_turn(&mut world);
    assert!(world.take_server().contains(&Said::SessionEnded { name: "bob".into(), messages: 3 }));
}

#[test]
fn a_client_that_comes_back_again_and_again_and_never_reads_keeps_no_more_than_may_wait_for_it() {
    let mut world = with_server(server::Options { slow_consumer_limit: 1_000, ..server_options() });
    let mut ended = 0;
    for _ in 0..20 {
        let pipe = world.pipe_of(1).unwrap();
        world.pipes[pipe].cut_both();
        world.settle();
        world.clients[1].look_again();
        world.flush(Side::Client(1));
        let pipe = world.pipe_of(1).unwrap();
        world.pipes[pipe].to_client.full = true;
        world.accept(pipe);
        world.carry(pipe, Side::Server, usize::MAX);
        world.send(0, Kind::Emit, "bob", 0, &text(600));
        next_turn(&mut world);
        let said = world.take_server();
        ended += said.iter().filter(|said| matches!(said, Said::SessionEnded { .. })).count();
        let kept = world.server().outstanding();
        let bytes = kept.iter().find(|kept| kept.0 == "bytes that go out").map_or(0, |kept| kept.1);
        assert!(bytes < 3_000, "{kept:?}");
    }
    assert!(ended > 3, "{ended}");
}

#[test]
fn a_client_that_asks_on_and_never_acknowledges_that_it_may_not_is_dropped() {
    const REFUSALS: usize = 1 << 16;
    let mut world = with_server(server::Options { max_deliveries: 3, ..server_options() });
    let hello = r#"{"id":null,"command":"handshake","data":"mallory","delivery":null,"ipcio":{"version":2,"session":"m","attempt":1,"server":null,"received":0,"limit":1000}}"#;
    let raw = world.connect_raw(None).unwrap();
    world.raws[raw].to_server.extend_from_slice(hello.as_bytes());
    let mut sequence = 0;
    let mut asks = |world: &mut World, count: usize| {
        for _ in 0..count {
            sequence += 1;
            let frame = Frame { name: "bob", command: COMMAND, payload: b"1", ..Frame::bare(Kind::Request, sequence) };
            frame.encode(&mut world.raws[raw].to_server);
        }
        world.carry_raw(raw, usize::MAX);
        next_turn(world);
        world.raws[raw].is_open()
    };
    assert!(asks(&mut world, 3 + REFUSALS));
    // Who acknowledges the first is heard on, and who has acknowledged none of as many again is not.
    Frame::bare(Kind::Acknowledgement, 1).encode(&mut world.raws[raw].to_server);
    assert!(asks(&mut world, REFUSALS));
    world.take_server();
    assert!(!asks(&mut world, 1));
    let said = world.take_server();
    assert!(matches!(&said[..], [Said::SessionDisconnected, Said::SessionEnded { .. }]), "{said:?}");
    assert_eq!(
        world.server().outstanding().iter().find(|kept| kept.0 == "deliveries that no client has answered"),
        None
    );
}

#[test]
fn what_a_client_of_protocol_1_wraps_may_be_as_large_as_the_limit_however_much_is_escaped_twice() {
    const LIMIT: usize = 1 << 16;
    let mut world = with_server(server::Options { limit: LIMIT, ..server_options() });
    let [control, _] = old_client(&mut world);
    let emit = |world: &mut World, payload: &str| {
        let mut inner = Vec::new();
        message::write(Some("bob"), COMMAND, payload.as_bytes(), None, &mut inner);
        message::write_wrapped("old", "emit", None, &inner, &mut world.raws[control].to_server);
        world.carry_raw(control, usize::MAX);
        world.settle();
        let said = world.take(1);
        messages(&said).into_iter().map(|(text, _)| text.len()).collect::<Vec<_>>()
    };
    // Each character of it takes two bytes as JSON, and four within a string of JSON.
    let quotes = |count: usize| format!("\"{}\"", "\\\"".repeat(count));
    assert_eq!(emit(&mut world, &quotes(LIMIT / 2 - 1)), [LIMIT]);
    assert!(world.raws[control].is_open());
    assert_eq!(emit(&mut world, &quotes(LIMIT / 2)), [0; 0]);
    assert!(!world.raws[control].is_open());
}

#[test]
fn discover_tells_who_is_there_now() {
    let mut world = alice_and_bob();
    let mut asked = 0;
    let mut found = |world: &mut World| {
        asked += 1;
        world.send(0, Kind::Discover, "", asked, "");
        let said = world.take(0);
        let [Said::Answer { outcome: Ok(answer), .. }] = &said[..] else { panic!("{said:?}") };
        let answer: serde_json::Value = serde_json::from_str(answer).unwrap();
        [&answer["clients"], &answer["command_handlers"]].map(ToString::to_string)
    };
    let none = format!("[{COMMAND:?}]");
    for _ in 0..2 {
        assert_eq!(found(&mut world), [r#"["alice","bob"]"#, &none]);
    }
    world.client("carol");
    world.settle();
    assert_eq!(found(&mut world), [r#"["alice","bob","carol"]"#, &none]);
    let pipe = world.pipe_of(1).unwrap();
    world.pipes[pipe].leave(Side::Client(1));
    world.settle();
    assert_eq!(found(&mut world), [r#"["alice","carol"]"#, &none]);
    world.server().commands().add(&["more".into()]).unwrap();
    assert_eq!(found(&mut world), [r#"["alice","carol"]"#, &format!("[{COMMAND:?},\"more\"]")]);
}
