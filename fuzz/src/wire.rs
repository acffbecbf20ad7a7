//! What a peer may write, valid or almost.

use crate::Input;

/// Names of clients.
pub const NAMES: [&str; 4] = ["alice", "bob", "carol", ""];

/// Commands; the machines handle the first one.
pub const COMMANDS: [&str; 4] = ["note", "unknown", "emit", ""];

/// A payload, JSON most of the time.
pub fn payload(input: &mut Input<'_>) -> Vec<u8> {
    match input.byte() {
        0..=149 => b"1".to_vec(),
        150..=199 => format!("\"{}\"", "x".repeat(input.below(256) * 8)).into_bytes(),
        200..=201 => format!("\"{}\"", "x".repeat(70_000)).into_bytes(),
        202..=229 => b"[1,{\"a\":null}]".to_vec(),
        _ => {
            let size = input.below(32);
            input.bytes(size).to_vec()
        }
    }
}

/// A frame of any kind, flags, id and content. `known` are ids that mean something to its receiver.
pub fn frame(input: &mut Input<'_>, known: &[u64], out: &mut Vec<u8>) {
    let kind = match input.byte() {
        byte @ 0..=239 => byte % 14,
        byte => byte,
    };
    let flags = match input.byte() {
        0..=127 => 0,
        byte => byte & 0x7f,
    };
    let id = if known.is_empty() || input.below(3) == 0 { input.number() } else { input.one_of(known) };
    let (name, command) = (input.one_of(&NAMES), input.one_of(&COMMANDS));
    let payload = payload(input);
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&(name.len() as u16).to_le_bytes());
    out.extend_from_slice(&(command.len() as u16).to_le_bytes());
    out.extend_from_slice(&id.to_le_bytes());
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(command.as_bytes());
    if flags & 8 != 0 {
        // An extension block, of the length that it says or another one.
        let size = input.below(24);
        let block = input.bytes(size);
        out.extend_from_slice(&(block.len() as u16).to_le_bytes());
        out.extend_from_slice(block);
    }
    out.extend_from_slice(&payload);
    let mut length = (out.len() - start - 4) as u32;
    if input.byte() > 250 {
        length = input.number() as u32;
    }
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
}

/// A client's handshake. `server` is what it says to have been told by the server.
pub fn hello(input: &mut Input<'_>, server: Option<&str>, out: &mut Vec<u8>) {
    let name = input.one_of(&NAMES);
    out.extend_from_slice(
        format!("{{\"id\":null,\"command\":\"handshake\",\"data\":\"{name}\",\"delivery\":null").as_bytes(),
    );
    let version = input.below(6);
    if version > 0 {
        let server = server.map_or("null".to_owned(), |server| format!("\"{server}\""));
        let (session, attempt, received, limit) =
            (input.below(3), input.number() as u32, input.number(), input.number());
        out.extend_from_slice(
            format!(
                ",\"ipcio\":{{\"version\":{version},\"session\":\"{session}\",\"attempt\":{attempt},\"server\":{server},\
                 \"received\":{received},\"limit\":{}}}",
                if limit == 0 { 1 << 20 } else { limit }
            )
            .as_bytes(),
        );
    }
    out.push(b'}');
}

/// A server's answer to it.
pub fn welcome(input: &mut Input<'_>, out: &mut Vec<u8>) {
    match input.byte() {
        0..=19 => out.extend_from_slice(b"{\"id\":\"alice\",\"command\":\"error\",\"data\":201,\"delivery\":null}"),
        20..=39 => out.extend_from_slice(b"{\"id\":\"alice\",\"command\":\"error\",\"data\":203,\"delivery\":null}"),
        40..=99 => {
            out.extend_from_slice(b"{\"id\":\"alice\",\"command\":\"handshake\",\"data\":\"1f\",\"delivery\":null}")
        }
        _ => {
            let (version, resumed, received, limit) =
                (1 + input.below(4), input.below(2) == 1, input.number(), input.number());
            out.extend_from_slice(
                format!(
                    "{{\"id\":\"alice\",\"command\":\"handshake\",\"data\":\"1f\",\"delivery\":null,\"ipcio\":\
                     {{\"version\":{version},\"server\":\"1f\",\"resumed\":{resumed},\"received\":{received},\
                     \"limit\":{}}}}}",
                    if limit == 0 { 1 << 20 } else { limit }
                )
                .as_bytes(),
            );
        }
    }
}
