//! Changes of the frames in a queue, before they are written on a new connection.

use super::Outbox;
use crate::protocol::chunk::Chunk;
use crate::protocol::frame::{self, Flags, Frame, Kind};

impl Outbox {
    /// Puts encoded frames, which the peer had acknowledged on an earlier epoch, in front of all others.
    /// To be called right after [`restart`](Self::restart).
    pub fn put_back<'a>(&mut self, frames: impl Iterator<Item = &'a [u8]>) {
        let mut chunk = Vec::new();
        for bytes in frames {
            let start = chunk.len();
            chunk.extend_from_slice(bytes);
            frame::mark(&mut chunk[start..], Flags::REDELIVERED.with(Flags::QUEUED));
            self.frames += 1;
        }
        if chunk.is_empty() {
            return;
        }
        self.bytes += chunk.len();
        self.unwritten = self.bytes;
        if let Some(first) = self.chunks.front_mut() {
            first.own().drain(..self.head);
        }
        self.chunks.push_front(Chunk::Own(chunk));
        self.passed = self.passed.wrapping_sub(1);
        self.head = 0;
        self.cursor = (0, 0);
    }

    /// Calls `each` with every frame in the queue but those that other queues hold too. It may change a frame's kind and
    /// flags but not its size.
    pub fn for_each_mut(&mut self, mut each: impl FnMut(&mut [u8])) {
        let mut offset = self.head;
        for chunk in &mut self.chunks {
            if let Chunk::Own(chunk) = chunk {
                while let Some(size) = frame::frame_size(&chunk[offset..]) {
                    each(&mut chunk[offset..offset + size]);
                    offset += size;
                }
            }
            offset = 0;
        }
    }

    /// Takes every frame for which `keep` is false out of the queue, but none that other queues hold too. Only right after
    /// [`restart`](Self::restart).
    pub fn retain(&mut self, mut keep: impl FnMut(&[u8]) -> bool) {
        self.rebuild(|bytes, outbox| {
            if keep(bytes) {
                outbox.push_encoded(bytes);
            }
        });
    }

    /// Takes the content out of void frames, which may be large; its size becomes the id. Only before anything
    /// is written on a connection.
    pub fn shrink_void(&mut self) {
        self.rebuild(|bytes, outbox| match Frame::decode_trusted(bytes) {
            Ok(frame) if frame.kind == Kind::Void => {
                let id = frame.payload.len() as u64;
                outbox.push(&Frame { flags: frame.flags, ..Frame::bare(Kind::Void, id) });
            }
            _ => outbox.push_encoded(bytes),
        });
    }

    /// Takes the extension blocks out of all frames. Only right after [`restart`](Self::restart).
    pub fn cut_extensions(&mut self) {
        let has_some = |bytes: &[u8]| Frame::decode_trusted(bytes).is_ok_and(|frame| !frame.extension.is_empty());
        for chunk in self.chunks.iter_mut().filter(|chunk| matches!(chunk, Chunk::Shared(_))) {
            if frames(chunk).any(has_some) {
                chunk.own();
            }
        }
        self.rebuild(|bytes, outbox| match Frame::decode_trusted(bytes) {
            Ok(frame) if !frame.extension.is_empty() => outbox.push(&Frame { extension: b"", ..frame }),
            _ => outbox.push_encoded(bytes),
        });
    }

    fn rebuild(&mut self, mut each: impl FnMut(&[u8], &mut Outbox)) {
        let old = std::mem::take(self);
        self.acknowledged = old.acknowledged;
        let mut offset = old.head;
        for chunk in &old.chunks {
            if let Chunk::Shared(shared) = chunk
                && offset == 0
            {
                self.push_shared(shared);
                continue;
            }
            while let Some(size) = frame::frame_size(&chunk[offset..]) {
                each(&chunk[offset..offset + size], self);
                offset += size;
            }
            offset = 0;
        }
    }
}

/// The frames that stand in a chunk, one behind another.
fn frames(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (frame, rest) = bytes.split_at_checked(frame::frame_size(bytes)?)?;
        bytes = rest;
        Some(frame)
    })
}
