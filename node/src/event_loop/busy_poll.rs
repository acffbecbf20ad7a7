//! Whether to go on reading for a moment before the event loop waits.
//!
//! Being woken up costs 20 to 30 µs on a virtual machine, often more than the answer takes to come. So after a
//! short wait the next one begins with reading for a little while. The rule adapts as the halt polling of Linux's
//! KVM does (Documentation/virt/kvm/halt-polling.rst), with differences that measurements asked for: the window does
//! not grow step by step, since doubling from nothing never starts, and it closes after two misses, or as soon as
//! another process was seen to take the CPU, since polling then takes it from the very process whose answer is
//! awaited. It is not asked at all where many connections were read at once, or in the midst of a large message.

use std::time::Duration;

/// The longest wait, in windows, that polling could have shortened.
const SHORT: u32 = 4;

/// The number of consecutive misses that close the window.
const MISSES: u32 = 2;

/// After a closing, at most 2 to this power waits pass before the next attempt, if another process needed the CPU.
const LONGEST_PAUSE: u32 = 10;

/// The same, if the misses were for nothing: two ends that begin to poll at different times would never meet otherwise.
const LONGEST_PAUSE_AFTER_MISSES: u32 = 5;

/// The number of consecutive hits after which earlier closings are forgotten.
const STEADY: u32 = 64;

/// How long to poll, learned from the waits before.
#[derive(Debug, Default)]
pub(crate) struct BusyPoll {
    open: bool,
    misses: u32,
    /// Hits since the last closing.
    hits: u32,
    /// Closings since it was steady.
    closings: u32,
    /// Waits to pass before the next attempt.
    pause: u32,
}

impl BusyPoll {
    /// How long to poll now, at most `cap`; zero for not at all.
    pub(crate) fn window(&self, cap: Duration) -> Duration {
        if self.open { cap } else { Duration::ZERO }
    }

    /// Polling found something.
    pub(crate) fn hit(&mut self) {
        self.misses = 0;
        self.hits += 1;
        if self.hits >= STEADY {
            self.hits = 0;
            self.closings = 0;
        }
    }

    /// Polling found nothing for the whole window.
    pub(crate) fn missed(&mut self) {
        self.misses += 1;
        if self.misses >= MISSES {
            self.close(LONGEST_PAUSE_AFTER_MISSES);
        }
    }

    /// While it polled, another process had the CPU.
    pub(crate) fn preempted(&mut self) {
        self.close(LONGEST_PAUSE);
    }

    /// Nothing has come for so long, whatever else woke the loop up meanwhile.
    pub(crate) fn waits(&mut self, wait: Duration, cap: Duration) {
        if is_long(wait, cap) {
            self.open = false;
        }
    }

    /// The loop waited so long, polling included, until something came.
    pub(crate) fn waited(&mut self, wait: Duration, cap: Duration) {
        if is_long(wait, cap) {
            self.open = false;
        } else if self.pause > 0 {
            self.pause -= 1;
        } else {
            self.open = true;
        }
    }

    fn close(&mut self, longest: u32) {
        self.open = false;
        self.misses = 0;
        self.hits = 0;
        self.pause = 1 << self.closings.min(longest);
        self.closings += 1;
    }
}

/// Whether polling would have been in vain.
fn is_long(wait: Duration, cap: Duration) -> bool {
    wait >= cap * SHORT
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAP: Duration = Duration::from_micros(50);
    const SHORT_WAIT: Duration = Duration::from_micros(120);
    const LONG_WAIT: Duration = Duration::from_micros(200);

    #[test]
    fn a_short_wait_opens_the_window_and_a_long_one_closes_it() {
        let mut rule = BusyPoll::default();
        assert_eq!(rule.window(CAP), Duration::ZERO);
        rule.waited(SHORT_WAIT, CAP);
        assert_eq!(rule.window(CAP), CAP);
        rule.waited(LONG_WAIT, CAP);
        assert_eq!(rule.window(CAP), Duration::ZERO);
    }

    #[test]
    fn a_long_wait_closes_it_before_it_is_over_and_a_short_one_changes_nothing() {
        let mut rule = BusyPoll::default();
        rule.waits(SHORT_WAIT, CAP);
        assert_eq!(rule.window(CAP), Duration::ZERO);
        rule.waited(SHORT_WAIT, CAP);
        rule.waits(SHORT_WAIT, CAP);
        assert_eq!(rule.window(CAP), CAP);
        rule.waits(LONG_WAIT, CAP);
        assert_eq!(rule.window(CAP), Duration::ZERO);
    }

    #[test]
    fn hits_keep_it_open_for_ever() {
        let mut rule = BusyPoll::default();
        rule.waited(SHORT_WAIT, CAP);
        for _ in 0..1_000 {
            rule.missed();
            rule.hit();
            assert_eq!(rule.window(CAP), CAP);
        }
    }

    #[test]
    fn two_misses_close_it_for_longer_each_time() {
        let mut rule = BusyPoll::default();
        for round in 0..20 {
            rule.waited(SHORT_WAIT, CAP);
            assert_eq!(rule.window(CAP), CAP);
            rule.missed();
            assert_eq!(rule.window(CAP), CAP);
            rule.missed();
            for _ in 0..1 << round.min(LONGEST_PAUSE_AFTER_MISSES) {
                assert_eq!(rule.window(CAP), Duration::ZERO);
                rule.waited(SHORT_WAIT, CAP);
            }
        }
    }

    #[test]
    fn a_process_that_needs_the_cpu_closes_it_at_once_and_single_hits_do_not_shorten_the_pause() {
        let mut rule = BusyPoll::default();
        for round in 0..20 {
            rule.waited(SHORT_WAIT, CAP);
            rule.hit();
            rule.preempted();
            for _ in 0..1 << round.min(LONGEST_PAUSE) {
                assert_eq!(rule.window(CAP), Duration::ZERO);
                rule.waited(SHORT_WAIT, CAP);
            }
        }
    }

    #[test]
    fn many_hits_in_a_row_make_the_next_pause_short_again() {
        let mut rule = BusyPoll::default();
        for _ in 0..2 {
            rule.waited(SHORT_WAIT, CAP);
            (0..STEADY).for_each(|_| rule.hit());
            rule.preempted();
            rule.waited(SHORT_WAIT, CAP);
            assert_eq!(rule.window(CAP), Duration::ZERO);
            rule.waited(SHORT_WAIT, CAP);
            assert_eq!(rule.window(CAP), CAP);
            rule.preempted();
            (0..2).for_each(|_| rule.waited(SHORT_WAIT, CAP));
        }
    }

    #[test]
    fn without_a_cap_it_never_polls() {
        let mut rule = BusyPoll::default();
        rule.waited(Duration::ZERO, Duration::ZERO);
        assert_eq!(rule.window(Duration::ZERO), Duration::ZERO);
    }
}
