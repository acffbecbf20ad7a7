//! What has begun to arrive and is not complete, of all connections. Where it is much, only the connection nearest to
//! completion is read, and what the others write waits in their sockets. Large messages that the application has been given
//! and has not looked at count too: it gets no more of them than it can deal with.

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use crate::link::Receipt;
use crate::machine::{Action, ConnectionId, SessionId};
use crate::protocol::Partial;

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

    /// A connection was read: so many bytes through a buffer, and this is what it has begun now.
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
            // Whoever sends a byte now and then does not go on. Where less was kept than was read, one has been completed.
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

    /// A handler was called for the message of that receipt, and for all before it; without one, nobody waits for any more.
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

    /// When [`Unfinished::stalled`] has to be asked, where that was not known before.
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
#[allow(clippy::disallowed_methods, reason = "a test needs some time")]
mod tests {
    use super::*;

    const MEGABYTE: usize = 1024 * 1024;

    /// Connections with messages of some megabytes each under a limit of twenty, and which of them may read.
    struct Crowd {
        unfinished: Unfinished,
        actions: VecDeque<Action>,
        now: Instant,
    }

    impl Crowd {
        fn new() -> Crowd {
            Crowd { unfinished: Unfinished::new(20 * MEGABYTE), actions: VecDeque::new(), now: Instant::now() }
        }

        /// So many megabytes have arrived of a message of that size.
        fn has(&mut self, connection: u32, megabytes: usize, of: usize) {
            let part = Partial { bytes: megabytes * MEGABYTE, missing: (of - megabytes) * MEGABYTE };
            self.notes(connection, part);
        }

        fn notes(&mut self, connection: u32, part: Partial) {
            self.unfinished.note(ConnectionId(connection), (0, part), self.now, &mut self.actions);
        }

        fn ends(&mut self, connection: u32) {
            self.unfinished.forget(ConnectionId(connection), &mut self.actions);
        }

        fn may_read(&mut self, connection: u32) -> bool {
            self.unfinished.may_read(ConnectionId(connection))
        }

        fn read_again(&mut self) -> Vec<u32> {
            let read = |action| match action {
                Action::Read(ConnectionId(id)) => id,
                other => panic!("{other:?}"),
            };
            self.actions.drain(..).map(read).collect()
        }

        /// Who is to be ended after so many milliseconds, as the timer has it.
        fn stalled_within(&mut self, milliseconds: u64) -> Vec<u32> {
            let (start, mut found) = (self.now, Vec::new());
            let mut alarm = self.unfinished.alarm(self.now).or(self.unfinished.look);
            while let Some(at) = alarm.filter(|&at| at <= start + Duration::from_millis(milliseconds)) {
                self.now = at;
                let (stalled, next) = self.unfinished.stalled(at);
                stalled.iter().for_each(|connection| self.ends(connection.0));
                found.extend(stalled.iter().map(|connection| connection.0));
                alarm = next;
            }
            self.now = start + Duration::from_millis(milliseconds);
            found.sort_unstable();
            found
        }
    }

    #[test]
    fn as_long_as_there_is_room_everybody_is_read() {
        let mut crowd = Crowd::new();
        (1..=3).for_each(|id| crowd.has(id, 2, 5));
        assert!((1..=4).all(|id| crowd.may_read(id)));
        assert_eq!(crowd.unfinished.alarm(crowd.now), None);
        (1..=3).for_each(|id| crowd.ends(id));
        assert!(crowd.unfinished.total == 0 && crowd.unfinished.nearest.is_empty() && crowd.actions.is_empty());
    }

    #[test]
    fn where_the_nearest_would_not_fit_the_others_wait_until_it_is_complete() {
        let mut crowd = Crowd::new();
        [(1, 3, 6), (2, 4, 6), (3, 1, 6), (4, 1, 9)].into_iter().for_each(|(id, has, of)| crowd.has(id, has, of));
        // Nine have arrived, and the nearest needs two.
        assert_eq!((1..=5).filter(|&id| crowd.may_read(id)).collect::<Vec<_>>(), [2, 5]);
        // A small message does not wait.
        crowd.notes(5, Partial { bytes: 100, missing: 1_000 });
        assert!(crowd.may_read(5));
        assert_eq!(crowd.read_again(), Vec::<u32>::new());
        crowd.notes(2, Partial::default());
        // The next one, and nobody with whom it could become too much again.
        assert_eq!(crowd.read_again(), [1]);
        crowd.notes(5, Partial::default());
        crowd.notes(1, Partial { bytes: 5 * MEGABYTE, missing: MEGABYTE });
        assert_eq!(crowd.read_again(), Vec::<u32>::new());
        crowd.notes(1, Partial::default());
        assert_eq!(crowd.read_again(), [3]);
        crowd.notes(3, Partial::default());
        assert_eq!(crowd.read_again(), [4]);
        assert!(crowd.unfinished.waiting.is_empty());
    }

    #[test]
    fn a_connection_that_ends_makes_room_whether_it_was_read_or_waited() {
        let mut crowd = Crowd::new();
        [(1, 3), (2, 4), (3, 3)].into_iter().for_each(|(id, megabytes)| crowd.has(id, megabytes, 6));
        assert!(crowd.may_read(2) && !crowd.may_read(1) && !crowd.may_read(3));
        crowd.ends(1);
        assert_eq!((crowd.read_again(), crowd.may_read(3)), (vec![], true));
        crowd.ends(2);
        assert_eq!(crowd.read_again(), [3]);
        crowd.ends(3);
        assert!(crowd.unfinished.total == 0 && crowd.unfinished.messages.is_empty());
    }

    #[test]
    fn whoever_does_not_go_on_while_others_wait_is_ended_and_nobody_else() {
        let mut crowd = Crowd::new();
        [(1, 5), (2, 4), (3, 1)].into_iter().for_each(|(id, megabytes)| crowd.has(id, megabytes, 6));
        assert_eq!(crowd.stalled_within(60_000), Vec::<u32>::new());
        assert!(!crowd.may_read(2));
        assert_eq!(crowd.stalled_within(1_900), Vec::<u32>::new());
        // A byte is not enough, and 3, which nobody keeps from going on, does not.
        crowd.notes(1, Partial { bytes: 5 * MEGABYTE + 1, missing: MEGABYTE - 1 });
        assert_eq!(crowd.stalled_within(400), [1, 3]);
        assert_eq!(crowd.read_again(), [2]);
        assert_eq!(crowd.stalled_within(60_000), Vec::<u32>::new());
    }

    #[test]
    fn small_messages_may_go_beyond_the_limit_and_far_beyond_it_nobody_begins_another_one() {
        let mut crowd = Crowd::new();
        let part = Partial { bytes: 60_000, missing: 1 };
        let count = u32::try_from(20 * MEGABYTE / part.bytes).unwrap();
        (0..=count).for_each(|id| crowd.notes(id, part));
        assert!(crowd.may_read(0) && !crowd.may_read(count + 1) && !crowd.may_read(count + 2));
        assert_eq!(crowd.stalled_within(2_000).len(), count as usize + 1);
        assert_eq!(crowd.read_again(), [count + 1, count + 2]);
        assert_eq!(crowd.unfinished.total, 0);
    }

    #[test]
    fn a_length_that_was_only_claimed_holds_up_nobody_who_is_nearer_to_completion() {
        let mut crowd = Crowd::new();
        (0..50).for_each(|id| crowd.notes(id, Partial { bytes: 100, missing: 1 << 32 }));
        crowd.has(50, 1, 2);
        assert!(crowd.may_read(50) && crowd.may_read(51));
    }

    #[test]
    fn an_application_that_is_busy_is_given_no_more_large_messages_than_half_of_the_limit() {
        let mut crowd = Crowd::new();
        let session = SessionId(1);
        let receipts: Vec<Receipt> = (1..=3)
            .map(|_| {
                let mut link = crate::link::Link::default();
                link.count(crate::protocol::frame::Kind::Send);
                link.give()
            })
            .collect();
        crowd.has(1, 5, 6);
        crowd.notes(2, Partial { bytes: 10, missing: 10 });
        for &receipt in &receipts {
            assert!(crowd.may_read(1) && crowd.may_read(2) && crowd.may_read(3));
            crowd.unfinished.give(session, receipt, 4 * MEGABYTE);
        }
        crowd.has(1, 5, 6);
        assert!(!crowd.may_read(1) && crowd.may_read(2) && crowd.may_read(3));
        crowd.unfinished.handled(session, receipts.last().copied(), &mut crowd.actions);
        assert_eq!((crowd.read_again(), crowd.unfinished.given_bytes), (vec![1], 0));
        crowd.unfinished.give(session, receipts[0], 12 * MEGABYTE);
        crowd.unfinished.handled(session, None, &mut crowd.actions);
        assert_eq!((crowd.unfinished.given_bytes, crowd.unfinished.given.len()), (0, 0));
    }
}
