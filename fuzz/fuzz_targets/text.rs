//! The text of protocol 1: objects are found wherever reads cut them, and messages are written as they were read.

#![no_main]

use ipcio::driver::protocol::message::{self, Hello, Message, Welcome};
use ipcio::driver::protocol::splitter::Splitter;
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
});

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
