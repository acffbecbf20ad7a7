//! Frames of protocol 2 and later: found wherever reads cut them, the same each time, and written as they were read.

#![no_main]

use ipcio::driver::protocol::frame::Frame;
use ipcio::driver::protocol::handshake::VERSION;
use ipcio::driver::protocol::inbox::Inbox;
use ipcio_fuzz::{Input, frame, in_pieces};
use libfuzzer_sys::fuzz_target;

const LIMIT: usize = 100_000;

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let (pattern, leaves, composed) = (input.byte(), input.below(2) == 1, input.below(2) == 1);
    let mut bytes = Vec::new();
    if composed {
        while !input.is_empty() && bytes.len() < 100_000 {
            frame(&mut input, &[], &mut bytes);
        }
    } else {
        bytes = input.0.to_vec();
    }
    let whole = read(&mut Inbox::new(LIMIT).leaving_texts(leaves), std::iter::once(&bytes[..]));
    let cut = read(&mut Inbox::new(LIMIT).leaving_texts(leaves), in_pieces(&bytes, pattern));
    assert_eq!(whole, cut, "cuts change what is read");
});

/// What is read: each frame anew, and how it ended.
fn read<'a>(inbox: &mut Inbox, pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Vec<u8>>, Option<String>) {
    let mut found = Vec::new();
    for mut piece in pieces {
        // As a driver does: where there is room for it, it is read to where it belongs.
        if let Some(room) = inbox.rest() {
            let count = piece.len().min(room.capacity() - room.len());
            room.extend_from_slice(&piece[..count]);
            piece = &piece[count..];
        }
        loop {
            match inbox.next(&mut piece) {
                Ok(None) => break,
                Err(error) => return (found, Some(error.to_string())),
                Ok(Some(whole)) => match whole.decode() {
                    Err(error) => return (found, Some(error.to_string())),
                    Ok(frame) => {
                        let mut written = Vec::new();
                        frame.encode(&mut written);
                        let again = Frame::decode_for(&written, VERSION, true).expect("what was read can be written");
                        let parts = |frame: &Frame<'_>| (frame.kind, frame.flags, frame.id);
                        assert_eq!(parts(&again), parts(&frame));
                        assert_eq!(
                            (again.name, again.command, again.extension, again.payload),
                            (frame.name, frame.command, frame.extension, frame.payload)
                        );
                        found.push(written);
                    }
                },
            }
        }
    }
    (found, None)
}
