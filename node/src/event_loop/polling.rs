//! Going on to read for a moment before the loop waits; whether to is what [`BusyPoll`] says.
//!
//! [`BusyPoll`]: crate::busy_poll::BusyPoll

use std::ffi::c_void;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::{EventLoop, Instance, TargetSocket, environment};
use ipcio::driver::io::Progress;
use ipcio::driver::machine::ConnectionId;

/// While polling, every so many looks at one connection all others and the rest of the loop are looked at.
const LOOK_AT_OTHERS: u32 = 16;

/// Two looks so far apart had something in between: looking takes about a microsecond.
const GAP: Duration = Duration::from_micros(20);

/// How long polling may keep the loop from its next turn.
const LONGEST_POLL: Duration = Duration::from_micros(200);

/// What polling led to.
#[derive(Clone, Copy, Debug)]
enum Spin {
    /// Something came, and was dealt with.
    Hit,
    /// Something else of the loop is ready.
    Others,
    /// Another process had the CPU meanwhile.
    Displaced,
    Nothing,
}

impl EventLoop {
    /// The loop is about to wait: goes on reading for a moment, if that is likely to be worth it. In this place
    /// everything else that was due in this turn has been done. It stops as soon as anything of the loop is
    /// ready, and long before a timer is.
    pub(super) fn poll_busily(&self) {
        let start = Instant::now();
        let cap = self.cap.get();
        // What woke the loop up since was something else: a timer, or another socket.
        if let Some(since) = self.waiting.get() {
            self.busy_poll.borrow_mut().waits(start - since, cap);
        }
        loop {
            let now = Instant::now();
            let window = self.busy_poll.borrow().window(cap);
            if window.is_zero() || !self.is_worthwhile() {
                self.wait_from(now);
                return;
            }
            let until = match self.uv.backend_timeout() {
                // Something is due at once.
                0 => return,
                timeout @ 1.. => now + window.min(Duration::from_millis(timeout.unsigned_abs().into())),
                _ => now + window,
            };
            let longest = start + LONGEST_POLL;
            match self.spin(until.min(longest)) {
                Spin::Hit => {
                    self.waiting.set(None);
                    self.busy_poll.borrow_mut().hit();
                    continue;
                }
                Spin::Others => {}
                Spin::Displaced => self.busy_poll.borrow_mut().displaced(),
                Spin::Nothing if longest < until => {
                    // Others have their turn, but the loop does not wait before it comes back here.
                    self.turn_timer.start_timer(0, on_turn_timer);
                    return;
                }
                Spin::Nothing => self.busy_poll.borrow_mut().missed(),
            }
            self.wait_from(now);
            return;
        }
    }

    /// Nothing comes from `now` on, if it did until then.
    fn wait_from(&self, now: Instant) {
        self.waiting.set(self.waiting.get().or(Some(now)));
    }

    /// Looks until then whether something comes, and deals with it.
    fn spin(&self, until: Instant) -> Spin {
        let mut looks = 0_u32;
        let mut last = None;
        loop {
            let now = Instant::now();
            if last.is_some_and(|last| now - last >= GAP) && self.preemption.happened() {
                return Spin::Displaced;
            }
            if now >= until {
                return Spin::Nothing;
            }
            last = Some(now);
            // The connection that was read last is the likeliest: it is asked without asking the selector first.
            if self.read_hot(now) {
                return Spin::Hit;
            }
            looks += 1;
            if looks.is_multiple_of(LOOK_AT_OTHERS) {
                if self.serve_all(&self.select()) {
                    return Spin::Hit;
                }
                if self.uv.is_ready() {
                    return Spin::Others;
                }
            }
        }
    }

    /// Whether something small may come from one of few connections. What comes from many, or in bulk, keeps the loop
    /// awake by itself, and costs less the more of it is read at once.
    fn is_worthwhile(&self) -> bool {
        self.hot().is_some_and(|(instance, id)| !instance.is_in_bulk(id))
    }

    /// The connection that was read last.
    fn hot(&self) -> Option<(Rc<Instance>, ConnectionId)> {
        let target = self.hot.get().and_then(|token| self.targets.borrow().get(&token).copied())?;
        let TargetSocket::Connection(id) = target.socket else { return None };
        Some((environment::instance(target.instance)?, id))
    }

    /// Reads the connection that was read last. Whether there was something.
    fn read_hot(&self, now: Instant) -> bool {
        let Some((instance, id)) = self.hot() else { return false };
        match instance.readable(id, false, &mut self.buffer.borrow_mut(), now) {
            Progress::Nothing | Progress::Paused => return false,
            Progress::Drained => {}
            Progress::More => instance.watch_again(TargetSocket::Connection(id)),
        }
        instance.turn();
        true
    }
}

unsafe extern "C" fn on_turn_timer(_: *mut c_void) {}
