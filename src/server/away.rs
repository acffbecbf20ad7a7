//! The sessions whose client is away: what is kept for them, and which of them goes first when that is too much.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use super::backlog::{Backlog, Broadcast};
use crate::machine::SessionId;
use crate::protocol::chunk::Position;
use crate::protocol::outbox::Outbox;

/// What the tables take for a session beside its texts and its queue, about, in bytes.
const OVERHEAD: usize = 1000;

/// All sessions whose client is away.
#[derive(Debug, Default)]
pub(super) struct Away {
    backlog: Backlog,
    members: FxHashMap<SessionId, Member>,
    /// By what they have missed: who stands first in the backlog.
    by_position: BTreeSet<(Position, u64, SessionId)>,
    /// Those for which nothing waits beside broadcasts, in the same order.
    without_queue: BTreeSet<(Position, u64, SessionId)>,
    /// By how much they keep, in powers of two, and within these by how long they have been away.
    by_size: BTreeSet<(u32, u64, SessionId)>,
    /// By how far the backlog may grow before too much waits for one of them.
    by_room: BTreeSet<(u64, SessionId)>,
    /// By the largest payload that they take.
    by_limit: BTreeSet<(usize, SessionId)>,
    /// Bytes that are kept for them, without the backlog.
    kept: usize,
    /// Counts those that have gone away.
    next: u64,
}

/// A session whose client is away.
#[derive(Clone, Copy, Debug)]
struct Member {
    /// Its place among all that have gone away.
    order: u64,
    since: Instant,
    /// Where it stood when it went away, and up to where its queue refers to the backlog.
    position: Position,
    noted: Position,
    /// What of the backlog is not for it.
    skipped: Position,
    queue: Queue,
    /// What its texts take, in bytes.
    texts: usize,
    limit: usize,
    /// Bytes that may wait for it.
    allowed: usize,
}

/// What is in the queue of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Queue {
    is_empty: bool,
    /// Bytes that wait to be written.
    unwritten: usize,
    /// What of them counts as kept for it.
    share: usize,
}

/// What is known of a session that goes away.
#[derive(Clone, Copy, Debug)]
pub(super) struct Traits {
    /// What its name and its ids take, in bytes.
    pub(super) texts: usize,
    /// The largest payload that it takes.
    pub(super) limit: usize,
    /// Bytes that may wait for it.
    pub(super) allowed: usize,
}

impl Away {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Broadcasts that wait for them.
    pub(super) fn broadcasts(&self) -> u64 {
        self.backlog.len()
    }

    /// Bytes that are kept for all of them together; a broadcast counts once.
    pub(super) fn size(&self) -> usize {
        self.kept + self.backlog.size()
    }

    /// A client has gone away. From now on the session misses the broadcasts that are pushed here.
    pub(super) fn add(&mut self, id: SessionId, traits: Traits, outbox: &Outbox, now: Instant) {
        self.next += 1;
        let Traits { texts, limit, allowed } = traits;
        let position = self.backlog.join();
        let queue = Queue { is_empty: outbox.is_empty(), unwritten: outbox.unwritten_size(), share: outbox.share() };
        let member = Member {
            order: self.next,
            since: now,
            position,
            noted: position,
            skipped: Position::default(),
            queue,
            texts,
            limit,
            allowed,
        };
        self.members.insert(id, member);
        self.by_limit.insert((limit, id));
        self.index(id, &member);
    }

    /// It is back, or its session has ended. Gives the number of the broadcasts that it has missed, and their bytes.
    pub(super) fn remove(&mut self, id: SessionId) -> (u64, usize) {
        let missed = self.missed(id);
        let Some(member) = self.members.remove(&id) else { return missed };
        self.unindex(id, &member);
        self.by_limit.remove(&(member.limit, id));
        self.trim();
        missed
    }

    /// What a session has missed: the number of the broadcasts, and their bytes. Nothing where it is not away.
    pub(super) fn missed(&self, id: SessionId) -> (u64, usize) {
        let missed = self.members.get(&id).map(|member| member.missed(self.backlog.end())).unwrap_or_default();
        (missed.frames, missed.bytes as usize)
    }

    /// Puts what a session has missed into its queue, before it is removed.
    pub(super) fn catch_up(&mut self, id: SessionId, outbox: &mut Outbox) {
        self.note(id, outbox);
        outbox.fill(|from, to, each| self.backlog.read(from, to, each));
    }

    /// Notes in the queue of a session that what it has missed comes before what follows.
    pub(super) fn note(&mut self, id: SessionId, outbox: &mut Outbox) {
        let Some(member) = self.members.get_mut(&id) else { return };
        if member.noted != self.backlog.end() {
            let end = self.backlog.join();
            outbox.push_gap(member.noted, end);
            member.noted = end;
        }
    }

    /// The queue of a session has grown.
    pub(super) fn queued(&mut self, id: SessionId, bytes: usize) {
        if let Some(&member) = self.members.get(&id) {
            let Queue { unwritten, share, .. } = member.queue;
            let queue = Queue { is_empty: false, unwritten: unwritten + bytes, share: share + bytes };
            self.change(id, Member { queue, ..member });
        }
    }

    /// Stores a broadcast for all of them.
    pub(super) fn push(&mut self, broadcast: &Broadcast) {
        self.backlog.push(broadcast);
    }

    /// The broadcast that was pushed last, of this size in bytes, is not for this session, which had [noted](Away::note) what
    /// came before.
    pub(super) fn skip(&mut self, id: SessionId, bytes: usize) {
        let end = self.backlog.join();
        if let Some(&member) = self.members.get(&id) {
            let skipped = Position { frames: member.skipped.frames + 1, bytes: member.skipped.bytes + bytes as u64 };
            self.change(id, Member { noted: end, skipped, ..member });
        }
    }

    /// Those that take no payload of this size.
    pub(super) fn limited_below(&self, size: usize) -> impl Iterator<Item = SessionId> + '_ {
        self.by_limit.range(..(size, SessionId(0))).map(|&(_, id)| id)
    }

    /// One for which more waits than may.
    pub(super) fn overflowing(&self) -> Option<SessionId> {
        self.by_room.first().filter(|&&(room, _)| room < self.backlog.end().bytes).map(|&(_, id)| id)
    }

    /// Who makes room for another client: the one that has been away longest of those for which nothing waits, or of
    /// all.
    pub(super) fn least(&self) -> Option<SessionId> {
        let without = self.without_queue.range((self.backlog.end(), 0, SessionId(0))..).next();
        let oldest = || self.oldest_by_size().min_by_key(|&(order, _)| order).map(|(_, id)| id);
        without.map(|&(_, _, id)| id).or_else(oldest)
    }

    /// Who makes room for messages: the one for which the most has waited for the longest time, or, where it is broadcasts
    /// that take the most, the one that has missed them all.
    pub(super) fn largest(&self, now: Instant) -> Option<SessionId> {
        if self.backlog.size() > self.kept {
            return self.by_position.first().map(|&(_, _, id)| id);
        }
        let weight = |id: SessionId| {
            self.members.get(&id).map_or(0, |member| {
                let time = now.saturating_duration_since(member.since) + Duration::from_millis(1);
                member.kept() as u128 * time.as_millis()
            })
        };
        let heaviest = self.oldest_by_size().max_by_key(|&(order, id)| (weight(id), std::cmp::Reverse(order)));
        heaviest.map(|(_, id)| id)
    }

    /// Of each size the one that has been away longest.
    fn oldest_by_size(&self) -> impl Iterator<Item = (u64, SessionId)> + '_ {
        let mut from = 0;
        std::iter::from_fn(move || {
            let &(size, order, id) = self.by_size.range((from, 0, SessionId(0))..).next()?;
            from = size + 1;
            Some((order, id))
        })
    }

    fn trim(&mut self) {
        let first = self.by_position.first().map(|&(position, _, _)| position);
        self.backlog.trim(first);
    }

    fn change(&mut self, id: SessionId, member: Member) {
        if let Some(old) = self.members.insert(id, member) {
            self.unindex(id, &old);
        }
        self.index(id, &member);
    }

    fn index(&mut self, id: SessionId, member: &Member) {
        self.kept += member.kept();
        self.by_position.insert((member.position, member.order, id));
        if member.queue.is_empty {
            self.without_queue.insert((member.position, member.order, id));
        }
        self.by_size.insert((member.size(), member.order, id));
        self.by_room.insert((member.room(), id));
    }

    fn unindex(&mut self, id: SessionId, member: &Member) {
        self.kept -= member.kept();
        self.by_position.remove(&(member.position, member.order, id));
        self.without_queue.remove(&(member.position, member.order, id));
        self.by_size.remove(&(member.size(), member.order, id));
        self.by_room.remove(&(member.room(), id));
    }
}

impl Member {
    /// What it has missed, by number and bytes.
    fn missed(&self, end: Position) -> Position {
        Position {
            frames: end.frames - self.position.frames - self.skipped.frames,
            bytes: end.bytes - self.position.bytes - self.skipped.bytes,
        }
    }

    /// Bytes that are kept for it alone.
    fn kept(&self) -> usize {
        OVERHEAD + self.texts + self.queue.share
    }

    /// How much waits for it, as a power of two.
    fn size(&self) -> u32 {
        self.kept().ilog2()
    }

    /// Up to where the backlog may grow before too much waits for it.
    fn room(&self) -> u64 {
        let room = self.allowed.saturating_sub(self.queue.unwritten) as u64;
        (self.position.bytes + self.skipped.bytes).saturating_add(room)
    }
}
