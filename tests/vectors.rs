//! The vectors of `docs/protocol.md`.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests have sockets, files and a clock")]

use ipcio::driver::protocol::frame::{Flags, Frame};
use ipcio::driver::protocol::handshake::{self, Hello, Welcome};
use ipcio::driver::protocol::inbox::Inbox;
use ipcio::driver::protocol::v1::message::Message;
use serde::Deserialize;

#[derive(Deserialize)]
struct Vectors {
    handshakes: Vec<Handshake>,
    frames: Vec<Valid>,
    invalid: Vec<Invalid>,
}

#[derive(Deserialize)]
struct Handshake {
    title: String,
    text: String,
}

#[derive(Deserialize)]
struct Valid {
    title: String,
    kind: u8,
    flags: u8,
    id: u64,
    name: String,
    command: String,
    #[serde(default)]
    extension: String,
    payload: String,
    frame: String,
}

#[derive(Deserialize)]
struct Invalid {
    title: String,
    frame: String,
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("../docs/protocol-vectors.json")).expect("vectors of this form")
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex digits")).collect()
}

#[test]
fn frames_are_read_and_written_as_documented() {
    for vector in vectors().frames {
        let (wire, extension, payload) = (bytes(&vector.frame), bytes(&vector.extension), bytes(&vector.payload));
        let frame = Frame::decode(&wire).unwrap_or_else(|error| panic!("{}: {error}", vector.title));
        assert_eq!(
            (frame.kind as u8, frame.flags, frame.id, frame.name, frame.command, frame.extension, frame.payload),
            (vector.kind, Flags(vector.flags), vector.id, &*vector.name, &*vector.command, &*extension, &*payload),
            "{}",
            vector.title
        );
        let mut written = Vec::new();
        frame.encode(&mut written);
        assert_eq!(written, wire, "{}", vector.title);
    }
}

#[test]
fn invalid_frames_are_refused() {
    for vector in vectors().invalid {
        let wire = bytes(&vector.frame);
        let mut inbox = Inbox::new(1 << 20);
        let mut rest = &wire[..];
        let refused = match inbox.next(&mut rest) {
            Ok(Some(frame)) => frame.decode().is_err(),
            Ok(None) => false,
            Err(_) => true,
        };
        assert!(refused, "{}", vector.title);
    }
}

#[test]
fn handshakes_are_read_and_written_as_documented() {
    for vector in vectors().handshakes {
        let message = Message::parse(vector.text.as_bytes()).unwrap();
        let (mut written, data) = (Vec::new(), message.text().unwrap());
        if let Some(welcome) = message.extension::<Welcome>() {
            handshake::write(message.id.as_deref(), &data, Some(&welcome), &mut written);
        } else {
            let hello: Hello = message.extension().unwrap();
            handshake::write(message.id.as_deref(), &data, Some(&hello), &mut written);
        }
        assert_eq!(String::from_utf8(written).unwrap(), vector.text, "{}", vector.title);
    }
}
