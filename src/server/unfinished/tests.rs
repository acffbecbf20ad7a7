#![allow(clippy::disallowed_methods, reason = "a test needs some time")]

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
    // The next one, and none with which it could become too much again.
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
fn a_connection_that_does_not_go_on_while_others_wait_is_ended_and_no_other_one() {
    let mut crowd = Crowd::new();
    [(1, 5), (2, 4), (3, 1)].into_iter().for_each(|(id, megabytes)| crowd.has(id, megabytes, 6));
    assert_eq!(crowd.stalled_within(60_000), Vec::<u32>::new());
    assert!(!crowd.may_read(2));
    assert_eq!(crowd.stalled_within(1_900), Vec::<u32>::new());
    // A byte is not enough, and 3 does not go on although it may.
    crowd.notes(1, Partial { bytes: 5 * MEGABYTE + 1, missing: MEGABYTE - 1 });
    assert_eq!(crowd.stalled_within(400), [1, 3]);
    assert_eq!(crowd.read_again(), [2]);
    assert_eq!(crowd.stalled_within(60_000), Vec::<u32>::new());
}

#[test]
fn small_messages_may_go_beyond_the_limit_and_far_beyond_it_no_connection_begins_another_one() {
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
fn a_length_that_was_only_claimed_holds_up_no_connection_that_is_nearer_to_completion() {
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
            let mut sequence = crate::sequence::Sequence::default();
            sequence.count(crate::protocol::frame::Kind::Send);
            sequence.give()
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
