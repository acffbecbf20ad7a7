//! The text of protocol 1: objects are found wherever reads cut them, messages are written as they were read, and what
//! one side makes of them is what the other one has said.

#![no_main]

use ipcio::driver::protocol::frame::{Frame, Kind};
use ipcio::driver::protocol::handshake::{Hello, Welcome};
use ipcio::driver::protocol::outbox::Outbox;
use ipcio::driver::protocol::v1::channel::Channel;
use ipcio::driver::protocol::v1::message::{self, Message};
use ipcio::driver::protocol::v1::splitter::Splitter;
use ipcio::driver::protocol::v1::{Side, Socket, Translation};
use ipcio_fuzz::{Input, in_pieces};
use libfuzzer_sys::fuzz_target;

/// No input is longer.
const LIMIT: usize = 1 << 20;

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let pattern = input.byte();
    let bytes = input.0;
    let whole = split(std::iter::once(bytes));
    assert_eq!(whole, split(in_pieces(bytes, pattern)), "cuts change what is read");
    for object in &whole.0 {
        let Ok(message) = Message::parse(object) else { continue };
        let _ = (message.extension::<Hello>(), message.extension::<Welcome>(), message.text());
        let (id, delivery) = (message.id.as_deref(), message.delivery.as_deref());
        let (mut written, mut wrapped) = (Vec::new(), Vec::new());
        message::write(id, message.command(), message.payload().as_bytes(), delivery, &mut written);
        let again = Message::parse(&written).expect("what was read can be written");
        assert_eq!(
            (again.id.as_deref(), again.command(), again.payload(), again.delivery.as_deref()),
            (id, message.command(), message.payload(), delivery)
        );
        message::write_wrapped("alice", "emit", delivery, &written, &mut wrapped);
        let outer = Message::parse(&wrapped).expect("a message can be wrapped");
        assert_eq!(outer.text().map(String::into_bytes), Some(written));
    }
    for side in [Side::Client, Side::Server] {
        for socket in [Socket::Control, Socket::Private] {
            let whole = frames(side, socket, std::iter::once(bytes));
            assert_eq!(whole, frames(side, socket, in_pieces(bytes, pattern)), "cuts change what is read");
            if (side, socket) == (Side::Client, Socket::Private) {
                whole.iter().for_each(|frame| passes_on(frame));
            }
        }
    }
});

fn translation(side: Side) -> Translation {
    let mut translation = Translation::new(side, "alice", "0123456789abcdef", Channel::new(0), LIMIT);
    translation.open();
    translation
}

/// The frames that a side reads, up to a mistake, which ends a connection.
fn frames<'a>(side: Side, socket: Socket, pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    let (mut translation, mut found) = (translation(side), Vec::new());
    for mut piece in pieces {
        loop {
            let frame = match translation.next(socket, &mut piece) {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(_) => return found,
            };
            let mut bytes = Vec::new();
            frame.encode(&mut bytes);
            assert_eq!(Frame::decode(&bytes), Ok(frame), "a frame that is none");
            found.push(bytes);
        }
    }
    found
}

/// A server writes a message to a client, which reads it as it was.
fn passes_on(bytes: &[u8]) {
    let (mut server, mut client, mut outbox) =
        (translation(Side::Server), translation(Side::Client), Outbox::default());
    let sent = Frame::decode(bytes).expect("it was read");
    if sent.kind == Kind::Response {
        return;
    }
    outbox.push(&sent);
    server.translate(&mut outbox);
    let text = server.unwritten(Socket::Private).to_vec();
    let read = client.next(Socket::Private, &mut &text[..]).expect("it was written by a server");
    let read = read.expect("it is whole");
    assert_eq!((read.kind, read.command, read.payload), (sent.kind, sent.command, sent.payload));
    server.written(Socket::Private, text.len());
    assert_eq!(server.acknowledged(), Some(1));
}

fn split<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Vec<u8>>, bool) {
    let (mut splitter, mut found) = (Splitter::new(LIMIT), Vec::new());
    for mut piece in pieces {
        loop {
            match splitter.next(&mut piece) {
                Ok(Some(object)) => found.push(object),
                Ok(None) => break,
                Err(_) => return (found, true),
            }
        }
    }
    (found, false)
}
