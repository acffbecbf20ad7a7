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

/// A needless alarm that is due within this time is not moved.
const SOON: Duration = Duration::from_secs(1);

/// If a deadline is noticed so late, the process may have been stopped, and its sockets may not have been read for as long.
const LATE: Duration = Duration::from_millis(5);

thread_local! {
    // One buffer for all connections of a thread, so that idle connections need no memory for it.
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BUFFER].into());
}

/// A state machine on tokio. Its clones are handles to the same machine.
///
/// Sockets and deadlines are handled by tasks on the runtime. Calls may come from any thread. When the last clone is
/// dropped, the sockets are closed and the tasks end.
pub struct Driver<M: Machine> {
    shared: Arc<Shared<M>>,
}

/// A reference to a [`Driver`] that does not keep it alive.
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
    /// When the clock task wakes up next.
    alarm: Option<Instant>,
}

impl<M: Machine + Send + 'static> Driver<M> {
    /// Runs a machine without sockets. `mode` is the mode of the sockets' files. The runtime must have I/O and time enabled.
    ///
    /// `events` is called while the machine is locked. It must not block, and must not call the driver.
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

    /// Calls `f` with the machine, the time and the recorder of events. The actions that result are carried out by the next
    /// [`Driver::flush`].
    pub fn with<T>(&self, f: impl FnOnce(&mut Io<M, TokioRegistry>, Instant, &mut dyn Events) -> T) -> T {
        let mut state = self.shared.lock();
        let State { io, events, .. } = &mut *state;
        f(io, Instant::now(), events.as_mut())
    }

    /// Carries out all actions, and writes all bytes that the sockets take.
    pub fn flush(&self) {
        self.step(|_, _, _| ());
    }

    /// [`Driver::with`], then [`Driver::flush`].
    pub fn step<T>(&self, f: impl FnOnce(&mut Io<M, TokioRegistry>, Instant, &mut dyn Events) -> T) -> T {
        self.shared.step(f)
    }
}

impl<M: Machine> Driver<M> {
    /// A reference that does not keep the driver alive.
    pub fn downgrade(&self) -> WeakDriver<M> {
        WeakDriver { shared: Arc::downgrade(&self.shared) }
    }
}

impl<M: Machine> WeakDriver<M> {
    /// The driver, unless its last clone was dropped.
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
    /// This lock is eventually fair. Otherwise a runtime that always finds something to read would block calls of other
    /// threads for seconds. It is not poisoned by a panic: in the worst case, the machine loses one peer.
    fn lock(&self) -> MutexGuard<'_, State<M>> {
        self.state.lock()
    }

    fn step<T>(&self, f: impl FnOnce(&mut Io<M, TokioRegistry>, Instant, &mut dyn Events) -> T) -> T {
        let mut state = self.lock();
        let result = state.step(f);
        let deadline = state.io.deadline();
        let is_sooner = deadline.is_some_and(|deadline| state.alarm.is_none_or(|alarm| deadline < alarm));
        // Moving an alarm that is due soon costs more than a needless wake-up. Later ones are moved, so that an idle process
        // stays idle.
        let is_stale = || state.alarm.is_some_and(|alarm| alarm > Instant::now() + SOON);
        if is_sooner || (deadline != state.alarm && is_stale()) {
            state.alarm = deadline;
            self.clock.notify_one();
        }
        result
    }

    /// Handles what is due, and returns when to wake up next.
    fn handle_deadline(&self) -> Option<Instant> {
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

/// The clock task: tells the machine when its deadlines have passed.
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
        // Sockets that are ready come before deadlines, even if several deadlines pass at once.
        tokio::task::yield_now().await;
        let Some(shared) = shared.upgrade() else { return };
        alarm = shared.handle_deadline();
    }
}
