//! Cuts what a connection reads into frames.

use std::sync::Arc;

use super::frame::{self, Allocation, Frame, HEADER, LENGTH};
use super::handshake::VERSION;
use super::{Partial, ProtocolError};

/// From this size on, the rest of a frame is worth being read where it belongs.
const LARGE: usize = 64 * 1024;

/// From this size on, a frame gets its room in steps: a length alone, which any peer can write, is worth no more.
const FIRST_STEP: usize = 4 * 1024 * 1024;

/// How many times larger than the bytes that have arrived each step is. It copies these, which does not take long.
const STEP: usize = 64;

/// Typed arrays of any kind may be laid over a payload that begins at a multiple of this.
const ALIGNMENT: usize = 8;

/// What is kept for the next frame.
const KEPT: usize = 4 * 1024;

/// The beginning of a frame whose end has not been read yet.
#[derive(Debug)]
pub struct Inbox {
    partial: Vec<u8>,
    /// Where the frame begins in `partial`: the payload of a large one is aligned for any use.
    start: usize,
    /// Whether `partial` is a whole frame, which has been given out.
    complete: bool,
    /// A large frame, which has been given out.
    large: Option<Arc<Vec<u8>>>,
    limit: usize,
    version: u32,
    leaves_texts: bool,
}

/// A frame that has been read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompleteFrame<'a> {
    bytes: &'a [u8],
    memory: Allocation<'a>,
    version: u32,
    leaves_texts: bool,
}

impl<'a> CompleteFrame<'a> {
    /// Reads it, see [`Frame::decode_for`], [`Inbox::speaking`] and [`Inbox::leaving_texts`].
    ///
    /// # Errors
    /// What it says is not allowed.
    pub fn decode(self) -> Result<Frame<'a>, ProtocolError> {
        Ok(Frame { memory: self.memory, ..Frame::decode_for(self.bytes, self.version, self.leaves_texts)? })
    }
}

impl Inbox {
    /// For messages of at most `limit` bytes, in the highest version of the protocol.
    pub fn new(limit: usize) -> Inbox {
        Inbox {
            partial: Vec::new(),
            start: 0,
            complete: false,
            large: None,
            limit,
            version: VERSION,
            leaves_texts: false,
        }
    }

    /// The same for a connection of this version of the protocol.
    #[must_use]
    pub fn speaking(self, version: u32) -> Inbox {
        Inbox { version, ..self }
    }

    /// The same; if `leaves`, large texts of its frames are left [unchecked](Frame::unchecked).
    #[must_use]
    pub fn leaving_texts(self, leaves: bool) -> Inbox {
        Inbox { leaves_texts: leaves, ..self }
    }

    /// Takes the first whole frame out of `bytes`, together with what is left from the reads before. `None`
    /// when there is no whole one: the rest has then been kept.
    pub fn next<'a, 'b: 'a>(&'a mut self, bytes: &mut &'b [u8]) -> Result<Option<CompleteFrame<'a>>, ProtocolError> {
        let (version, leaves_texts) = (self.version, self.leaves_texts);
        self.large = None;
        if std::mem::take(&mut self.complete) {
            self.partial.clear();
            self.partial.shrink_to(KEPT);
        }
        if self.partial.is_empty() {
            match self.whole(bytes)? {
                Some(size) => {
                    let (frame, rest) = bytes.split_at(size);
                    *bytes = rest;
                    return Ok(Some(CompleteFrame { bytes: frame, memory: None, version, leaves_texts }));
                }
                None => {
                    self.start = 0;
                    if let (Some(size), Some(payload)) =
                        (frame::frame_size(bytes), frame::payload_start(bytes, self.version))
                    {
                        self.start = payload.next_multiple_of(ALIGNMENT) - payload;
                        self.reserve(self.start + size, bytes.len());
                        self.partial.resize(self.start, 0);
                    }
                    self.partial.extend_from_slice(bytes);
                    *bytes = &[];
                    return Ok(None);
                }
            }
        }
        while self.partial.len() < self.start + LENGTH {
            let Some((&byte, rest)) = bytes.split_first() else { return Ok(None) };
            self.partial.push(byte);
            *bytes = rest;
        }
        let size = self.start + self.size(&self.partial[self.start..])?.unwrap_or(HEADER);
        let missing = size - self.partial.len();
        let (part, rest) = bytes.split_at(missing.min(bytes.len()));
        self.reserve(size, part.len());
        self.partial.extend_from_slice(part);
        *bytes = rest;
        if self.partial.len() < size {
            return Ok(None);
        }
        if size >= LARGE {
            let memory = self.large.insert(Arc::new(std::mem::take(&mut self.partial)));
            let bytes = &memory[self.start..];
            return Ok(Some(CompleteFrame { bytes, memory: Some(memory), version, leaves_texts }));
        }
        self.complete = true;
        let bytes = &self.partial[self.start..];
        Ok(Some(CompleteFrame { bytes, memory: None, version, leaves_texts }))
    }

    /// Where the rest of a large frame may be read to, without a copy in between. It has room for some of that rest or
    /// all of it, and nothing more. Call [`Inbox::next`] afterwards.
    pub fn rest(&mut self) -> Option<&mut Vec<u8>> {
        let size = self.start + frame::frame_size(self.partial.get(self.start..)?).filter(|_| !self.complete)?;
        if size - self.partial.len() < LARGE || self.partial.capacity() > size {
            return None;
        }
        self.reserve(size, 1);
        // An allocator may return more than it is asked for.
        (self.partial.capacity() <= size).then_some(&mut self.partial)
    }

    /// What has been read of a frame whose end has not.
    pub fn unfinished(&self) -> Partial {
        if self.complete || self.partial.is_empty() {
            return Partial::default();
        }
        let bytes = self.partial.len() - self.start;
        let size = frame::frame_size(&self.partial[self.start..]).unwrap_or(HEADER);
        Partial { bytes, missing: size.saturating_sub(bytes) }
    }

    /// Makes room for `more` bytes of a frame that ends at `size`, and for all of it where that is not much, or much of it
    /// is there. The system gives memory when it is written to.
    fn reserve(&mut self, size: usize, more: usize) {
        let needed = self.partial.len() + more;
        if needed > self.partial.capacity() {
            let room = size.min(FIRST_STEP.max(needed * STEP));
            self.partial.reserve_exact(room.max(needed) - self.partial.len());
        }
    }

    /// The size of the frame at the start of `bytes`, if all of it is there.
    fn whole(&self, bytes: &[u8]) -> Result<Option<usize>, ProtocolError> {
        Ok(self.size(bytes)?.filter(|&size| size <= bytes.len()))
    }

    fn size(&self, bytes: &[u8]) -> Result<Option<usize>, ProtocolError> {
        match frame::frame_size(bytes) {
            // The limit is one of payloads; names, command and extension come on top.
            Some(size) if size > self.limit.saturating_add(HEADER + 2 * frame::MAX_NAME + frame::MAX_EXTENSION) => {
                Err(ProtocolError::TooLarge(self.limit))
            }
            Some(size) if size < HEADER => Err(ProtocolError::ShortFrame),
            size => Ok(size),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::Kind;
    use super::*;

    fn wire() -> Vec<u8> {
        let mut bytes = Vec::new();
        let large = format!("\"{}\"", "x".repeat(3_000));
        for (id, payload) in ["1", "\"two\"", &large, "{}", "[]"].iter().enumerate() {
            let frame = Frame { command: "c", payload: payload.as_bytes(), ..Frame::bare(Kind::Send, id as u64) };
            frame.encode(&mut bytes);
        }
        bytes
    }

    #[test]
    fn frames_are_found_wherever_the_reads_cut_them() {
        let wire = wire();
        for step in [1, 2, 3, 5, 17, 18, 19, 100, 3_000, wire.len()] {
            let mut inbox = Inbox::new(1 << 20);
            let mut found = Vec::new();
            for read in wire.chunks(step) {
                let mut rest = read;
                while let Some(whole) = inbox.next(&mut rest).unwrap() {
                    found.push(whole.decode().unwrap().id);
                }
            }
            assert_eq!(found, [0, 1, 2, 3, 4], "reads of {step} bytes");
        }
    }

    #[test]
    fn a_length_above_the_limit_is_refused_before_anything_is_kept() {
        let mut inbox = Inbox::new(1_000);
        let mut rest = &u32::MAX.to_le_bytes()[..];
        assert_eq!(inbox.next(&mut rest), Err(ProtocolError::TooLarge(1_000)));
    }

    #[test]
    fn a_length_below_the_header_is_refused() {
        let mut inbox = Inbox::new(1_000);
        let mut rest = &3_u32.to_le_bytes()[..];
        assert_eq!(inbox.next(&mut rest), Err(ProtocolError::ShortFrame));
    }
}
