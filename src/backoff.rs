//! How long a client waits before it tries again.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_secs(1);

/// Waits that double from 10 ms to 1 s, each shortened by up to half at random, so that a thousand clients of a
/// server that comes back do not come all at once.
#[derive(Debug)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    attempt: u32,
    random: u64,
}

impl Backoff {
    /// With the numbers that follow from `seed`.
    pub(crate) fn new(seed: u64) -> Backoff {
        Backoff { first: FIRST, longest: LONGEST, attempt: 0, random: seed | 1 }
    }

    /// Waits of half of this to all of it.
    #[cfg(test)]
    pub(crate) fn constant(wait: Duration) -> Backoff {
        Backoff { first: wait, longest: wait, ..Backoff::new(1) }
    }

    /// The next wait.
    pub(crate) fn next_wait(&mut self) -> Duration {
        let full = self.first.saturating_mul(1 << self.attempt.min(10)).min(self.longest);
        self.attempt += 1;
        // xorshift64: how the waits spread matters little, that they do is enough.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let share = (self.random % 1024) as u32;
        full - full * share / 2048
    }

    /// The connection was made: the next wait is the shortest again.
    pub(crate) fn reset(&mut self) {
        self.attempt = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_from_10_ms_to_1_s_and_start_over_after_a_success() {
        let mut backoff = Backoff::new(7);
        for attempt in 0..40 {
            let full = Duration::from_millis(10 << attempt.min(7)).min(LONGEST);
            let wait = backoff.next_wait();
            assert!(wait <= full && wait >= full / 2, "{attempt}: {wait:?}");
        }
        backoff.reset();
        assert!(backoff.next_wait() <= FIRST);
    }

    #[test]
    fn two_clients_wait_differently() {
        let (mut one, mut other) = (Backoff::new(1), Backoff::new(99));
        assert!((0..20).any(|_| one.next_wait() != other.next_wait()));
    }
}
