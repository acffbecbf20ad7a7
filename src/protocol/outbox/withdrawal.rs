//! Frames that are taken back before they are written.
//!
//! A frame is found by its place, which is said when it is queued, so taking one back costs the same however many there
//! are. It turns void at first. Once these are most of a chunk, the chunk is written anew without them.

use super::Outbox;
use crate::protocol::frame::{self, Flags, Frame, Kind};

/// Where a frame stands in its queue, until [`Outbox::restart`] or [`Outbox::shrink_void`]: see [`Outbox::each_place`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Chunks that stood before it, ever.
    chunk: u64,
    offset: usize,
}

impl Outbox {
    /// Appends a frame, and says where it stands.
    pub fn place(&mut self, frame: &Frame<'_>) -> Place {
        self.push(frame);
        let last = self.chunks.len() - 1;
        Place { chunk: self.number(last), offset: self.chunks[last].len() - frame.size() }
    }

    /// Takes a frame back, of which nothing may have been written: otherwise it gives `false`. `moved` is called with the id
    /// and the new place of each delivery that has one now.
    pub fn withdraw(&mut self, place: Place, moved: impl FnMut(u64, Place)) -> bool {
        let Ok(index) = usize::try_from(place.chunk.wrapping_sub(self.passed)) else { return false };
        if (index, place.offset) < self.cursor {
            return false;
        }
        let Some(bytes) = self.chunks.get_mut(index).and_then(|chunk| chunk.own().get_mut(place.offset..)) else {
            return false;
        };
        let Some(size) = frame::frame_size(bytes) else { return false };
        frame::turn_into(bytes, Kind::Void);
        let void = self.void.entry(place.chunk).or_default();
        *void += size;
        if *void * 2 > self.chunks[index].len() {
            self.compact(index, moved);
        }
        true
    }

    /// Makes a frame void that may have been written on a connection that has ended. It keeps its number.
    pub fn make_void(&mut self, place: Place) {
        let index = usize::try_from(place.chunk.wrapping_sub(self.passed)).ok();
        let chunk = index.and_then(|index| self.chunks.get_mut(index));
        if let Some(bytes) = chunk.and_then(|chunk| chunk.own().get_mut(place.offset..)) {
            frame::turn_into(bytes, Kind::Void);
        }
    }

    /// Calls `each` with every frame in the queue and its place.
    pub fn each_place(&self, mut each: impl FnMut(&[u8], Place)) {
        let mut offset = self.head;
        for (index, chunk) in self.chunks.iter().enumerate() {
            while let Some(size) = frame::frame_size(&chunk[offset..]) {
                each(&chunk[offset..offset + size], Place { chunk: self.number(index), offset });
                offset += size;
            }
            offset = 0;
        }
    }

    /// Takes the void frames out of a chunk that have not been written: the peer has not counted them yet.
    fn compact(&mut self, index: usize, mut moved: impl FnMut(u64, Place)) {
        let number = self.number(index);
        let is_last = index + 1 == self.chunks.len();
        let written = if index == self.cursor.0 { self.cursor.1 } else { 0 };
        let start = if index == 0 { self.head } else { 0 };
        let chunk = self.chunks[index].own();
        let (mut from, mut to) = (start, start);
        while let Some(size) = frame::frame_size(&chunk[from..]) {
            let bytes = &chunk[from..from + size];
            if from >= written && is_withdrawn(bytes) {
                self.frames -= 1;
                self.bytes -= size;
                self.unwritten -= size;
            } else {
                if to < from {
                    if let Ok(frame) = Frame::decode_trusted(bytes)
                        && matches!(frame.kind, Kind::Request | Kind::Discover)
                    {
                        moved(frame.id, Place { chunk: number, offset: to });
                    }
                    chunk.copy_within(from..from + size, to);
                }
                to += size;
            }
            from += size;
        }
        chunk.truncate(to);
        // A chunk without frames would end the queue for its reader.
        if to == start && !is_last {
            let padding = Frame::bare(Kind::Padding, 0);
            padding.encode(chunk);
            self.bytes += padding.size();
            self.unwritten += padding.size();
        }
        if !is_last {
            chunk.shrink_to_fit();
        }
        self.void.remove(&number);
        if !is_last && self.cursor == (index, self.chunks[index].len()) {
            self.cursor = (index + 1, 0);
        }
        if self.frames == 0 && self.is_written() {
            self.clear();
        }
    }

    fn number(&self, index: usize) -> u64 {
        self.passed.wrapping_add(index as u64)
    }
}

/// Whether nothing depends on the frame: those with flags of the queue's owner settle something.
fn is_withdrawn(bytes: &[u8]) -> bool {
    frame::kind_of(bytes) == Kind::Void && !frame::flags_of(bytes).intersects(Flags::OWN)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{ids, write_all};
    use super::*;
    use std::collections::BTreeMap;

    const LARGE: usize = 100_000;

    fn request(id: u64, payload: &[u8]) -> Frame<'_> {
        Frame { command: "c", payload, ..Frame::bare(Kind::Request, id) }
    }

    #[test]
    fn what_was_withdrawn_is_neither_written_nor_kept() {
        for size in [10, 3_000, LARGE] {
            let payload = format!("\"{}\"", "x".repeat(size));
            let mut outbox = Outbox::default();
            let mut places = BTreeMap::new();
            for id in 1..=200 {
                let place = outbox.place(&request(id, payload.as_bytes()));
                places.insert(id, place);
            }
            let before = outbox.size();
            for id in (1..=200).filter(|id| id % 20 != 0) {
                let place = places.remove(&id).unwrap();
                let mut moved = Vec::new();
                assert!(outbox.withdraw(place, |id, place| moved.push((id, place))));
                for (id, place) in moved {
                    places.entry(id).and_modify(|old| *old = place);
                }
            }
            assert!(outbox.size() < before / 4, "{} of {before}", outbox.size());
            let mut found = BTreeMap::new();
            outbox.each_place(|bytes, place| {
                let frame = Frame::decode(bytes).unwrap();
                if frame.kind == Kind::Request {
                    found.insert(frame.id, place);
                }
            });
            assert_eq!(found, places);
            let written = ids(&write_all(&mut outbox));
            let sequenced = written.iter().filter(|found| found.1.is_sequenced()).count() as u64;
            let requests = written.iter().filter(|found| found.1 == Kind::Request);
            assert_eq!(requests.map(|found| found.0).collect::<Vec<_>>(), (1..=10).map(|n| n * 20).collect::<Vec<_>>());
            assert_eq!(sequenced, outbox.len());
            outbox.acknowledge(sequenced, |_| ()).unwrap();
            assert_eq!((outbox.len(), outbox.size()), (0, 0));
        }
    }

    #[test]
    fn what_was_begun_to_be_written_stays() {
        let mut outbox = Outbox::default();
        let first = outbox.place(&request(1, b"1"));
        let second = outbox.place(&request(2, b"1"));
        outbox.advance(1);
        assert!(!outbox.withdraw(first, |_, _| ()));
        assert!(outbox.withdraw(second, |_, _| ()));
        let left = write_all(&mut outbox).len() + 1;
        assert!(left >= request(1, b"1").size());
        outbox.acknowledge(outbox.len(), |_| ()).unwrap();
        assert_eq!(outbox.size(), 0);
    }

    #[test]
    fn what_follows_is_written_where_all_the_rest_of_a_chunk_was_withdrawn() {
        let text = format!("\"{}\"", "x".repeat(700));
        let mut outbox = Outbox::default();
        let written = outbox.place(&request(1, b"1"));
        let withdrawn = outbox.place(&request(2, text.as_bytes()));
        let follows = outbox.place(&request(3, text.as_bytes()));
        assert!(written.chunk == withdrawn.chunk && withdrawn.chunk != follows.chunk);
        outbox.advance(request(1, b"1").size());
        assert!(outbox.withdraw(withdrawn, |_, _| ()));
        assert_eq!(outbox.unwritten_size(), request(3, text.as_bytes()).size());
        assert_eq!(ids(&write_all(&mut outbox)).iter().map(|found| found.0).collect::<Vec<_>>(), [3]);
        outbox.acknowledge(2, |_| ()).unwrap();
        assert_eq!((outbox.len(), outbox.size()), (0, 0));
    }

    #[test]
    fn an_empty_queue_takes_new_frames() {
        let mut outbox = Outbox::default();
        let large = format!("\"{}\"", "x".repeat(LARGE));
        for round in 0..50 {
            let place = outbox.place(&request(round, large.as_bytes()));
            assert!(outbox.withdraw(place, |_, _| ()));
            assert_eq!((outbox.len(), outbox.size()), (0, 0));
        }
        outbox.push(&request(77, b"1"));
        assert_eq!(ids(&write_all(&mut outbox)).iter().map(|found| found.0).collect::<Vec<_>>(), [77]);
    }
}
