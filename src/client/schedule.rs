//! When a client writes, and when it acknowledges what it has received.
//!
//! It writes once in a turn, everything that was queued until then. Its acknowledgements are not urgent: they only let
//! the server forget frames, so they are gathered, and written with the next messages or after a while.

use std::time::{Duration, Instant};

/// The number of frames from the server after which an acknowledgement is written.
const ACKNOWLEDGE_EVERY: u64 = 64;

/// The number of frames from which on the next write acknowledges them.
const ACKNOWLEDGE_WITH: u64 = ACKNOWLEDGE_EVERY / 4;

/// Fewer are acknowledged after this time.
const ACKNOWLEDGE_AFTER: Duration = Duration::from_millis(50);

/// What is to be written in this turn.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    is_due: bool,
    /// Whether the second connection has not been asked yet for what is due.
    second_is_due: bool,
    acknowledge_at: Option<Instant>,
}

/// One of a client's connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Connection {
    First,
    Second,
}

impl Schedule {
    /// Something is to be written.
    pub(super) fn write(&mut self) {
        self.is_due = true;
    }

    /// Notes how many frames can be acknowledged.
    pub(super) fn acknowledge(&mut self, count: u64, now: Instant) {
        if count >= ACKNOWLEDGE_EVERY {
            self.is_due = true;
        } else if count > 0 && self.acknowledge_at.is_none() {
            self.acknowledge_at = Some(now + ACKNOWLEDGE_AFTER);
        }
    }

    /// Whether `count` frames are acknowledged with what is written now.
    pub(super) fn acknowledges(&mut self, count: u64) -> bool {
        let does = count >= ACKNOWLEDGE_WITH || self.acknowledge_at.is_none();
        if does {
            self.acknowledge_at = None;
        }
        does
    }

    /// The next connection to write to.
    pub(super) fn next(&mut self) -> Option<Connection> {
        if std::mem::take(&mut self.is_due) {
            self.second_is_due = true;
            return Some(Connection::First);
        }
        std::mem::take(&mut self.second_is_due).then_some(Connection::Second)
    }

    /// When [`Schedule::elapsed`] is to be called.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.acknowledge_at
    }

    /// Whether the time to acknowledge frames has come.
    pub(super) fn elapsed(&mut self, now: Instant) -> bool {
        self.acknowledge_at.take_if(|at| *at <= now).is_some()
    }

    /// The connection is gone.
    pub(super) fn clear(&mut self) {
        *self = Schedule::default();
    }
}
