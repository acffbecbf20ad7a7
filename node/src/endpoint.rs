//! A state machine under either driver, as the JavaScript thread sees it.

use std::path::Path;
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

use crate::batch::Batch;
use crate::dispatch::Dispatch;
use crate::event_loop::EventLoop;
use crate::loop_endpoint::LoopEndpoint;
use crate::thread::{Thread, ThreadEndpoint};
use ipcio::Error;
use ipcio::driver::machine::{Events, ListenerId, Machine};

/// What an instance is to be driven by.
#[derive(Debug)]
pub(crate) enum Driver {
    Loop(Rc<EventLoop>),
    Thread(Thread),
}

/// A client or a server with its sockets and its events.
#[derive(Debug)]
pub(crate) enum Endpoint<M: Machine> {
    /// On this thread.
    Loop(Rc<LoopEndpoint<M>>),
    /// On a thread of tokio's.
    Thread(ThreadEndpoint<M>),
}

impl<M: Machine + Send + 'static> Endpoint<M> {
    /// `instance` hands its events over. It allows to poll for as long as `busy_poll`. `mode` is that of the sockets' files.
    pub(crate) fn new(
        machine: M,
        mode: u32,
        busy_poll: Duration,
        driver: Driver,
        instance: Weak<dyn Dispatch>,
    ) -> Endpoint<M> {
        match driver {
            Driver::Loop(event_loop) => {
                Endpoint::Loop(LoopEndpoint::new(machine, mode, event_loop, busy_poll, instance))
            }
            Driver::Thread(thread) => Endpoint::Thread(ThreadEndpoint::new(machine, mode, thread, instance)),
        }
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

    /// The next batch of events. None while it is paused.
    pub(crate) fn take(&self) -> Option<Batch> {
        match self {
            Endpoint::Loop(endpoint) => endpoint.take(),
            Endpoint::Thread(endpoint) => endpoint.take(),
        }
    }

    /// Whether there are no events to hand over.
    pub(crate) fn is_idle(&self) -> bool {
        match self {
            Endpoint::Loop(endpoint) => endpoint.is_idle(),
            Endpoint::Thread(endpoint) => endpoint.batches().is_empty(),
        }
    }

    /// Whether events wait until others of JavaScript's event loop have run. Under the loop driver none do: it reads a part
    /// of what there is, and then the others run.
    pub(crate) fn is_paused(&self) -> bool {
        match self {
            Endpoint::Loop(_) => false,
            Endpoint::Thread(endpoint) => endpoint.is_paused(),
        }
    }

    /// They have run.
    pub(crate) fn resume(&self) {
        if let Endpoint::Thread(endpoint) = self {
            endpoint.resume();
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

    /// Keeps the memory of a batch for others.
    pub(crate) fn recycle(&self, batch: Batch) {
        match self {
            Endpoint::Loop(endpoint) => endpoint.recycle(batch),
            Endpoint::Thread(endpoint) => endpoint.batches().recycle(batch.text),
        }
    }

    /// The machine was called. Whether it keeps the process alive, and until when it may sleep.
    pub(crate) fn changed(&self, active: bool) {
        match self {
            Endpoint::Loop(endpoint) => endpoint.changed(active),
            Endpoint::Thread(endpoint) => endpoint.keep_alive(active),
        }
    }

    /// The environment ends: JavaScript can't be called any more.
    pub(crate) fn abandon(&self) {
        match self {
            Endpoint::Loop(endpoint) => endpoint.abandon(),
            Endpoint::Thread(endpoint) => endpoint.abandon(),
        }
    }
}
