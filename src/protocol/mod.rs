//! Bytes to frames and back, for every version of the wire. No I/O.
//!
//! Protocols 2 and 3 are binary frames around JSON text. Protocol 1 is that of ipcio 0.6.2, JSON objects one behind
//! another, and is translated to frames and back. All begin with the same handshake; `docs/protocol.md` describes them.

pub mod chunk;
pub mod codec;
pub mod frame;
pub mod handshake;
pub mod inbox;
pub mod json;
pub mod outbox;
pub mod text;
pub mod v1;

use std::fmt;

/// How much of a message has arrived, where its end has not; nothing where none has begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Partial {
    /// Bytes that have arrived.
    pub bytes: usize,
    /// Bytes that are missing, or a guess where that is unknown.
    pub missing: usize,
}

/// What a peer did that its protocol does not allow. It ends the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// A frame kind that this version does not know and may not ignore.
    UnknownKind(u8),
    /// A frame ends within its header, name or command.
    ShortFrame,
    /// A name or a command is not UTF-8.
    InvalidText,
    /// An extension block is not made of entries.
    InvalidExtension,
    /// A payload is not exactly one JSON value.
    InvalidPayload,
    /// More was acknowledged than was sent, or less than before.
    InvalidAcknowledgement,
    /// A message is larger than the limit; the limit in bytes.
    TooLarge(usize),
    /// A message of protocol 1 is not the JSON object that it should be.
    InvalidMessage,
    /// A frame came that only the other side may send, or before the handshake.
    Unexpected,
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProtocolError::UnknownKind(kind) => write!(f, "a frame of unknown kind {kind}"),
            ProtocolError::ShortFrame => f.write_str("a frame that ends too early"),
            ProtocolError::InvalidText => f.write_str("a name or command that is not UTF-8"),
            ProtocolError::InvalidExtension => f.write_str("an extension block that is not made of entries"),
            ProtocolError::InvalidPayload => f.write_str("a payload that is not one JSON value"),
            ProtocolError::InvalidAcknowledgement => f.write_str("an acknowledgement of what was never sent"),
            ProtocolError::TooLarge(limit) => write!(f, "a message above the limit of {limit} bytes"),
            ProtocolError::InvalidMessage => f.write_str("a message that is not a JSON object of protocol 1"),
            ProtocolError::Unexpected => f.write_str("a message that is not allowed there"),
        }
    }
}

impl std::error::Error for ProtocolError {}
