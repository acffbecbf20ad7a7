//! Going on to read for a moment before the loop waits; whether to is what [`BusyPoll`] says.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::{Duration, Instant};

use super::busy_poll::BusyPoll;
use super::preemption::Preemption;
use super::selector::Selector;
use crate::libuv::Loop;

/// While polling one connection, the number of polls after which the others and the rest of the loop get a turn.
const LOOK_AT_OTHERS: u32 = 16;

/// Two looks so far apart had something in between: looking takes about a microsecond.
const GAP: Duration = Duration::from_micros(20);

/// How long polling may keep the loop from its next iteration.
const LONGEST_POLL: Duration = Duration::from_micros(200);

/// How long a loop polls, and what it has learned of that.
#[derive(Debug, Default)]
pub(super) struct Polling {
    rule: RefCell<BusyPoll>,
    preemption: Preemption,
    /// How long connections allow to poll: how many allow how much.
    allowances: RefCell<BTreeMap<Duration, usize>>,
    /// The longest of them.
    longest: Cell<Duration>,
    /// Since when the loop has waited for something to come, whatever else it was woken up for.
    waiting: Cell<Option<Instant>>,
}

/// What polling led to.
#[derive(Clone, Copy, Debug)]
enum Spin {
    /// Something came, and was dealt with.
    Hit,
    /// Something else of the loop is ready.
    Others,
    /// Another process had the CPU meanwhile.
    Preempted,
    Nothing,
}

impl Polling {
    /// One more connection allows to poll for so long.
    pub(super) fn allow(&self, allowance: Duration) {
        *self.allowances.borrow_mut().entry(allowance).or_default() += 1;
        self.find_longest();
    }

    /// A connection that allowed to poll for so long has ended.
    pub(super) fn disallow(&self, allowance: Duration) {
        if let Entry::Occupied(mut connections) = self.allowances.borrow_mut().entry(allowance) {
            *connections.get_mut() -= 1;
            if *connections.get() == 0 {
                connections.remove();
            }
        }
        self.find_longest();
    }

    /// Whether any connection allows to poll.
    pub(super) fn is_allowed(&self) -> bool {
        !self.longest.get().is_zero()
    }

    /// The loop has waited, and something has come.
    pub(super) fn woken(&self) {
        if let Some(since) = self.waiting.take() {
            self.rule.borrow_mut().waited(since.elapsed(), self.longest.get());
        }
    }

    /// Something has come before the loop waited for it.
    pub(super) fn not_waited(&self) {
        self.waiting.set(None);
    }

    /// The loop is about to wait: goes on reading for a moment, if that is likely to be worth it. In this place
    /// everything else that was due in this iteration has been done. It stops as soon as anything of the loop is
    /// ready, and long before a timer is. Whether it wants to go on after another iteration, for which the loop must
    /// not wait.
    pub(super) fn poll(&self, selector: &Selector, uv: Loop) -> bool {
        let start = Instant::now();
        let longest_window = self.longest.get();
        // What woke the loop up since was something else: a timer, or another socket.
        if let Some(since) = self.waiting.get() {
            self.rule.borrow_mut().waits(start - since, longest_window);
        }
        loop {
            let now = Instant::now();
            let window = self.rule.borrow().window(longest_window);
            if window.is_zero() || !selector.expects_little() {
                self.wait_from(now);
                return false;
            }
            let until = match uv.backend_timeout() {
                // Something is due at once.
                0 => return false,
                timeout @ 1.. => now + window.min(Duration::from_millis(timeout.unsigned_abs().into())),
                _ => now + window,
            };
            let longest = start + LONGEST_POLL;
            match self.spin(selector, uv, until.min(longest)) {
                Spin::Hit => {
                    self.waiting.set(None);
                    self.rule.borrow_mut().hit();
                    continue;
                }
                Spin::Others => {}
                Spin::Preempted => self.rule.borrow_mut().preempted(),
                // Others are served, but the loop does not wait before it comes back here.
                Spin::Nothing if longest < until => return true,
                Spin::Nothing => self.rule.borrow_mut().missed(),
            }
            self.wait_from(now);
            return false;
        }
    }

    /// Nothing comes from `now` on, if it did until then.
    fn wait_from(&self, now: Instant) {
        self.waiting.set(self.waiting.get().or(Some(now)));
    }

    /// Looks until then whether something comes, and deals with it.
    fn spin(&self, selector: &Selector, uv: Loop, until: Instant) -> Spin {
        let mut looks = 0_u32;
        let mut last = None;
        loop {
            let now = Instant::now();
            if last.is_some_and(|last| now - last >= GAP) && self.preemption.happened() {
                return Spin::Preempted;
            }
            if now >= until {
                return Spin::Nothing;
            }
            last = Some(now);
            // The connection that was read last is the likeliest: it is asked without asking the selector first.
            if selector.serve_hot(now) {
                return Spin::Hit;
            }
            looks += 1;
            if looks.is_multiple_of(LOOK_AT_OTHERS) {
                if selector.serve_ready() {
                    return Spin::Hit;
                }
                if uv.is_ready() {
                    return Spin::Others;
                }
            }
        }
    }

    fn find_longest(&self) {
        self.longest.set(self.allowances.borrow().last_key_value().map(|(&longest, _)| longest).unwrap_or_default());
    }
}
