//! A state machine under either driver, as the JavaScript thread sees it.

use std::cell::RefCell;
use std::path::Path;
use std::time::Instant;

use crate::batch::{Batch, Batches};
use crate::loop_registry::LoopRegistry;
use crate::thread::ThreadEndpoint;
use ipcio::Error;
use ipcio::driver::io::Io;
use ipcio::driver::machine::{Events, ListenerId, Machine};

/// A client or a server with its sockets and its events.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "it is kept in an Rc, and never moved")]
pub(crate) enum Endpoint<M: Machine> {
    /// On this thread.
    Loop(LoopEndpoint<M>),
    /// On a thread of tokio's.
    Thread(ThreadEndpoint<M>),
}

/// A machine whose sockets this thread reads.
#[derive(Debug)]
pub(crate) struct LoopEndpoint<M: Machine> {
    io: RefCell<Io<M, LoopRegistry>>,
    batches: RefCell<Batches>,
}

impl<M: Machine + Send + 'static> Endpoint<M> {
    /// Under the loop driver.
    pub(crate) fn on_loop(machine: M, mode: u32, registry: LoopRegistry) -> Endpoint<M> {
        Endpoint::Loop(LoopEndpoint { io: RefCell::new(Io::new(machine, registry, mode)), batches: RefCell::default() })
    }

    /// Calls `f` with the machine. No JavaScript may run in it.
    pub(crate) fn with<T>(&self, f: impl FnOnce(&mut M, &mut dyn Events) -> T) -> T {
        match self {
            Endpoint::Loop(endpoint) => endpoint.with(|io, events| f(&mut io.machine, events)),
            Endpoint::Thread(endpoint) => endpoint.driver.with(|io, _, events| f(&mut io.machine, events)),
        }
    }

    /// Listens at a path that a server before may have left behind.
    pub(crate) fn listen(&self, id: ListenerId, path: &Path) -> Result<(), Error> {
        match self {
            Endpoint::Loop(endpoint) => endpoint.with(|io, _| io.listen(id, path)),
            Endpoint::Thread(endpoint) => endpoint.driver.step(|io, _, _| io.listen(id, path)),
        }
    }

    /// Takes the files of sockets away.
    pub(crate) fn unlink(&self) {
        match self {
            Endpoint::Loop(endpoint) => endpoint.with(|io, _| io.unlink()),
            Endpoint::Thread(endpoint) => endpoint.driver.with(|io, _, _| io.unlink()),
        }
    }

    /// Carries out all actions and writes all that can be written.
    pub(crate) fn flush(&self) {
        match self {
            Endpoint::Loop(endpoint) => endpoint.with(|io, events| io.flush(Instant::now(), events)),
            Endpoint::Thread(endpoint) => endpoint.driver.flush(),
        }
    }

    /// The next batch of events.
    pub(crate) fn take(&self) -> Option<Batch> {
        match self {
            Endpoint::Loop(endpoint) => endpoint.batches.borrow_mut().take(),
            Endpoint::Thread(endpoint) => endpoint.batches().take(),
        }
    }

    /// Whether there are no events to hand over.
    pub(crate) fn is_idle(&self) -> bool {
        match self {
            Endpoint::Loop(endpoint) => endpoint.batches.borrow().is_empty(),
            Endpoint::Thread(endpoint) => endpoint.batches().is_empty(),
        }
    }

    /// JavaScript has dealt with a batch.
    pub(crate) fn handled(&self, batch: &mut Batch) {
        if !batch.receipts.is_empty() {
            let now = Instant::now();
            self.with(|machine, _| {
                for (session, receipt) in batch.receipts.drain(..) {
                    machine.handled(session, receipt, now);
                }
            });
        }
    }

    /// Keeps the room of a batch for others.
    pub(crate) fn recycle(&self, batch: Batch) {
        match self {
            Endpoint::Loop(endpoint) => endpoint.batches.borrow_mut().recycle(batch.text),
            Endpoint::Thread(endpoint) => endpoint.batches().recycle(batch.text),
        }
    }

    /// When the machine wants to be called; only the loop driver has to know.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self {
            Endpoint::Loop(endpoint) => endpoint.io.borrow().deadline(),
            Endpoint::Thread(_) => None,
        }
    }

    /// The sockets, if this thread reads them.
    pub(crate) fn on_this_thread(&self) -> Option<&LoopEndpoint<M>> {
        match self {
            Endpoint::Loop(endpoint) => Some(endpoint),
            Endpoint::Thread(_) => None,
        }
    }

    /// Whether it keeps the process alive; only the thread driver has a part in that.
    pub(crate) fn keep_alive(&self, alive: bool) {
        if let Endpoint::Thread(endpoint) = self {
            endpoint.keep_alive(alive);
        }
    }

    /// The environment ends.
    pub(crate) fn abandon(&self) {
        if let Endpoint::Thread(endpoint) = self {
            endpoint.abandon();
        }
    }
}

impl<M: Machine> LoopEndpoint<M> {
    /// Calls `f` with the machine's sockets.
    pub(crate) fn with<T>(&self, f: impl FnOnce(&mut Io<M, LoopRegistry>, &mut dyn Events) -> T) -> T {
        f(&mut self.io.borrow_mut(), &mut *self.batches.borrow_mut())
    }
}
