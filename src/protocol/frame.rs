//! A frame of protocols 2 and 3: its header, how it is written and how it is read.
//!
//! ```text
//! u32 length | u8 kind | u8 flags | u16 name length | u16 command length | u64 id | name | command | payload
//! ```
//!
//! Integers are little-endian; `length` counts what follows it. On connections of protocol 3 an extension block may stand
//! between command and payload. `docs/protocol.md` gives the meaning of each kind and the rules of the exchange.

use std::sync::Arc;

use super::ProtocolError;
use super::handshake::VERSION;

/// Bytes of a frame before its name, with the length in front.
pub const HEADER: usize = 18;

/// Bytes of the length in front of a frame.
pub const LENGTH: usize = 4;

/// The longest name or command, in bytes.
pub const MAX_NAME: usize = u16::MAX as usize;

/// The largest payload that a length of 32 bits can announce, less the space for what precedes it.
pub const LARGEST_PAYLOAD: usize = u32::MAX as usize - 256 * 1024 + 1;

/// The longest extension block with the length in front of it, in bytes.
pub const MAX_EXTENSION: usize = 2 + u16::MAX as usize;

/// From this version of the protocol on there are extension blocks, and [`Kind::Held`] and [`Kind::Released`].
pub const EXTENDED_SINCE: u32 = 3;

/// From this size on, in bytes, a JSON text is worth being parsed by itself, which is its check too.
pub const LARGE_TEXT: usize = 1000;

/// What a frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Nothing. It stands where a message was withdrawn, and keeps its sequence number.
    Void = 0,
    /// `id` sequenced frames have been received in all.
    Acknowledgement = 1,
    /// A message to the server.
    Send = 2,
    /// A message to the client `name`; towards a client, one from `name`.
    Emit = 3,
    /// A message to every other client; towards a client, one from `name`.
    Broadcast = 4,
    /// A delivery `id` to the client `name`, or to the server if that is empty; towards a client, one from `name`.
    Request = 5,
    /// The result of delivery `id`.
    Response = 6,
    /// Delivery `id` has failed; the payload says how.
    Failure = 7,
    /// Asks, as delivery `id`, who is there and which commands the server handles.
    Discover = 8,
    /// The sender of delivery `id` waits for it no longer.
    Cancel = 9,
    /// The sender leaves for good; its session ends.
    Goodbye = 10,
    /// The client's message with the sequence number `id` is about to be acknowledged and could not be handed over yet.
    Held = 11,
    /// The message that was held under this number was handed over, or given up.
    Released = 12,
    /// Nothing, and without a sequence number.
    Padding = 128,
}

impl Kind {
    /// Whether frames of this kind carry a sequence number and are acknowledged.
    pub fn is_sequenced(self) -> bool {
        !matches!(self, Kind::Acknowledgement | Kind::Goodbye | Kind::Padding)
    }

    /// Whether the sender holds a promise that the acknowledgement settles.
    pub fn is_one_way(self) -> bool {
        matches!(self, Kind::Send | Kind::Emit | Kind::Broadcast)
    }

    /// Kinds from 128 up are not sequenced and may be ignored by peers that do not know them, so that later
    /// versions can add some.
    ///
    /// # Errors
    /// It is below that, and unknown.
    pub fn from_byte(byte: u8) -> Result<Kind, ProtocolError> {
        Ok(match byte {
            0 => Kind::Void,
            1 => Kind::Acknowledgement,
            2 => Kind::Send,
            3 => Kind::Emit,
            4 => Kind::Broadcast,
            5 => Kind::Request,
            6 => Kind::Response,
            7 => Kind::Failure,
            8 => Kind::Discover,
            9 => Kind::Cancel,
            10 => Kind::Goodbye,
            11 => Kind::Held,
            12 => Kind::Released,
            128.. => Kind::Padding,
            other => return Err(ProtocolError::UnknownKind(other)),
        })
    }
}

/// What may be said about a frame beside its kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(pub u8);

impl Flags {
    /// The receiver may have seen this message before.
    pub const REDELIVERED: Flags = Flags(1);
    /// The message waited in its sender's queue when the connection was made.
    pub const QUEUED: Flags = Flags(2);
    /// The payload is raw bytes instead of JSON text.
    pub const BYTES: Flags = Flags(4);
    /// An extension block stands in front of the payload. Set where there is one, see [`Frame::extension`].
    pub const EXTENDED: Flags = Flags(8);
    /// Says something to the owner of a queue alone, which is never written.
    pub const OWN: Flags = Flags(128);

    /// Whether all of `other` is set.
    pub fn contains(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any of `other` is set.
    pub fn intersects(self, other: Flags) -> bool {
        self.0 & other.0 != 0
    }

    /// Both together.
    #[must_use]
    pub fn with(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    /// Nothing of `other`.
    #[must_use]
    pub fn without(self, other: Flags) -> Flags {
        Flags(self.0 & !other.0)
    }

    /// Only what `other` has too.
    #[must_use]
    pub fn only(self, other: Flags) -> Flags {
        Flags(self.0 & other.0)
    }
}

/// The memory that a payload is the end of, where that may be kept instead of a copy.
pub type Allocation<'a> = Option<&'a Arc<Vec<u8>>>;

/// One frame, its parts borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What it says.
    pub kind: Kind,
    /// What is said about it.
    pub flags: Flags,
    /// A delivery's number, or the count of an acknowledgement; 0 elsewhere.
    pub id: u64,
    /// The client that it is for or from; empty for the server.
    pub name: &'a str,
    /// The command; empty where a kind has none.
    pub command: &'a str,
    /// Entries of a tag, a length and a value, which are passed on as they are; empty for most frames. Only peers of
    /// version [`EXTENDED_SINCE`] may be sent any.
    pub extension: &'a [u8],
    /// JSON text, or raw bytes where the flags say so.
    pub payload: &'a [u8],
    /// What the payload stands in.
    pub memory: Allocation<'a>,
    /// Whether the payload is a large JSON text, of which nothing is known but that it is UTF-8 and not nested too deep.
    pub unchecked: bool,
}

impl<'a> Frame<'a> {
    /// A frame that has an id and nothing else.
    pub fn bare(kind: Kind, id: u64) -> Frame<'static> {
        Frame {
            kind,
            flags: Flags::default(),
            id,
            name: "",
            command: "",
            extension: b"",
            payload: b"",
            memory: None,
            unchecked: false,
        }
    }

    /// Its size on the wire, in bytes.
    pub fn size(&self) -> usize {
        let extension = if self.extension.is_empty() { 0 } else { 2 + self.extension.len() };
        HEADER + self.name.len() + self.command.len() + extension + self.payload.len()
    }

    /// The frame as a peer of this version may be sent it.
    #[must_use]
    pub fn for_version(self, version: u32) -> Frame<'a> {
        if version < EXTENDED_SINCE { Frame { extension: b"", ..self } } else { self }
    }

    /// Appends it to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.reserve(self.size());
        let length = self.size() - LENGTH;
        let extended = if self.extension.is_empty() { Flags::default() } else { Flags::EXTENDED };
        let mut header = [0; HEADER];
        header[0..4].copy_from_slice(&(length as u32).to_le_bytes());
        header[4] = self.kind as u8;
        header[5] = self.flags.without(Flags::EXTENDED).with(extended).0;
        header[6..8].copy_from_slice(&(self.name.len() as u16).to_le_bytes());
        header[8..10].copy_from_slice(&(self.command.len() as u16).to_le_bytes());
        header[10..18].copy_from_slice(&self.id.to_le_bytes());
        out.extend_from_slice(&header);
        out.extend_from_slice(self.name.as_bytes());
        out.extend_from_slice(self.command.as_bytes());
        if !self.extension.is_empty() {
            out.extend_from_slice(&(self.extension.len() as u16).to_le_bytes());
            out.extend_from_slice(self.extension);
        }
        out.extend_from_slice(self.payload);
    }

    /// Reads a whole frame, its length included, and checks all of it: a payload that is not one JSON value
    /// could otherwise end early and pass for more once it is joined to others.
    ///
    /// # Errors
    /// What it says is not allowed.
    pub fn decode(bytes: &'a [u8]) -> Result<Frame<'a>, ProtocolError> {
        Frame::decode_for(bytes, VERSION, false)
    }

    /// As [`Frame::decode`], on a connection of this version of the protocol. If it `leaves_texts`, large ones are
    /// [`unchecked`](Frame::unchecked), for a caller that parses each by itself.
    ///
    /// # Errors
    /// As [`Frame::decode`].
    pub fn decode_for(bytes: &'a [u8], version: u32, leaves_texts: bool) -> Result<Frame<'a>, ProtocolError> {
        let frame = Frame::read(bytes, version >= EXTENDED_SINCE)?;
        if version < EXTENDED_SINCE && matches!(frame.kind, Kind::Held | Kind::Released) {
            return Err(ProtocolError::UnknownKind(frame.kind as u8));
        }
        check_extension(frame.extension)?;
        let unchecked = leaves_texts && frame.payload.len() >= LARGE_TEXT && frame.has_text();
        if unchecked {
            std::str::from_utf8(frame.payload).map_err(|_| ProtocolError::InvalidPayload)?;
            if super::json::is_too_deep(frame.payload) {
                return Err(ProtocolError::InvalidPayload);
            }
        } else {
            frame.check_payload()?;
        }
        Ok(Frame { unchecked, ..frame })
    }

    /// Checks what was left unchecked.
    pub fn check(&self) -> Result<(), ProtocolError> {
        if self.unchecked { self.check_payload() } else { Ok(()) }
    }

    /// Reads a whole frame that has been checked before, as those of our own queue.
    pub fn decode_trusted(bytes: &'a [u8]) -> Result<Frame<'a>, ProtocolError> {
        Frame::read(bytes, true)
    }

    fn read(bytes: &'a [u8], extended: bool) -> Result<Frame<'a>, ProtocolError> {
        let (header, rest) = bytes.split_at_checked(HEADER).ok_or(ProtocolError::ShortFrame)?;
        let kind = Kind::from_byte(header[4])?;
        let flags = Flags(header[5]);
        let name_length = usize::from(u16::from_le_bytes([header[6], header[7]]));
        let command_length = usize::from(u16::from_le_bytes([header[8], header[9]]));
        let id = u64::from_le_bytes([
            header[10], header[11], header[12], header[13], header[14], header[15], header[16], header[17],
        ]);
        let (name, rest) = rest.split_at_checked(name_length).ok_or(ProtocolError::ShortFrame)?;
        let (command, rest) = rest.split_at_checked(command_length).ok_or(ProtocolError::ShortFrame)?;
        // The flag says no more than the block does: without one, it is not there.
        let (extension, payload) =
            if extended && flags.contains(Flags::EXTENDED) { split_extension(rest)? } else { (&b""[..], rest) };
        let flags = if extension.is_empty() { flags.without(Flags::EXTENDED) } else { flags };
        Ok(Frame {
            kind,
            flags,
            id,
            name: std::str::from_utf8(name).map_err(|_| ProtocolError::InvalidText)?,
            command: std::str::from_utf8(command).map_err(|_| ProtocolError::InvalidText)?,
            extension,
            payload,
            memory: None,
            unchecked: false,
        })
    }

    fn check_payload(&self) -> Result<(), ProtocolError> {
        if self.has_text() && (super::json::is_too_deep(self.payload) || !super::json::is_one_value(self.payload)) {
            return Err(ProtocolError::InvalidPayload);
        }
        Ok(())
    }

    /// Whether the payload must be one JSON value.
    fn has_text(&self) -> bool {
        !matches!(
            self.kind,
            Kind::Void
                | Kind::Acknowledgement
                | Kind::Discover
                | Kind::Cancel
                | Kind::Goodbye
                | Kind::Held
                | Kind::Released
                | Kind::Padding
        ) && !self.flags.contains(Flags::BYTES)
    }
}

/// The size of the frame that `bytes` begin with, its length included, or `None` if not even that is there.
pub fn frame_size(bytes: &[u8]) -> Option<usize> {
    let length = bytes.first_chunk::<LENGTH>()?;
    Some(LENGTH + u32::from_le_bytes(*length) as usize)
}

/// Where the payload begins in the frame that `bytes` begin with, or `None` if that much is not there. The frame is one of
/// this version of the protocol.
pub fn payload_start(bytes: &[u8], version: u32) -> Option<usize> {
    let header = bytes.first_chunk::<HEADER>()?;
    let length = |low, high| usize::from(u16::from_le_bytes([low, high]));
    let start = HEADER + length(header[6], header[7]) + length(header[8], header[9]);
    if version < EXTENDED_SINCE || !Flags(header[5]).contains(Flags::EXTENDED) {
        return Some(start);
    }
    let extension = bytes.get(start..)?.first_chunk::<2>()?;
    Some(start + 2 + length(extension[0], extension[1]))
}

/// The kind of the frame that `bytes` begin with, for frames that this side wrote.
pub fn kind_of(bytes: &[u8]) -> Kind {
    bytes.get(4).and_then(|&byte| Kind::from_byte(byte).ok()).unwrap_or(Kind::Padding)
}

/// The flags of the frame that `bytes` begin with.
pub fn flags_of(bytes: &[u8]) -> Flags {
    Flags(bytes.get(5).copied().unwrap_or_default())
}

/// Sets flags of the frame that `bytes` begin with.
pub fn mark(bytes: &mut [u8], flags: Flags) {
    if let Some(byte) = bytes.get_mut(5) {
        *byte |= flags.0;
    }
}

/// Takes flags from the frame that `bytes` begin with.
pub fn unmark(bytes: &mut [u8], flags: Flags) {
    if let Some(byte) = bytes.get_mut(5) {
        *byte &= !flags.0;
    }
}

/// Makes the frame that `bytes` begin with one of another kind.
pub fn turn_into(bytes: &mut [u8], kind: Kind) {
    if let Some(byte) = bytes.get_mut(4) {
        *byte = kind as u8;
    }
}

/// The extension block that `bytes` begin with, and what is behind it.
fn split_extension(bytes: &[u8]) -> Result<(&[u8], &[u8]), ProtocolError> {
    let (&length, rest) = bytes.split_first_chunk::<2>().ok_or(ProtocolError::ShortFrame)?;
    rest.split_at_checked(usize::from(u16::from_le_bytes(length))).ok_or(ProtocolError::ShortFrame)
}

/// Whether a block consists of entries of a tag, a length and as many bytes.
fn check_extension(mut block: &[u8]) -> Result<(), ProtocolError> {
    while let Some((_, rest)) = block.split_first() {
        (_, block) = split_extension(rest).map_err(|_| ProtocolError::InvalidExtension)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
