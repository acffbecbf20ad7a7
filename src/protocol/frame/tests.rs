use super::*;

#[test]
fn a_frame_comes_back_as_it_was_written() {
    let frame = Frame {
        flags: Flags::REDELIVERED,
        name: "žluť",
        command: "double",
        payload: b"{\"a\":[1,2]}",
        ..Frame::bare(Kind::Request, u64::MAX - 1)
    };
    let mut bytes = Vec::new();
    frame.encode(&mut bytes);
    assert_eq!(frame_size(&bytes), Some(bytes.len()));
    assert_eq!(Frame::decode(&bytes), Ok(frame));
}

#[test]
fn a_large_text_may_be_left_to_be_checked_later() {
    let bytes_of = |payload: &[u8]| {
        let mut bytes = Vec::new();
        Frame { payload, ..Frame::bare(Kind::Send, 0) }.encode(&mut bytes);
        bytes
    };
    let (small, large) = (b"1,2".to_vec(), [vec![b' '; LARGE_TEXT], b"1,2".to_vec()].concat());
    let refused = Err(ProtocolError::InvalidPayload);
    let leaving_texts = |payload: &[u8]| Frame::decode_for(&bytes_of(payload), VERSION, true).map(|_| ());
    assert_eq!(leaving_texts(&small), refused);
    assert_eq!(Frame::decode(&bytes_of(&large)).map(|_| ()), refused);
    let wire = bytes_of(&large);
    let left = Frame::decode_for(&wire, VERSION, true).unwrap();
    assert!(left.unchecked && left.check().is_err());
    let deep = vec![b'['; 20_000];
    assert_eq!(leaving_texts(&deep), refused);
    let no_text = [vec![b' '; LARGE_TEXT], vec![0xff]].concat();
    assert_eq!(leaving_texts(&no_text), refused);
}

#[test]
fn a_payload_that_is_not_one_json_value_is_refused() {
    for payload in [&b"1],[2"[..], b"", b"{}{}", b"1 2", b"\"\xff\"", b"nul", b"[1,]"] {
        let mut bytes = Vec::new();
        Frame { kind: Kind::Send, command: "c", payload, ..Frame::bare(Kind::Send, 0) }.encode(&mut bytes);
        assert_eq!(Frame::decode(&bytes), Err(ProtocolError::InvalidPayload), "{payload:?}");
    }
}

#[test]
fn lengths_that_point_past_the_end_are_refused() {
    let mut bytes = Vec::new();
    Frame { command: "command", payload: b"1", ..Frame::bare(Kind::Send, 0) }.encode(&mut bytes);
    for field in [6, 8] {
        let mut broken = bytes.clone();
        broken[field] = 200;
        assert_eq!(Frame::decode(&broken), Err(ProtocolError::ShortFrame));
    }
    for end in 0..HEADER {
        assert_eq!(Frame::decode(&bytes[..end]), Err(ProtocolError::ShortFrame));
    }
}

#[test]
fn unknown_kinds_below_128_are_refused_and_those_above_are_padding() {
    let mut bytes = Vec::new();
    Frame::bare(Kind::Goodbye, 0).encode(&mut bytes);
    bytes[4] = 77;
    assert_eq!(Frame::decode(&bytes), Err(ProtocolError::UnknownKind(77)));
    bytes[4] = 200;
    assert_eq!(Frame::decode(&bytes).map(|frame| frame.kind), Ok(Kind::Padding));
}

#[test]
fn an_extension_block_is_read_and_written_and_cut_off_for_older_peers() {
    let entries = b"\x01\x02\x00hi\xff\x00\x00";
    let frame = Frame { command: "c", extension: entries, payload: b"[1]", ..Frame::bare(Kind::Emit, 0) };
    let mut wire = Vec::new();
    frame.encode(&mut wire);
    let read = Frame::decode(&wire).unwrap();
    assert_eq!((read.extension, read.payload, read.flags), (&entries[..], &b"[1]"[..], Flags::EXTENDED));
    assert_eq!(wire.len(), frame.size());
    assert_eq!(payload_start(&wire, 3), Some(wire.len() - 3));
    assert_eq!(payload_start(&wire[..20], 3), None);
    let mut old = Vec::new();
    read.for_version(2).encode(&mut old);
    let plain = Frame { extension: b"", ..frame };
    assert_eq!(Frame::decode_for(&old, 2, false), Ok(plain));
    // To an older peer the flag says nothing: what stands there is the payload.
    assert_eq!(Frame::decode_for(&wire, 2, false), Err(ProtocolError::InvalidPayload));
    old[5] |= Flags::EXTENDED.0;
    assert_eq!(Frame::decode_for(&old, 2, false).map(|frame| frame.payload), Ok(&b"[1]"[..]));
    assert_eq!(payload_start(&old, 2), Some(old.len() - 3));
}

#[test]
fn an_extension_block_that_is_not_made_of_entries_is_refused() {
    let frame = |rest: &[u8]| {
        let mut bytes = Vec::new();
        Frame { payload: rest, ..Frame::bare(Kind::Emit, 0) }.encode(&mut bytes);
        bytes[5] = Flags::EXTENDED.0;
        bytes
    };
    for rest in [&b""[..], b"\x00", b"\x05\x001", b"\xff\xff1"] {
        assert_eq!(Frame::decode(&frame(rest)), Err(ProtocolError::ShortFrame), "{rest:?}");
    }
    for rest in [&b"\x01\x00\x011"[..], b"\x03\x00\x01\x01\x001", b"\x05\x00\x01\x01\x00\x01\x021"] {
        assert_eq!(Frame::decode(&frame(rest)), Err(ProtocolError::InvalidExtension), "{rest:?}");
    }
    assert_eq!(Frame::decode(&frame(b"\x00\x001")).map(|frame| frame.payload), Ok(&b"1"[..]));
}

#[test]
fn kinds_of_protocol_3_are_unknown_to_older_ones() {
    for kind in [Kind::Held, Kind::Released] {
        let mut bytes = Vec::new();
        Frame::bare(kind, 7).encode(&mut bytes);
        assert_eq!(Frame::decode(&bytes), Ok(Frame::bare(kind, 7)));
        assert_eq!(Frame::decode_for(&bytes, 2, false), Err(ProtocolError::UnknownKind(kind as u8)));
    }
}
