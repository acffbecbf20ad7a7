//! A state machine whose sockets the JavaScript thread reads, on Node's event loop.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

use crate::batch::Batch;
use crate::batches::Batches;
use crate::dispatch::Dispatch;
use crate::event_loop::{EventLoop, Registration, Source};
use crate::loop_registry::LoopRegistry;
use ipcio::driver::io::{Io, Progress};
use ipcio::driver::machine::{ConnectionId, Events, ListenerId, Machine};

/// How long nothing is accepted after the process ran out of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A machine with its sockets, and its events.
pub(crate) struct LoopEndpoint<M: Machine> {
    io: RefCell<Io<M, LoopRegistry>>,
    batches: RefCell<Batches>,
    registration: Rc<Registration>,
    /// When and on which listener accepting is tried again.
    accept_again: Cell<Option<(Instant, ListenerId)>>,
    instance: Weak<dyn Dispatch>,
}

impl<M: Machine + 'static> LoopEndpoint<M> {
    /// `instance` hands its events over. It allows to poll for as long as `busy_poll`. `mode` is that of the sockets' files.
    pub(crate) fn new(
        machine: M,
        mode: u32,
        event_loop: Rc<EventLoop>,
        busy_poll: Duration,
        instance: Weak<dyn Dispatch>,
    ) -> Rc<LoopEndpoint<M>> {
        Rc::new_cyclic(|endpoint: &Weak<LoopEndpoint<M>>| {
            let registration = Rc::new(Registration::new(event_loop, endpoint.clone()));
            let registry = LoopRegistry::new(Rc::clone(&registration), busy_poll);
            LoopEndpoint {
                io: RefCell::new(Io::new(machine, registry, mode)),
                batches: RefCell::default(),
                registration,
                accept_again: Cell::new(None),
                instance,
            }
        })
    }
}

impl<M: Machine> LoopEndpoint<M> {
    /// Calls `f` with the machine's sockets.
    pub(crate) fn with<T>(&self, f: impl FnOnce(&mut Io<M, LoopRegistry>, &mut dyn Events) -> T) -> T {
        f(&mut self.io.borrow_mut(), &mut *self.batches.borrow_mut())
    }

    /// The next batch of events.
    pub(crate) fn take(&self) -> Option<Batch> {
        self.batches.borrow_mut().take()
    }

    /// Whether there are no events to hand over.
    pub(crate) fn is_idle(&self) -> bool {
        self.batches.borrow().is_empty()
    }

    /// Keeps the memory of a batch for others.
    pub(crate) fn recycle(&self, batch: Batch) {
        self.batches.borrow_mut().recycle(batch.text);
    }

    /// The machine was called. Whether it keeps the process alive, and until when it may sleep.
    pub(crate) fn changed(&self, active: bool) {
        let accept_again = self.accept_again.get().map(|(at, _)| at);
        let deadline = [self.io.borrow().deadline(), accept_again].into_iter().flatten().min();
        self.registration.set_deadline(deadline);
        self.registration.keep_alive(active);
    }

    /// Nothing may be called at its deadline any more.
    pub(crate) fn abandon(&self) {
        self.registration.set_deadline(None);
    }
}

impl<M: Machine> Source for LoopEndpoint<M> {
    fn readable(&self, connection: ConnectionId, ended: bool, buffer: &mut [u8], now: Instant) -> Progress {
        self.with(|io, events| io.readable(connection, ended, buffer, now, events))
    }

    fn writable(&self, connection: ConnectionId, now: Instant) {
        self.with(|io, events| io.writable(connection, now, events));
    }

    fn acceptable(&self, listener: ListenerId, now: Instant) -> Progress {
        self.with(|io, events| io.acceptable(listener, now, events)).unwrap_or_else(|error| {
            tracing::warn!(target: "ipcio", "could not accept a connection: {error}; will try again");
            self.accept_again.set(Some((now + ACCEPT_PAUSE, listener)));
            Progress::Drained
        })
    }

    fn files_changed(&self, now: Instant) {
        self.with(|io, _| io.files_changed(now));
    }

    fn elapsed(&self, now: Instant) {
        if let Some((at, listener)) = self.accept_again.take() {
            if at > now {
                self.accept_again.set(Some((at, listener)));
            } else {
                // The system tells of clients that come from now on, not of those who have waited.
                while self.acceptable(listener, now) == Progress::More {}
            }
        }
        self.with(|io, events| io.elapsed(now, events));
    }

    fn dispatch(&self) {
        if let Some(instance) = self.instance.upgrade() {
            instance.dispatch();
        }
    }

    fn is_in_bulk(&self, connection: ConnectionId) -> bool {
        self.with(|io, _| io.is_in_bulk(connection))
    }
}

impl<M: Machine> std::fmt::Debug for LoopEndpoint<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoopEndpoint").finish_non_exhaustive()
    }
}
