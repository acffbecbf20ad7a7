use super::*;

fn message(id: u64, payload: &[u8]) -> Frame<'_> {
    Frame { command: "c", payload, ..Frame::bare(Kind::Send, id) }
}

pub(super) fn write_all(outbox: &mut Outbox) -> Vec<u8> {
    let mut wire = Vec::new();
    while !outbox.is_written() {
        let step = outbox.unwritten().len().min(7);
        wire.extend_from_slice(&outbox.unwritten()[..step]);
        outbox.advance(step);
    }
    wire
}

pub(super) fn ids(mut wire: &[u8]) -> Vec<(u64, Kind, Flags)> {
    let mut found = Vec::new();
    while let Some(size) = frame::frame_size(wire) {
        let frame = Frame::decode(&wire[..size]).unwrap();
        found.push((frame.id, frame.kind, frame.flags));
        wire = &wire[size..];
    }
    found
}

#[test]
fn frames_are_written_in_order_across_chunks_of_every_size() {
    let mut outbox = Outbox::default();
    let large = format!("\"{}\"", "x".repeat(200_000));
    for id in 0..3_000 {
        outbox.push(&message(id, if id % 500 == 3 { large.as_bytes() } else { b"12345" }));
    }
    let wire = write_all(&mut outbox);
    assert_eq!(ids(&wire).iter().map(|found| found.0).collect::<Vec<_>>(), (0..3_000).collect::<Vec<_>>());
    assert_eq!((outbox.unwritten_size(), outbox.unacknowledged_size()), (0, wire.len()));
    let mut seen = 0;
    outbox.acknowledge(3_000, |_| seen += 1).unwrap();
    assert_eq!((seen, outbox.size(), outbox.len()), (3_000, 0, 0));
}

#[test]
fn a_frame_that_an_emptied_chunk_has_no_room_for_is_acknowledged_like_any_other() {
    let mut outbox = Outbox::default();
    let large = format!("\"{}\"", "x".repeat(20_000));
    for (count, payload) in [(1, &b"1"[..]), (2, large.as_bytes()), (3, b"3")] {
        outbox.push(&message(count, payload));
        write_all(&mut outbox);
        outbox.acknowledge(count, |_| ()).unwrap();
    }
    assert_eq!((outbox.size(), outbox.len()), (0, 0));
}

#[test]
fn an_acknowledgement_of_what_was_not_written_is_refused() {
    let mut outbox = Outbox::default();
    outbox.push(&message(1, b"1"));
    assert!(outbox.acknowledge(1, |_| ()).is_err());
    let mut outbox = Outbox::default();
    outbox.push(&message(1, b"1"));
    write_all(&mut outbox);
    assert!(outbox.acknowledge(2, |_| ()).is_err());
    outbox.acknowledge(1, |_| ()).unwrap();
    assert!(outbox.acknowledge(0, |_| ()).is_err());
}

#[test]
fn a_resumed_connection_writes_what_was_not_received_and_marks_nothing() {
    let mut outbox = Outbox::default();
    (1..=5).for_each(|id| outbox.push(&message(id, b"1")));
    outbox.push(&Frame::bare(Kind::Acknowledgement, 9));
    write_all(&mut outbox);
    outbox.push(&message(6, b"1"));
    outbox.resume(3).unwrap();
    outbox.acknowledge(3, |_| ()).unwrap();
    assert_eq!((outbox.unwritten_size(), outbox.unacknowledged_size()), (outbox.size(), 0));
    let wire = write_all(&mut outbox);
    let none = Flags::default();
    assert_eq!(
        ids(&wire),
        [(4, Kind::Send, none), (5, Kind::Send, none), (9, Kind::Padding, none), (6, Kind::Send, none)]
    );
}

#[test]
fn what_a_peer_has_received_and_not_acknowledged_stays_and_is_not_written_again() {
    let mut outbox = Outbox::default();
    (1..=3).for_each(|id| outbox.push(&message(id, b"1")));
    write_all(&mut outbox);
    assert!(outbox.resume(4).is_err());
    outbox.resume(2).unwrap();
    assert_eq!((ids(&write_all(&mut outbox)).len(), outbox.len()), (1, 3));
    let mut seen = Vec::new();
    outbox.acknowledge(3, |bytes| seen.push(Frame::decode(bytes).unwrap().id)).unwrap();
    assert_eq!(seen, [1, 2, 3]);
}

#[test]
fn a_peer_that_knows_nothing_gets_all_and_what_was_written_whole_is_marked() {
    let mut outbox = Outbox::default();
    (1..=3).for_each(|id| outbox.push(&message(id, b"1")));
    let size = message(1, b"1").size();
    outbox.advance(size * 2 + 1);
    outbox.acknowledge(1, |_| ()).unwrap();
    outbox.restart();
    let old = {
        let mut bytes = Vec::new();
        message(77, b"1").encode(&mut bytes);
        bytes
    };
    outbox.put_back(std::iter::once(&old[..]));
    let wire = write_all(&mut outbox);
    let again = Flags::REDELIVERED.with(Flags::QUEUED);
    assert_eq!(ids(&wire), [(77, Kind::Send, again), (2, Kind::Send, again), (3, Kind::Send, Flags::QUEUED)]);
    outbox.acknowledge(3, |_| ()).unwrap();
    assert_eq!(outbox.size(), 0);
}

#[test]
fn a_queue_of_acknowledgements_alone_keeps_no_memory() {
    let mut outbox = Outbox::default();
    for count in 0..100_000 {
        outbox.push(&Frame::bare(Kind::Acknowledgement, count));
        write_all(&mut outbox);
    }
    assert!(outbox.size() == 0 && outbox.chunks.iter().map(Chunk::capacity).sum::<usize>() <= KEPT_CHUNK);
}

#[test]
fn any_order_of_calls_loses_nothing_and_keeps_the_order() {
    // A small generator instead of a crate: the sequence has to be the same on every machine.
    let mut state = 1_u64;
    let mut random = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    for _ in 0..200 {
        let (mut outbox, mut wire) = (Outbox::default(), Vec::new());
        let (mut next, mut received) = (0, Vec::new());
        for _ in 0..300 {
            match random(10) {
                0..=4 => {
                    let payload = format!("\"{}\"", "y".repeat(random(300) as usize));
                    outbox.push(&message(next, payload.as_bytes()));
                    next += 1;
                }
                5 => outbox.push(&Frame::bare(Kind::Acknowledgement, 0)),
                6..=7 => {
                    let step = random(outbox.unwritten().len() as u64 + 1) as usize;
                    wire.extend_from_slice(&outbox.unwritten()[..step]);
                    outbox.advance(step);
                    while let Some(size) = frame::frame_size(&wire).filter(|&size| size <= wire.len()) {
                        let frame = Frame::decode(&wire[..size]).unwrap();
                        if frame.kind == Kind::Send {
                            received.push(frame.id);
                        }
                        wire.drain(..size);
                    }
                }
                8 => outbox.acknowledge(received.len() as u64, |_| ()).unwrap(),
                _ => {
                    wire.clear();
                    outbox.resume(received.len() as u64).unwrap();
                }
            }
        }
        let rest = wire.len();
        wire.extend_from_slice(&write_all(&mut outbox));
        let _ = rest;
        received.extend(ids(&wire).iter().filter(|found| found.1 == Kind::Send).map(|found| found.0));
        assert_eq!(received, (0..next).collect::<Vec<_>>());
    }
}
