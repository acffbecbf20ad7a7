//! What becomes of too much: of messages, of deliveries, of what is not read.

use ipcio::Code;
use ipcio::driver::client;
use ipcio::driver::machine::Payload;
use ipcio::driver::protocol::frame::Kind;
use ipcio::driver::server;

use crate::world::{COMMAND, Said, Side, World, client_options, server_options};
use crate::{alice_and_bob, failure, failures, handle, messages, with_server};

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
    world.settle();
    let said = world.take_server();
    let ended = said.iter().find_map(|said| match said {
        Said::SessionEnded { messages, .. } => Some(*messages),
        _ => None,
    });
    assert!(ended.is_some_and(|messages| messages < 100), "{said:?}");
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
