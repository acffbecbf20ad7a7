//! When the time of deliveries is over, the same for a client that asks and for a server.

use std::collections::BTreeSet;
use std::time::Instant;

use rustc_hash::FxHashMap;

/// The capacity that is kept when there are no limits.
const KEPT: usize = 1024;

/// The most deliveries that time out before other work continues.
pub(crate) const EXPIRED_AT_ONCE: usize = 256;

/// The deliveries whose time is limited.
#[derive(Debug, Default)]
pub(crate) struct TimeLimits {
    ends: FxHashMap<u64, Instant>,
    order: BTreeSet<(Instant, u64)>,
}

impl TimeLimits {
    /// The time of this delivery is over then.
    pub(crate) fn add(&mut self, request: u64, end: Instant) {
        self.remove(request);
        self.ends.insert(request, end);
        self.order.insert((end, request));
    }

    /// The delivery is over, whether it had a limit or not.
    pub(crate) fn remove(&mut self, request: u64) {
        if self.ends.is_empty() {
            return;
        }
        if let Some(end) = self.ends.remove(&request) {
            self.order.remove(&(end, request));
        }
        if self.ends.is_empty() && self.ends.capacity() > KEPT {
            self.ends = FxHashMap::default();
        }
    }

    /// When the first one is over.
    pub(crate) fn first(&self) -> Option<Instant> {
        self.order.first().map(|&(end, _)| end)
    }

    /// The first one that is over by now.
    pub(crate) fn due(&self, now: Instant) -> Option<u64> {
        self.order.first().filter(|&&(end, _)| end <= now).map(|&(_, request)| request)
    }

    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }
}
