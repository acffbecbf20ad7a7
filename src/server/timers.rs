//! What a server must do at a certain time.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::machine::{ConnectionId, SessionId};

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// A connection has not said who it is, or who it is could not be decided.
    Handshake(ConnectionId),
    /// A client that lost its connection has not come back soon: it is not there to answer.
    Absent(SessionId),
    /// It has not come back at all.
    Expired(SessionId),
    /// Clients of the server before have had time to come back.
    Started,
    /// Some are not read since others hold much: who of these does not go on?
    Unfinished,
    /// Clients for which too much waits could read meanwhile: have they?
    Overflowing,
    /// Closing has taken long enough.
    Close,
}

/// The timers, by time.
#[derive(Debug, Default)]
pub(super) struct Timers {
    due: BTreeSet<(Instant, Timer)>,
}

impl Timers {
    pub(super) fn set(&mut self, at: Instant, timer: Timer) {
        self.due.insert((at, timer));
    }

    pub(super) fn clear(&mut self, at: Instant, timer: Timer) {
        self.due.remove(&(at, timer));
    }

    pub(super) fn is_set(&self, at: Instant, timer: Timer) -> bool {
        self.due.contains(&(at, timer))
    }

    pub(super) fn len(&self) -> usize {
        self.due.len()
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.due.first().map(|&(at, _)| at)
    }

    /// Takes out the first timer that is due.
    pub(super) fn take(&mut self, now: Instant) -> Option<Timer> {
        let &(at, timer) = self.due.first()?;
        if at > now {
            return None;
        }
        self.due.remove(&(at, timer));
        Some(timer)
    }
}
