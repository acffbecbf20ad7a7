//! What is acknowledged, and when.

use std::time::Duration;

use ipcio::Code;
use ipcio::driver::machine::Payload;
use ipcio::driver::protocol::frame::{self, Frame, Kind};

use crate::world::{COMMAND, Said, Side};
use crate::{SECOND, alice_and_bob, failure, failures, handle, messages};

/// The frames under way to a side, what comes before them left out.
pub(crate) fn frames(bytes: &[u8]) -> Vec<(Kind, u64)> {
    let mut rest = match bytes.first() {
        Some(b'{') => &bytes[bytes.iter().position(|&byte| byte == b'}').unwrap() + 2..],
        _ => bytes,
    };
    let mut found = Vec::new();
    while let Some(size) = frame::frame_size(rest) {
        let frame = Frame::decode(&rest[..size]).unwrap();
        found.push((frame.kind, frame.id));
        rest = &rest[size..];
    }
    found
}

#[test]
fn each_message_is_acknowledged_by_itself_when_no_other_follows() {
    let mut world = alice_and_bob();
    for number in 1..=200 {
        for (kind, name) in [(Kind::Send, ""), (Kind::Emit, "bob"), (Kind::Broadcast, "")] {
            world.send(0, kind, name, 0, "1");
            let said = world.take_server();
            handle(&mut world, Side::Server, &said);
            assert_eq!(world.take(0), [Said::Settled(1)], "{kind:?} {number}");
        }
    }
}

#[test]
fn the_server_learns_within_a_moment_what_a_client_has_dealt_with() {
    let mut world = alice_and_bob();
    let pipe = world.pipe_of(1).unwrap();
    for number in 1..=200 {
        world.server().emit("bob", COMMAND, Payload::Json(b"1"), None).unwrap();
        world.flush(Side::Server);
        world.settle();
        let said = world.take(1);
        for said in &said {
            if let Said::Message { session, receipt, .. } = *said {
                world.call(Side::Client(1), |machine, now, _| machine.handled(session, receipt, now));
            }
        }
        world.now += Duration::from_millis(60);
        world.call(Side::Client(1), |machine, now, mut events| machine.elapsed(now, &mut events));
        assert_eq!(frames(&world.pipes[pipe].to_server.bytes), [(Kind::Acknowledgement, number)]);
        world.settle();
    }
}

#[test]
fn a_delivery_that_is_withdrawn_keeps_its_number_whether_the_server_has_seen_it_or_not() {
    for seen in [true, false] {
        let mut world = alice_and_bob();
        let pipe = world.pipe_of(0).unwrap();
        world.push(0, Kind::Request, "", 1, "1").unwrap();
        world.flush(Side::Client(0));
        if seen {
            world.carry(pipe, Side::Server, usize::MAX);
        }
        world.pipes[pipe].cut_both();
        world.settle();
        world.clients[0].cancel(1);
        world.push(0, Kind::Send, "", 0, "2").unwrap();
        world.wait(SECOND);
        let said = world.take_server();
        let expected = if seen { vec![("1", false), ("2", false)] } else { vec![("2", false)] };
        assert_eq!(messages(&said), expected);
        handle(&mut world, Side::Server, &said);
        assert_eq!(world.take(0), [Said::Disconnected, Said::Connected, Said::Settled(1)]);
        world.send(0, Kind::Send, "", 0, "3");
        let said = world.take_server();
        assert_eq!(messages(&said), [("3", false)]);
        handle(&mut world, Side::Server, &said);
        assert_eq!(world.take(0), [Said::Settled(1)]);
    }
}

#[test]
fn whoever_was_given_up_and_comes_back_is_not_asked_what_its_caller_has_given_up() {
    for seen in [true, false] {
        let mut world = alice_and_bob();
        let pipe = world.pipe_of(1).unwrap();
        world.push(0, Kind::Request, "bob", 1, "1").unwrap();
        world.flush(Side::Client(0));
        let alice = world.pipe_of(0).unwrap();
        world.carry(alice, Side::Server, usize::MAX);
        if seen {
            world.carry(pipe, Side::Client(1), usize::MAX);
            assert_eq!(messages(&world.take(1)), [("1", false)]);
        }
        world.pipes[pipe].cut_both();
        world.carry(pipe, Side::Server, usize::MAX);
        // Bob does not notice before he is given up.
        world.now += 3 * SECOND;
        world.call(Side::Server, |machine, now, mut events| machine.elapsed(now, &mut events));
        world.carry(alice, Side::Client(0), usize::MAX);
        assert_eq!(failures(&world.take(0)), [failure(1, Code::ClientLeft)]);
        world.send_only(0, Kind::Emit, "bob", "2");
        world.wait(3 * SECOND);
        let said = world.take(1);
        assert_eq!(messages(&said), [("2", false)]);
        assert!(said.contains(&Said::Connected));
        handle(&mut world, Side::Client(1), &said);
        world.send(0, Kind::Emit, "bob", 0, "3");
        assert_eq!(messages(&world.take(1)), [("3", false)]);
    }
}

#[test]
fn an_answer_for_a_server_that_died_is_not_given_to_the_next() {
    let mut world = alice_and_bob();
    world.send(0, Kind::Request, "bob", 1, "1");
    let said = world.take(1);
    let Some(Said::Message { request: Some(request), .. }) = said.first().cloned() else { panic!("{said:?}") };
    handle(&mut world, Side::Client(1), &said);
    world.kill_server();
    world.settle();
    world.clients[1].respond(request, Ok(Payload::Json(b"\"late\"")));
    world.start_server();
    // What bob writes to the new server, before anything of it is read.
    while world.pipe_of(1).is_none() {
        world.now += SECOND;
        world.clients[1].look_again();
        world.flush(Side::Client(1));
    }
    let pipe = world.pipe_of(1).unwrap();
    world.accept(pipe);
    world.carry(pipe, Side::Server, usize::MAX);
    world.carry(pipe, Side::Client(1), usize::MAX);
    let written = frames(&world.pipes[pipe].to_server.bytes);
    assert!(!written.iter().any(|(kind, _)| matches!(kind, Kind::Response | Kind::Failure)), "{written:?}");
    world.wait(SECOND);
    // The new server asks anew, and takes the answer to that.
    let said = world.take(1);
    assert_eq!(messages(&said), [("1", true)]);
    assert!(!world.take(0).iter().any(|said| matches!(said, Said::Answer { .. })));
    let Some(Said::Message { request: Some(request), .. }) = said.last() else { panic!("{said:?}") };
    world.clients[1].respond(*request, Ok(Payload::Json(b"\"in time\"")));
    world.flush(Side::Client(1));
    world.settle();
    assert_eq!(world.take(0), [Said::Answer { request: 1, outcome: Ok("\"in time\"".into()) }]);
}

#[test]
fn acknowledgements_that_were_lost_are_given_again_however_many_frames_came_the_other_way() {
    let mut world = alice_and_bob();
    for text in ["1", "2", "3"] {
        world.server().emit("alice", COMMAND, Payload::Json(text.as_bytes()), None).unwrap();
        world.send(0, Kind::Emit, "bob", 0, text);
    }
    for index in [0, 1] {
        let said = world.take(index);
        handle(&mut world, Side::Client(index), &said);
    }
    world.send(0, Kind::Send, "", 0, "4");
    let said = world.take_server();
    // Both sides acknowledge, and neither is heard.
    let pipe = world.pipe_of(0).unwrap();
    for said in &said {
        if let Said::Message { session, receipt, .. } = *said {
            world.call(Side::Server, |machine, now, _| machine.handled(session, receipt, now));
        }
    }
    world.now += Duration::from_millis(60);
    world.call(Side::Client(0), |machine, now, mut events| machine.elapsed(now, &mut events));
    world.pipes[pipe].cut_both();
    world.wait(SECOND);
    assert_eq!(world.take(0), [Said::Disconnected, Said::Connected, Said::Settled(1)]);
    let kept = world.server().outstanding();
    assert!(!kept.iter().any(|&(what, _)| what == "frames that go out"), "{kept:?}");
}
