//! What is acknowledged, and when.

use std::time::Duration;

use ipcio::Code;
use ipcio::driver::machine::Payload;
use ipcio::driver::protocol::frame::{self, Frame, Kind};

use crate::network::{COMMAND, Recorded, Side};
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
    let mut network = alice_and_bob();
    for number in 1..=200 {
        for (kind, name) in [(Kind::Send, ""), (Kind::Emit, "bob"), (Kind::Broadcast, "")] {
            network.send(0, kind, name, 0, "1");
            let recorded = network.take_server();
            handle(&mut network, Side::Server, &recorded);
            assert_eq!(network.take(0), [Recorded::Settled(1)], "{kind:?} {number}");
        }
    }
}

#[test]
fn the_server_learns_within_a_moment_what_a_client_has_dealt_with() {
    let mut network = alice_and_bob();
    let pipe = network.pipe_of(1).unwrap();
    for number in 1..=200 {
        network.server().emit("bob", COMMAND, Payload::Json(b"1"), None).unwrap();
        network.flush(Side::Server);
        network.run_until_idle();
        let recorded = network.take(1);
        for recorded in &recorded {
            if let Recorded::Message { session, receipt, .. } = *recorded {
                network.call(Side::Client(1), |machine, now, _| machine.handled(session, receipt, now));
            }
        }
        network.now += Duration::from_millis(60);
        network.call(Side::Client(1), |machine, now, mut events| machine.elapsed(now, &mut events));
        assert_eq!(frames(&network.pipes[pipe].to_server.bytes), [(Kind::Acknowledgement, number)]);
        network.run_until_idle();
    }
}

#[test]
fn a_delivery_that_is_withdrawn_keeps_its_number_whether_the_server_has_seen_it_or_not() {
    for seen in [true, false] {
        let mut network = alice_and_bob();
        let pipe = network.pipe_of(0).unwrap();
        network.push(0, Kind::Request, "", 1, "1").unwrap();
        network.flush(Side::Client(0));
        if seen {
            network.carry(pipe, Side::Server, usize::MAX);
        }
        network.pipes[pipe].cut_both();
        network.run_until_idle();
        network.clients[0].cancel(1);
        network.push(0, Kind::Send, "", 0, "2").unwrap();
        network.wait(SECOND);
        let recorded = network.take_server();
        let expected = if seen { vec![("1", false), ("2", false)] } else { vec![("2", false)] };
        assert_eq!(messages(&recorded), expected);
        handle(&mut network, Side::Server, &recorded);
        assert_eq!(network.take(0), [Recorded::Disconnected, Recorded::Connected, Recorded::Settled(1)]);
        network.send(0, Kind::Send, "", 0, "3");
        let recorded = network.take_server();
        assert_eq!(messages(&recorded), [("3", false)]);
        handle(&mut network, Side::Server, &recorded);
        assert_eq!(network.take(0), [Recorded::Settled(1)]);
    }
}

#[test]
fn a_dropped_client_that_comes_back_is_not_asked_a_cancelled_delivery() {
    for seen in [true, false] {
        let mut network = alice_and_bob();
        let pipe = network.pipe_of(1).unwrap();
        network.push(0, Kind::Request, "bob", 1, "1").unwrap();
        network.flush(Side::Client(0));
        let alice = network.pipe_of(0).unwrap();
        network.carry(alice, Side::Server, usize::MAX);
        if seen {
            network.carry(pipe, Side::Client(1), usize::MAX);
            assert_eq!(messages(&network.take(1)), [("1", false)]);
        }
        network.pipes[pipe].cut_both();
        network.carry(pipe, Side::Server, usize::MAX);
        // Bob does not notice before he is given up.
        network.now += 3 * SECOND;
        network.call(Side::Server, |machine, now, mut events| machine.elapsed(now, &mut events));
        network.carry(alice, Side::Client(0), usize::MAX);
        assert_eq!(failures(&network.take(0)), [failure(1, Code::ClientLeft)]);
        network.send_only(0, Kind::Emit, "bob", "2");
        network.wait(3 * SECOND);
        let recorded = network.take(1);
        assert_eq!(messages(&recorded), [("2", false)]);
        assert!(recorded.contains(&Recorded::Connected));
        handle(&mut network, Side::Client(1), &recorded);
        network.send(0, Kind::Emit, "bob", 0, "3");
        assert_eq!(messages(&network.take(1)), [("3", false)]);
    }
}

#[test]
fn an_answer_for_a_server_that_died_is_not_given_to_the_next() {
    let mut network = alice_and_bob();
    network.send(0, Kind::Request, "bob", 1, "1");
    let recorded = network.take(1);
    let Some(Recorded::Message { request: Some(request), .. }) = recorded.first().cloned() else {
        panic!("{recorded:?}")
    };
    handle(&mut network, Side::Client(1), &recorded);
    network.kill_server();
    network.run_until_idle();
    network.clients[1].respond(request, Ok(Payload::Json(b"\"late\"")));
    network.start_server();
    // What bob writes to the new server, before anything of it is read.
    while network.pipe_of(1).is_none() {
        network.now += SECOND;
        network.clients[1].look_again();
        network.flush(Side::Client(1));
    }
    let pipe = network.pipe_of(1).unwrap();
    network.accept(pipe);
    network.carry(pipe, Side::Server, usize::MAX);
    network.carry(pipe, Side::Client(1), usize::MAX);
    let written = frames(&network.pipes[pipe].to_server.bytes);
    assert!(!written.iter().any(|(kind, _)| matches!(kind, Kind::Response | Kind::Failure)), "{written:?}");
    network.wait(SECOND);
    // The new server asks anew, and takes the answer to that.
    let recorded = network.take(1);
    assert_eq!(messages(&recorded), [("1", true)]);
    assert!(!network.take(0).iter().any(|recorded| matches!(recorded, Recorded::Answer { .. })));
    let Some(Recorded::Message { request: Some(request), .. }) = recorded.last() else { panic!("{recorded:?}") };
    network.clients[1].respond(*request, Ok(Payload::Json(b"\"in time\"")));
    network.flush(Side::Client(1));
    network.run_until_idle();
    assert_eq!(network.take(0), [Recorded::Answer { request: 1, outcome: Ok("\"in time\"".into()) }]);
}

#[test]
fn acknowledgements_that_were_lost_are_given_again_however_many_frames_came_the_other_way() {
    let mut network = alice_and_bob();
    for text in ["1", "2", "3"] {
        network.server().emit("alice", COMMAND, Payload::Json(text.as_bytes()), None).unwrap();
        network.send(0, Kind::Emit, "bob", 0, text);
    }
    for index in [0, 1] {
        let recorded = network.take(index);
        handle(&mut network, Side::Client(index), &recorded);
    }
    network.send(0, Kind::Send, "", 0, "4");
    let recorded = network.take_server();
    // Both sides acknowledge, and neither is heard.
    let pipe = network.pipe_of(0).unwrap();
    for recorded in &recorded {
        if let Recorded::Message { session, receipt, .. } = *recorded {
            network.call(Side::Server, |machine, now, _| machine.handled(session, receipt, now));
        }
    }
    network.now += Duration::from_millis(60);
    network.call(Side::Client(0), |machine, now, mut events| machine.elapsed(now, &mut events));
    network.pipes[pipe].cut_both();
    network.wait(SECOND);
    assert_eq!(network.take(0), [Recorded::Disconnected, Recorded::Connected, Recorded::Settled(1)]);
    let kept = network.server().outstanding();
    assert!(!kept.iter().any(|&(what, _)| what == "frames that go out"), "{kept:?}");
}
