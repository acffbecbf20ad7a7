//! The deadlines of all sources of a loop, with one timer.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};
use std::time::Instant;

use super::source::Source;
use crate::libuv::{Handle, OnHandle};

/// Deadlines of sources, which have numbers, and the timer that is started for the first of them.
pub(super) struct Deadlines {
    sources: RefCell<BTreeMap<(Instant, u64), Weak<dyn Source>>>,
    timer: Handle,
    on_timer: OnHandle,
    /// What the timer is started for.
    armed: Cell<Option<Instant>>,
}

impl Deadlines {
    /// `on_timer` calls [`Deadlines::due`] and [`Deadlines::start_again`].
    pub(super) fn new(timer: Handle, on_timer: OnHandle) -> Deadlines {
        Deadlines { sources: RefCell::default(), timer, on_timer, armed: Cell::new(None) }
    }

    pub(super) fn timer(&self) -> &Handle {
        &self.timer
    }

    /// The deadline of a source has changed.
    pub(super) fn change(&self, number: u64, source: &Weak<dyn Source>, old: Option<Instant>, new: Option<Instant>) {
        {
            let mut sources = self.sources.borrow_mut();
            if let Some(old) = old {
                sources.remove(&(old, number));
            }
            if let Some(new) = new {
                sources.insert((new, number), Weak::clone(source));
            }
        }
        let first = self.first();
        if first != self.armed.get() {
            self.armed.set(first);
            match first {
                Some(at) => self.start_timer(at),
                None => self.timer.stop_timer(),
            }
        }
    }

    /// The timer has come.
    pub(super) fn came(&self) {
        self.armed.set(None);
    }

    /// The sources whose deadlines have passed.
    pub(super) fn due(&self, now: Instant) -> Vec<Rc<dyn Source>> {
        let sources = self.sources.borrow();
        let due = sources.iter().take_while(|((at, _), _)| *at <= now);
        due.filter_map(|(_, source)| source.upgrade()).collect()
    }

    /// Starts the timer again once those that were due are served: it may have come a little early, and a source may have
    /// kept its deadline.
    pub(super) fn start_again(&self) {
        let first = self.first();
        if self.armed.get().is_none()
            && let Some(at) = first
        {
            self.armed.set(first);
            self.start_timer(at);
        }
    }

    fn first(&self) -> Option<Instant> {
        self.sources.borrow().first_key_value().map(|(&(at, _), _)| at)
    }

    fn start_timer(&self, at: Instant) {
        let wait = at.saturating_duration_since(Instant::now());
        // Rounded up: a timer that fires early would only be started again.
        let milliseconds = u64::try_from(wait.as_micros().div_ceil(1000)).unwrap_or(u64::MAX);
        // libuv runs timers until none is due: with one that is due at once it would never come to anything else.
        self.timer.start_timer(milliseconds.max(1), self.on_timer);
    }
}
