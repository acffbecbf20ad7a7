//! Runs a state machine and its sockets on tokio.

use std::cell::RefCell;
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use tokio::runtime::Handle;
use tokio::sync::Notify;

use super::files::FilesChanged;
use super::registry::{Ready, TokioRegistry};
use crate::io::{Io, Progress, READ_BUFFER};
use crate::machine::{ConnectionId, Events, ListenerId, Machine};

/// An alarm within this time is left to pass where it has become needless.
const SOON: Duration = Duration::from_secs(1);

/// A clock that looks so much too late may have been stopped, and its sockets not been read for as long.
const LATE: Duration = Duration::from_millis(5);

thread_local! {
    // One for all connections of a thread: ten thousand idle ones need none.
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BUFFER].into());
}

/// A state machine on tokio, shared by whoever has a clone. What its sockets and its clock make it do is done
/// on the runtime; calls may come from any thread. When the last clone is dropped, its sockets are closed and
/// its tasks end.
pub struct Driver<M: Machine> {
    shared: Arc<Shared<M>>,
}

/// A [`Driver`] that ends when nobody else has it.
pub struct WeakDriver<M: Machine> {
    shared: Weak<Shared<M>>,
}

struct Shared<M: Machine> {
    state: Mutex<State<M>>,
    clock: Arc<Notify>,
}

struct State<M: Machine> {
    io: Io<M, TokioRegistry>,
    events: Box<dyn Events + Send>,
    /// When the clock looks next.
    alarm: Option<Instant>,
}

impl<M: Machine + Send + 'static> Driver<M> {
    /// A machine without sockets. `mode` is that of the sockets' files. `events` is called while the machine is
    /// locked: it may take notes, and must neither block nor call the driver.
    ///
    /// The runtime needs I/O and time enabled.
    pub fn new(machine: M, mode: u32, runtime: Handle, events: Box<dyn Events + Send>) -> Driver<M> {
        let clock = Arc::new(Notify::new());
        let shared = Arc::new_cyclic(|shared: &Weak<Shared<M>>| {
            let registry = TokioRegistry::new(runtime.clone(), shared.clone());
            let state = State { io: Io::new(machine, registry, mode), events, alarm: None };
            Shared { state: Mutex::new(state), clock: clock.clone() }
        });
        runtime.spawn(keep_time(Arc::downgrade(&shared), clock));
        Driver { shared }
    }

    /// Calls `f` with the machine. What that gives it to do is done by the next [`Driver::flush`].
    pub fn with<T>(&self, f: impl FnOnce(&mut Io<M, TokioRegistry>, Instant, &mut dyn Events) -> T) -> T {
        let mut state = self.shared.lock();
        let State { io, events, .. } = &mut *state;
        f(io, Instant::now(), events.as_mut())
    }

    /// Carries out all that is to be done, and writes all that can be written.
    pub fn flush(&self) {
        self.step(|_, _, _| ());
    }

    /// [`Driver::with`] and [`Driver::flush`] in one.
    pub fn step<T>(&self, f: impl FnOnce(&mut Io<M, TokioRegistry>, Instant, &mut dyn Events) -> T) -> T {
        self.shared.step(f)
    }
}

impl<M: Machine> Driver<M> {
    /// A reference that does not keep it.
    pub fn downgrade(&self) -> WeakDriver<M> {
        WeakDriver { shared: Arc::downgrade(&self.shared) }
    }
}

impl<M: Machine> WeakDriver<M> {
    /// The driver, if somebody keeps it.
    pub fn upgrade(&self) -> Option<Driver<M>> {
        self.shared.upgrade().map(|shared| Driver { shared })
    }
}

impl<M: Machine> Clone for WeakDriver<M> {
    fn clone(&self) -> WeakDriver<M> {
        WeakDriver { shared: self.shared.clone() }
    }
}

impl<M: Machine> fmt::Debug for WeakDriver<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakDriver").finish_non_exhaustive()
    }
}

impl<M: Machine> Clone for Driver<M> {
    fn clone(&self) -> Driver<M> {
        Driver { shared: self.shared.clone() }
    }
}

impl<M: Machine> fmt::Debug for Driver<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").finish_non_exhaustive()
    }
}

impl<M: Machine> Shared<M> {
    /// The lock is fair in the long run: a runtime that always finds something to read would otherwise keep calls of other
    /// threads out for seconds. A panic leaves a machine that goes on at worst with one peer too few, and no lock.
    fn lock(&self) -> MutexGuard<'_, State<M>> {
        self.state.lock()
    }

    fn step<T>(&self, f: impl FnOnce(&mut Io<M, TokioRegistry>, Instant, &mut dyn Events) -> T) -> T {
        let mut state = self.lock();
        let result = state.step(f);
        let deadline = state.io.deadline();
        let is_sooner = deadline.is_some_and(|deadline| state.alarm.is_none_or(|alarm| deadline < alarm));
        // To move one that passes soon would cost more than it does, but a process that is idle by then stays so.
        let is_stale = || state.alarm.is_some_and(|alarm| alarm > Instant::now() + SOON);
        if is_sooner || (deadline != state.alarm && is_stale()) {
            state.alarm = deadline;
            self.clock.notify_one();
        }
        result
    }

    /// Does what is due, and says when the clock has to look again.
    fn look_at_the_clock(&self) -> Option<Instant> {
        let mut state = self.lock();
        state.step(|io, now, events| {
            let Some(deadline) = io.deadline().filter(|&deadline| deadline <= now) else { return };
            BUFFER.with_borrow_mut(|buffer| io.catch_up(now - deadline >= LATE, buffer, now, events));
            io.elapsed(now, events);
        });
        state.alarm = state.io.deadline();
        state.alarm
    }
}

impl<M: Machine> State<M> {
    fn step<T>(&mut self, f: impl FnOnce(&mut Io<M, TokioRegistry>, Instant, &mut dyn Events) -> T) -> T {
        let now = Instant::now();
        let result = f(&mut self.io, now, self.events.as_mut());
        self.io.flush(now, self.events.as_mut());
        result
    }
}

impl<M: Machine> Drop for Shared<M> {
    fn drop(&mut self) {
        self.clock.notify_one();
    }
}

impl<M: Machine + Send + 'static> Ready for Shared<M> {
    fn readable(&self, id: ConnectionId, ended: bool) -> Progress {
        BUFFER.with_borrow_mut(|buffer| self.step(|io, now, events| io.readable(id, ended, buffer, now, events)))
    }

    fn writable(&self, id: ConnectionId) {
        self.step(|io, now, events| io.writable(id, now, events));
    }

    fn acceptable(&self, id: ListenerId) -> std::io::Result<Progress> {
        self.step(|io, now, events| io.acceptable(id, now, events))
    }
}

impl<M: Machine + Send + 'static> FilesChanged for Shared<M> {
    fn files_changed(&self) {
        self.step(|io, now, _| io.files_changed(now));
    }
}

/// Tells the machine when its deadlines have passed.
async fn keep_time<M: Machine>(shared: Weak<Shared<M>>, clock: Arc<Notify>) {
    let mut alarm: Option<Instant> = None;
    loop {
        match alarm {
            Some(at) => tokio::select! {
                () = tokio::time::sleep_until(at.into()) => {}
                () = clock.notified() => {}
            },
            None => clock.notified().await,
        }
        // What is ready as well comes first, also where more is due at once.
        tokio::task::yield_now().await;
        let Some(shared) = shared.upgrade() else { return };
        alarm = shared.look_at_the_clock();
    }
}
