//! What becomes of too much: of messages, of deliveries, of what is not read.

use ipcio::Code;
use ipcio::driver::client;
use ipcio::driver::machine::Payload;
use ipcio::driver::protocol::frame::{Frame, Kind};
use ipcio::driver::protocol::v1::message;
use ipcio::driver::server;

use crate::network::{COMMAND, Network, Recorded, Side, client_options, server_options};
use crate::{SECOND, alice_and_bob, failure, failures, handle, messages, next_turn, old_client, with_server};

fn text(size: usize) -> String {
    format!("\"{}\"", "x".repeat(size - 2))
}

#[test]
fn a_client_that_reads_is_not_slow_however_late_it_acknowledges() {
    let mut network = with_server(server::Options { slow_consumer_limit: 1_000, ..server_options() });
    for _ in 0..100 {
        network.send(0, Kind::Emit, "bob", 0, &text(900));
    }
    assert_eq!((network.take_server(), messages(&network.take(1)).len()), (vec![], 100));
}

#[test]
fn a_client_that_reads_and_never_acknowledges_is_dropped_in_the_end() {
    let mut network = with_server(server::Options { slow_consumer_limit: 2 << 20, ..server_options() });
    let large = vec![0; 1 << 20];
    for count in 1..=65 {
        network.server().emit("bob", COMMAND, Payload::Bytes(&large, None), None).unwrap();
        network.flush(Side::Server);
        next_turn(&mut network);
        assert_eq!(network.take_server().is_empty(), count < 65, "{count}");
    }
}

#[test]
fn what_is_larger_than_a_client_takes_is_dropped_and_told_of() {
    let mut network = alice_and_bob();
    let small = network.client_with(client::Options { limit: 100, ..client_options("small") });
    network.run_until_idle();
    network.take_server();
    let large = text(200);
    let payload = Payload::Json(large.as_bytes());
    network.server().emit("small", COMMAND, payload, None).unwrap();
    network.server().broadcast(COMMAND, payload, None).unwrap();
    network.flush(Side::Server);
    network.run_until_idle();
    assert_eq!(network.take_server(), [Recorded::Dropped { name: "small".into(), messages: 2 }]);
    network.send(0, Kind::Emit, "small", 0, &large);
    network.send(0, Kind::Broadcast, "", 0, &large);
    let one = || Recorded::Dropped { name: "small".into(), messages: 1 };
    assert_eq!(network.take_server(), [one(), one()]);
    // A sender that waits for an answer is told.
    network.send(0, Kind::Request, "small", 3, &large);
    assert_eq!(failures(&network.take(0)), [failure(3, Code::MessageTooLarge)]);
    assert_eq!((network.take_server(), network.take(small)), (vec![], vec![Recorded::Connected]));
    // The server's own limit is the program's business.
    let huge = text((1 << 20) + 1);
    let payload = Payload::Json(huge.as_bytes());
    assert_eq!(network.server().emit("small", COMMAND, payload, None).unwrap_err().code(), Code::MessageTooLarge);
    assert_eq!(network.server().emit("nobody", COMMAND, payload, None).unwrap_err().code(), Code::MessageTooLarge);
    assert_eq!(network.server().broadcast(COMMAND, payload, None).unwrap_err().code(), Code::MessageTooLarge);
}

#[test]
fn an_answer_to_discover_that_is_too_large_fails_it_and_nothing_else() {
    let mut network = Network::with_options(1, server_options());
    for number in 0..5 {
        network.client(&format!("{number}{}", "n".repeat(50)));
    }
    let asks = network.client_with(client::Options { limit: 200, ..client_options("asks") });
    network.run_until_idle();
    assert_eq!(network.take(asks), [Recorded::Connected]);
    network.send(asks, Kind::Discover, "", 1, "");
    assert_eq!(failures(&network.take(asks)), [failure(1, Code::MessageTooLarge)]);
}

#[test]
fn a_client_asks_no_more_than_it_may_until_some_is_answered_given_up_or_lost() {
    let mut network = with_server(server::Options { max_deliveries: 3, ..server_options() });
    for (request, name) in [(1, ""), (2, "bob"), (3, "bob"), (4, ""), (5, "bob")] {
        network.send(0, Kind::Request, name, request, "1");
    }
    let too_many = |request| failure(request, Code::TooManyDeliveries);
    assert_eq!(failures(&network.take(0)), [too_many(4), too_many(5)]);
    let (recorded, at_bob) = (network.take_server(), network.take(1));
    handle(&mut network, Side::Server, &recorded);
    handle(&mut network, Side::Client(1), &at_bob);
    // One is given up, one answered: two more.
    network.clients[0].cancel(3);
    network.flush(Side::Client(0));
    network.run_until_idle();
    let Some(Recorded::Message { session, request: Some(number), .. }) = recorded.first() else {
        panic!("{recorded:?}")
    };
    network.server().respond(*session, *number, Ok(Payload::Json(b"1")));
    network.flush(Side::Server);
    network.run_until_idle();
    network.take(0);
    for request in 6..=8 {
        network.send(0, Kind::Request, "bob", request, "1");
    }
    assert_eq!(failures(&network.take(0)), [too_many(8)]);
    // Bob leaves: it has answered nothing.
    network.restart_client(1);
    network.run_until_idle();
    assert_eq!(failures(&network.take(0)), [2, 6, 7].map(|request| failure(request, Code::ClientLeft)));
    network.send(0, Kind::Request, "bob", 9, "1");
    assert_eq!(failures(&network.take(0)), []);
}

#[test]
fn a_client_that_asks_without_reading_is_dropped_before_there_are_many_answers() {
    let mut network = with_server(server::Options { slow_consumer_limit: 5_000, ..server_options() });
    let pipe = network.pipe_of(1).unwrap();
    network.pipes[pipe].to_client.full = true;
    for request in 1..=1_000 {
        network.push(1, Kind::Discover, "", request, "").unwrap();
    }
    network.flush(Side::Client(1));
    next_turn(&mut network);
    let recorded = network.take_server();
    let ended = recorded.iter().find_map(|recorded| match recorded {
        Recorded::SessionEnded { messages, .. } => Some(*messages),
        _ => None,
    });
    assert!(ended.is_some_and(|messages| messages < 100), "{recorded:?}");
}

#[test]
fn a_client_that_reads_may_ask_at_once_for_more_than_may_wait_for_it() {
    let mut network = with_server(server::Options { slow_consumer_limit: 1_000, ..server_options() });
    let large = text(900);
    for request in 1..=1_000 {
        network.push(1, Kind::Request, "bob", request, &large).unwrap();
        network.push(1, Kind::Discover, "", 1_000 + request, "").unwrap();
    }
    network.push(1, Kind::Send, "", 0, "1").unwrap();
    network.flush(Side::Client(1));
    next_turn(&mut network);
    let recorded = network.take(1);
    let answered =
        recorded.iter().filter(|recorded| matches!(recorded, Recorded::Answer { outcome: Ok(_), .. })).count();
    assert_eq!((answered, messages(&recorded).len()), (1_000, 1_000));
    let at_server = network.take_server();
    assert_eq!(messages(&at_server), [("1", false)]);
    // Nothing is left of it.
    handle(&mut network, Side::Server, &at_server);
    handle(&mut network, Side::Client(1), &recorded);
    for recorded in recorded {
        let Recorded::Message { request: Some(request), .. } = recorded else { continue };
        network.clients[1].respond(request, Ok(Payload::Json(b"1")));
    }
    network.flush(Side::Client(1));
    network.wait(SECOND);
    assert_eq!(network.server().outstanding(), []);
}

#[test]
fn requests_after_answers_that_a_client_must_read_first_are_handled_once_it_has_read_also_if_it_ends() {
    let mut network = with_server(server::Options { slow_consumer_limit: 1_000, ..server_options() });
    let pipe = network.pipe_of(1).unwrap();
    network.push(1, Kind::Request, "bob", 1, &text(1_100)).unwrap();
    network.push(1, Kind::Send, "", 0, "1").unwrap();
    network.flush(Side::Client(1));
    network.carry(pipe, Side::Server, usize::MAX);
    assert_eq!(network.take_server(), []);
    network.pipes[pipe].leave(Side::Client(1));
    network.run_until_idle();
    let recorded = network.take_server();
    assert_eq!((messages(&recorded), &recorded[1..]), (vec![("1", false)], &[Recorded::SessionDisconnected][..]));
}

#[test]
fn what_waited_for_a_client_when_it_came_back_is_not_held_against_it_and_what_follows_is() {
    let mut network = with_server(server::Options { slow_consumer_limit: 1_000, ..server_options() });
    let pipe = network.pipe_of(1).unwrap();
    network.pipes[pipe].cut_both();
    network.run_until_idle();
    network.send(0, Kind::Emit, "bob", 0, &text(900));
    network.clients[1].look_again();
    network.flush(Side::Client(1));
    let pipe = network.pipe_of(1).unwrap();
    network.pipes[pipe].to_client.full = true;
    network.run_until_idle();
    let mut recorded = Vec::new();
    network.send(0, Kind::Emit, "bob", 0, &text(900));
    next_turn(&mut network);
    recorded.extend(network.take_server());
    assert!(!recorded.iter().any(|recorded| matches!(recorded, Recorded::SessionEnded { .. })), "{recorded:?}");
    network.send(0, Kind::Emit, "bob", 0, &text(900));
    next_turn(&mut network);
    assert!(network.take_server().contains(&Recorded::SessionEnded { name: "bob".into(), messages: 3 }));
}

#[test]
fn a_client_that_comes_back_again_and_again_and_never_reads_keeps_no_more_than_may_wait_for_it() {
    let mut network = with_server(server::Options { slow_consumer_limit: 1_000, ..server_options() });
    let mut ended = 0;
    for _ in 0..20 {
        let pipe = network.pipe_of(1).unwrap();
        network.pipes[pipe].cut_both();
        network.run_until_idle();
        network.clients[1].look_again();
        network.flush(Side::Client(1));
        let pipe = network.pipe_of(1).unwrap();
        network.pipes[pipe].to_client.full = true;
        network.accept(pipe);
        network.carry(pipe, Side::Server, usize::MAX);
        network.send(0, Kind::Emit, "bob", 0, &text(600));
        next_turn(&mut network);
        let recorded = network.take_server();
        ended += recorded.iter().filter(|recorded| matches!(recorded, Recorded::SessionEnded { .. })).count();
        let kept = network.server().outstanding();
        let bytes = kept.iter().find(|kept| kept.0 == "bytes that go out").map_or(0, |kept| kept.1);
        assert!(bytes < 3_000, "{kept:?}");
    }
    assert!(ended > 3, "{ended}");
}

#[test]
fn a_client_that_asks_on_and_never_acknowledges_that_it_may_not_is_dropped() {
    const REFUSALS: usize = 1 << 16;
    let mut network = with_server(server::Options { max_deliveries: 3, ..server_options() });
    let hello = r#"{"id":null,"command":"handshake","data":"mallory","delivery":null,"ipcio":{"version":2,"session":"m","attempt":1,"server":null,"received":0,"limit":1000}}"#;
    let raw = network.connect_raw(None).unwrap();
    network.raws[raw].to_server.extend_from_slice(hello.as_bytes());
    let mut sequence = 0;
    let mut asks = |network: &mut Network, count: usize| {
        for _ in 0..count {
            sequence += 1;
            let frame = Frame { name: "bob", command: COMMAND, payload: b"1", ..Frame::bare(Kind::Request, sequence) };
            frame.encode(&mut network.raws[raw].to_server);
        }
        network.carry_raw(raw, usize::MAX);
        next_turn(network);
        network.raws[raw].is_open()
    };
    assert!(asks(&mut network, 3 + REFUSALS));
    // Who acknowledges the first is heard on, and who has acknowledged none of as many again is not.
    Frame::bare(Kind::Acknowledgement, 1).encode(&mut network.raws[raw].to_server);
    assert!(asks(&mut network, REFUSALS));
    network.take_server();
    assert!(!asks(&mut network, 1));
    let recorded = network.take_server();
    assert!(matches!(&recorded[..], [Recorded::SessionDisconnected, Recorded::SessionEnded { .. }]), "{recorded:?}");
    assert_eq!(
        network.server().outstanding().iter().find(|kept| kept.0 == "deliveries that no client has answered"),
        None
    );
}

#[test]
fn what_a_client_of_protocol_1_wraps_may_be_as_large_as_the_limit_however_much_is_escaped_twice() {
    const LIMIT: usize = 1 << 16;
    let mut network = with_server(server::Options { limit: LIMIT, ..server_options() });
    let [control, _] = old_client(&mut network);
    let emit = |network: &mut Network, payload: &str| {
        let mut inner = Vec::new();
        message::write(Some("bob"), COMMAND, payload.as_bytes(), None, &mut inner);
        message::write_wrapped("old", "emit", None, &inner, &mut network.raws[control].to_server);
        network.carry_raw(control, usize::MAX);
        network.run_until_idle();
        let recorded = network.take(1);
        messages(&recorded).into_iter().map(|(text, _)| text.len()).collect::<Vec<_>>()
    };
    // Each character of it takes two bytes as JSON, and four within a string of JSON.
    let quotes = |count: usize| format!("\"{}\"", "\\\"".repeat(count));
    assert_eq!(emit(&mut network, &quotes(LIMIT / 2 - 1)), [LIMIT]);
    assert!(network.raws[control].is_open());
    assert_eq!(emit(&mut network, &quotes(LIMIT / 2)), [0; 0]);
    assert!(!network.raws[control].is_open());
}

#[test]
fn discover_tells_who_is_there_now() {
    let mut network = alice_and_bob();
    let mut asked = 0;
    let mut found = |network: &mut Network| {
        asked += 1;
        network.send(0, Kind::Discover, "", asked, "");
        let recorded = network.take(0);
        let [Recorded::Answer { outcome: Ok(answer), .. }] = &recorded[..] else { panic!("{recorded:?}") };
        let answer: serde_json::Value = serde_json::from_str(answer).unwrap();
        [&answer["clients"], &answer["command_handlers"]].map(ToString::to_string)
    };
    let none = format!("[{COMMAND:?}]");
    for _ in 0..2 {
        assert_eq!(found(&mut network), [r#"["alice","bob"]"#, &none]);
    }
    network.client("carol");
    network.run_until_idle();
    assert_eq!(found(&mut network), [r#"["alice","bob","carol"]"#, &none]);
    let pipe = network.pipe_of(1).unwrap();
    network.pipes[pipe].leave(Side::Client(1));
    network.run_until_idle();
    assert_eq!(found(&mut network), [r#"["alice","carol"]"#, &none]);
    network.server().commands().add(&["more".into()]).unwrap();
    assert_eq!(found(&mut network), [r#"["alice","carol"]"#, &format!("[{COMMAND:?},\"more\"]")]);
}
