//! What has begun to arrive and is not complete, of all connections. Where it is much, only the connection nearest to
//! completion is read, and what the others write waits in their sockets. Large messages that the application has been given
//! and has not looked at count too: it gets no more of them than it can deal with.

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use crate::machine::{Action, ConnectionId, SessionId};
use crate::protocol::Partial;
use crate::sequence::Receipt;

/// A message up to this size, in bytes, does not wait: it holds little, and there are many.
const SMALL: usize = 64 * 1024;

/// How many bytes of beginnings there may be beyond the limit, at least.
const SLACK: usize = 1024 * 1024;

/// How long a connection may hold what it has begun without going on, where others wait.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often that is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// What has begun to arrive, and who waits.
#[derive(Debug)]
pub(super) struct Unfinished {
    limit: usize,
    /// Bytes that have arrived of all of them.
    total: usize,
    /// Those of beginnings: of which no more than [`SMALL`] has arrived.
    beginnings: usize,
    messages: FxHashMap<ConnectionId, Begun>,
    /// The large ones, by what is missing.
    nearest: BTreeSet<(usize, ConnectionId)>,
    /// Connections that are not read for now, by what is missing; 0 for those that have begun nothing.
    waiting: BTreeSet<(usize, ConnectionId)>,
    /// Large messages that are complete, and that no handler has been called for: the application is busy.
    given: FxHashMap<SessionId, VecDeque<(Receipt, usize)>>,
    given_bytes: usize,
    /// Whether only the nearest of the large ones is read.
    pressed: bool,
    /// When it is looked at who holds up others, since when that is done, and whether some have waited since the last look.
    look: Option<Instant>,
    since: Option<Instant>,
    waited: bool,
    /// The time of the last call that knew it.
    now: Option<Instant>,
}

/// A message that is not complete.
#[derive(Clone, Copy, Debug)]
struct Begun {
    part: Partial,
    /// When it last went on, and how far it was then.
    moved: Instant,
    mark: usize,
}

impl Begun {
    fn is_large(&self) -> bool {
        self.part.bytes + self.part.missing > SMALL
    }

    fn beginning(&self) -> usize {
        if self.part.bytes <= SMALL { self.part.bytes } else { 0 }
    }
}

impl Unfinished {
    /// Where `limit` bytes are much.
    pub(super) fn new(limit: usize) -> Unfinished {
        Unfinished {
            limit,
            total: 0,
            beginnings: 0,
            messages: FxHashMap::default(),
            nearest: BTreeSet::new(),
            waiting: BTreeSet::new(),
            given: FxHashMap::default(),
            given_bytes: 0,
            pressed: false,
            look: None,
            since: None,
            waited: false,
            now: None,
        }
    }

    /// Whether a connection is to be read. If not, it waits, and [`Action::Read`] says when it is.
    pub(super) fn may_read(&mut self, connection: ConnectionId) -> bool {
        if !self.pressed {
            return true;
        }
        let begun = self.messages.get(&connection);
        let may = match begun {
            None => self.may_begin(),
            Some(begun) => {
                let is_nearest = || self.nearest.first().is_some_and(|first| first.1 == connection);
                !begun.is_large() || (is_nearest() && self.has_room())
            }
        };
        if !may {
            self.waited = true;
            self.waiting.insert((begun.map_or(0, |begun| begun.part.missing), connection));
        }
        may
    }

    /// Notes that a connection was read: the bytes that went through a buffer, and the message that it has begun.
    pub(super) fn note(
        &mut self,
        connection: ConnectionId,
        (read, part): (usize, Partial),
        now: Instant,
        actions: &mut VecDeque<Action>,
    ) {
        if part.bytes == 0 && self.messages.is_empty() {
            return;
        }
        self.now = Some(now);
        let before = self.take(connection);
        if part.bytes > 0 {
            let mut begun = Begun { part, moved: now, mark: part.bytes };
            // A connection that sends a byte now and then does not go on. Where less was kept than was read, one has been completed.
            if let Some(before) = before
                && part.bytes >= before.part.bytes + read
                && part.bytes < before.mark + SMALL
            {
                (begun.moved, begun.mark) = (before.moved, before.mark);
            }
            self.total += part.bytes;
            self.beginnings += begun.beginning();
            if begun.is_large() {
                self.nearest.insert((part.missing, connection));
            }
            self.messages.insert(connection, begun);
        }
        self.changed(actions);
    }

    /// Bytes that have arrived and that no handler was called for, and connections that wait.
    pub(super) fn outstanding(&self) -> (usize, usize) {
        (self.total + self.given_bytes, self.waiting.len())
    }

    /// A connection has ended.
    pub(super) fn forget(&mut self, connection: ConnectionId, actions: &mut VecDeque<Action>) {
        if self.messages.is_empty() && self.waiting.is_empty() {
            return;
        }
        self.take(connection);
        self.changed(actions);
    }

    /// A message was given to the application.
    pub(super) fn give(&mut self, session: SessionId, receipt: Receipt, bytes: usize) {
        if bytes > SMALL {
            self.given.entry(session).or_default().push_back((receipt, bytes));
            self.given_bytes += bytes;
        }
    }

    /// A handler was called for the message of that receipt, and for all before it; without one, for all of them.
    pub(super) fn handled(&mut self, session: SessionId, receipt: Option<Receipt>, actions: &mut VecDeque<Action>) {
        if self.given.is_empty() {
            return;
        }
        let Some(given) = self.given.get_mut(&session) else { return };
        while let Some(&(first, bytes)) = given.front()
            && receipt.is_none_or(|receipt| first <= receipt)
        {
            given.pop_front();
            self.given_bytes -= bytes;
        }
        if given.is_empty() {
            self.given.remove(&session);
        }
        self.changed(actions);
    }

    /// When [`Unfinished::stalled`] is to be called, where that was not known before.
    pub(super) fn alarm(&mut self, now: Instant) -> Option<Instant> {
        if self.look.is_some() || self.waiting.is_empty() {
            return None;
        }
        (self.since, self.look) = (Some(now), Some(now + LOOK));
        self.look
    }

    /// Connections that hold up others and do not go on: they are to be ended. And when to ask again.
    pub(super) fn stalled(&mut self, now: Instant) -> (Vec<ConnectionId>, Option<Instant>) {
        let others_wait = std::mem::take(&mut self.waited) || !self.waiting.is_empty();
        self.look = others_wait.then_some(now + LOOK);
        if !others_wait {
            return (Vec::new(), None);
        }
        let stalled = self.messages.iter().filter(|&(&connection, begun)| {
            let idle = now.saturating_duration_since(self.since.map_or(begun.moved, |since| since.max(begun.moved)));
            idle >= PATIENCE && !self.waiting.contains(&(begun.part.missing, connection))
        });
        (stalled.map(|(&connection, _)| connection).collect(), self.look)
    }

    /// Whether another message may begin. That does not depend on the large ones, so that they hold up no small ones.
    fn may_begin(&self) -> bool {
        self.beginnings <= SLACK.max(self.limit / 8)
    }

    /// Half of the limit: the other half is for what the application has just been given, and has not let go of.
    fn much(&self) -> usize {
        self.limit / 2
    }

    /// Whether large messages may go on at all: the application can deal with more.
    fn has_room(&self) -> bool {
        self.given_bytes == 0 || self.given_bytes < self.much()
    }

    /// What the nearest of the large ones still needs.
    fn reserved(&self) -> usize {
        self.nearest.first().map_or(0, |&(missing, _)| missing.min(self.much()))
    }

    fn take(&mut self, connection: ConnectionId) -> Option<Begun> {
        let begun = self.messages.remove(&connection);
        let missing = begun.map_or(0, |begun| begun.part.missing);
        self.waiting.remove(&(missing, connection));
        if let Some(begun) = &begun {
            self.total -= begun.part.bytes;
            self.beginnings -= begun.beginning();
            self.nearest.remove(&(missing, connection));
        }
        begun
    }

    /// Lets those read on for whom there is room now.
    fn changed(&mut self, actions: &mut VecDeque<Action>) {
        self.pressed = self.total + self.given_bytes + self.reserved() > self.much();
        if self.waiting.is_empty() {
            return;
        }
        if let Some(&nearest) = self.nearest.first()
            && self.has_room()
        {
            self.release(nearest, actions);
        }
        let mut planned = self.total + self.given_bytes + self.reserved();
        while let Some(&next) = self.waiting.first() {
            let has_room = if self.messages.contains_key(&next.1) {
                planned += next.0;
                !self.pressed && planned <= self.much()
            } else {
                self.may_begin()
            };
            if !has_room {
                return;
            }
            self.release(next, actions);
        }
    }

    fn release(&mut self, waiting: (usize, ConnectionId), actions: &mut VecDeque<Action>) {
        if self.waiting.remove(&waiting) {
            if let Some(begun) = self.messages.get_mut(&waiting.1) {
                begun.moved = self.now.unwrap_or(begun.moved);
            }
            actions.push_back(Action::Read(waiting.1));
        }
    }
}

#[cfg(test)]
mod tests;
