//! A frame of protocol 2: its header, how it is written and how it is read.
//!
//! ```text
//! u32 length | u8 kind | u8 flags | u16 name length | u16 command length | u64 id | name | command | payload
//! ```
//!
//! Integers are little-endian; `length` counts what follows it. `docs/protocol.md` gives the meaning of each
//! kind and the rules of the exchange.

use std::sync::Arc;

use super::ProtocolError;

/// Bytes of a frame before its name, with the length in front.
pub const HEADER: usize = 18;

/// Bytes of the length in front of a frame.
pub const LENGTH: usize = 4;

/// The longest name or command, in bytes.
pub const MAX_NAME: usize = u16::MAX as usize;

/// The largest payload that a length of 32 bits can announce, less room for what stands before it.
pub const LARGEST_PAYLOAD: usize = u32::MAX as usize - 256 * 1024;

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

    /// Kinds from 128 up are not sequenced and may be ignored by whoever does not know them, so that later
    /// versions can add some.
    fn from_byte(byte: u8) -> Result<Kind, ProtocolError> {
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

    /// Only what `other` has too.
    #[must_use]
    pub fn only(self, other: Flags) -> Flags {
        Flags(self.0 & other.0)
    }
}

/// The memory that a payload is the end of, where that may be kept instead of a copy.
pub type Memory<'a> = Option<&'a Arc<Vec<u8>>>;

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
    /// JSON text, or raw bytes where the flags say so.
    pub payload: &'a [u8],
    /// What the payload stands in.
    pub memory: Memory<'a>,
    /// Whether the payload is a large JSON text, of which nothing is known but that it is UTF-8 and not nested too deep.
    pub unchecked: bool,
}

impl<'a> Frame<'a> {
    /// A frame that has an id and nothing else.
    pub fn bare(kind: Kind, id: u64) -> Frame<'static> {
        Frame { kind, flags: Flags::default(), id, name: "", command: "", payload: b"", memory: None, unchecked: false }
    }

    /// Its size on the wire, in bytes.
    pub fn size(&self) -> usize {
        HEADER + self.name.len() + self.command.len() + self.payload.len()
    }

    /// Appends it to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.reserve(self.size());
        let length = self.size() - LENGTH;
        let mut header = [0; HEADER];
        header[0..4].copy_from_slice(&(length as u32).to_le_bytes());
        header[4] = self.kind as u8;
        header[5] = self.flags.0;
        header[6..8].copy_from_slice(&(self.name.len() as u16).to_le_bytes());
        header[8..10].copy_from_slice(&(self.command.len() as u16).to_le_bytes());
        header[10..18].copy_from_slice(&self.id.to_le_bytes());
        out.extend_from_slice(&header);
        out.extend_from_slice(self.name.as_bytes());
        out.extend_from_slice(self.command.as_bytes());
        out.extend_from_slice(self.payload);
    }

    /// Reads a whole frame, its length included, and checks all of it: a payload that is not one JSON value
    /// could otherwise end early and pass for more once it is joined to others.
    pub fn decode(bytes: &'a [u8]) -> Result<Frame<'a>, ProtocolError> {
        let frame = Frame::decode_trusted(bytes)?;
        frame.check_payload()?;
        Ok(frame)
    }

    /// As [`Frame::decode`], but leaves large texts [`unchecked`](Frame::unchecked), for whoever parses each by itself.
    pub fn decode_leaving_texts(bytes: &'a [u8]) -> Result<Frame<'a>, ProtocolError> {
        let frame = Frame::decode_trusted(bytes)?;
        let unchecked = frame.payload.len() >= LARGE_TEXT && frame.has_text();
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

    /// Reads a whole frame whose payload has been checked before, as those of our own queue.
    pub fn decode_trusted(bytes: &'a [u8]) -> Result<Frame<'a>, ProtocolError> {
        let (header, rest) = bytes.split_at_checked(HEADER).ok_or(ProtocolError::ShortFrame)?;
        let kind = Kind::from_byte(header[4])?;
        let name_length = usize::from(u16::from_le_bytes([header[6], header[7]]));
        let command_length = usize::from(u16::from_le_bytes([header[8], header[9]]));
        let id = u64::from_le_bytes([
            header[10], header[11], header[12], header[13], header[14], header[15], header[16], header[17],
        ]);
        let (name, rest) = rest.split_at_checked(name_length).ok_or(ProtocolError::ShortFrame)?;
        let (command, payload) = rest.split_at_checked(command_length).ok_or(ProtocolError::ShortFrame)?;
        Ok(Frame {
            kind,
            flags: Flags(header[5]),
            id,
            name: std::str::from_utf8(name).map_err(|_| ProtocolError::InvalidText)?,
            command: std::str::from_utf8(command).map_err(|_| ProtocolError::InvalidText)?,
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

    /// Whether the payload has to be one JSON value.
    fn has_text(&self) -> bool {
        !matches!(
            self.kind,
            Kind::Void | Kind::Acknowledgement | Kind::Discover | Kind::Cancel | Kind::Goodbye | Kind::Padding
        ) && !self.flags.contains(Flags::BYTES)
    }
}

/// The size of the frame that `bytes` begin with, its length included, or `None` if not even that is there.
pub fn frame_size(bytes: &[u8]) -> Option<usize> {
    let length = bytes.first_chunk::<LENGTH>()?;
    Some(LENGTH + u32::from_le_bytes(*length) as usize)
}

/// Where the payload begins in the frame that `bytes` begin with, or `None` if that much is not there.
pub fn payload_start(bytes: &[u8]) -> Option<usize> {
    let header = bytes.first_chunk::<HEADER>()?;
    let length = |low, high| usize::from(u16::from_le_bytes([low, high]));
    Some(HEADER + length(header[6], header[7]) + length(header[8], header[9]))
}

/// The kind of the frame that `bytes` begin with, for frames that this side wrote.
pub fn kind_of(bytes: &[u8]) -> Kind {
    bytes.get(4).and_then(|&byte| Kind::from_byte(byte).ok()).unwrap_or(Kind::Padding)
}

/// Sets flags of the frame that `bytes` begin with.
pub fn mark(bytes: &mut [u8], flags: Flags) {
    if let Some(byte) = bytes.get_mut(5) {
        *byte |= flags.0;
    }
}

/// Makes the frame that `bytes` begin with one of another kind.
pub fn turn_into(bytes: &mut [u8], kind: Kind) {
    if let Some(byte) = bytes.get_mut(4) {
        *byte = kind as u8;
    }
}

#[cfg(test)]
mod tests {
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
        assert_eq!(Frame::decode_leaving_texts(&bytes_of(&small)), refused);
        assert_eq!(Frame::decode(&bytes_of(&large)), refused);
        let wire = bytes_of(&large);
        let left = Frame::decode_leaving_texts(&wire).unwrap();
        assert!(left.unchecked && left.check().is_err());
        let deep = vec![b'['; 20_000];
        assert_eq!(Frame::decode_leaving_texts(&bytes_of(&deep)), refused);
        let no_text = [vec![b' '; LARGE_TEXT], vec![0xff]].concat();
        assert_eq!(Frame::decode_leaving_texts(&bytes_of(&no_text)), refused);
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
}
