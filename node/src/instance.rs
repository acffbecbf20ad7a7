//! A `Server` or `Client` of JavaScript: its state machine, and the function that is called with its events.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

use crate::batch::Attachment;
use crate::cork::Cork;
use crate::dispatch::Dispatch;
use crate::endpoint::{Driver, Endpoint};
use crate::memory;
use crate::raw::{self, Callback, Env, Scope, guard};
use crate::role::{Class, Role};
use ipcio::Error;
use ipcio::driver::machine::{Events, Payload, SessionId};
use ipcio::driver::protocol::frame::Kind;
use ipcio::driver::server::Server;

/// An instance of either class.
#[derive(Debug)]
pub(crate) struct Instance {
    env: Env,
    role: Role,
    /// Where the messages of a client go, or the deliveries of a server.
    pub(crate) route: RefCell<Route>,
    /// Called with each batch, as long as the instance is started.
    callback: RefCell<Option<Rc<Callback>>>,
    /// Whether events are being handed over. What JavaScript queues meanwhile is written at the end of that.
    dispatching: Cell<bool>,
    /// Whether JavaScript is going to call [`Instance::resume`].
    paused: Cell<bool>,
    /// Whether it keeps the process alive.
    active: Cell<bool>,
    cork: Cork,
}

/// Where a client's messages go.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) kind: Kind,
    pub(crate) name: String,
    pub(crate) command: String,
}

impl Default for Route {
    fn default() -> Route {
        Route { kind: Kind::Send, name: String::new(), command: String::new() }
    }
}

/// Runs an expression for the endpoint of either role.
macro_rules! either {
    ($instance:expr, $endpoint:ident => $body:expr) => {
        match &$instance.role {
            Role::Client($endpoint) => $body,
            Role::Server($endpoint) => $body,
        }
    };
}

impl Instance {
    /// It allows to poll for as long as `busy_poll`. `mode` is that of the sockets' files.
    pub(crate) fn new<M: Class>(env: Env, driver: Driver, machine: M, mode: u32, busy_poll: Duration) -> Rc<Instance> {
        Rc::new_cyclic(|instance: &Weak<Instance>| Instance {
            env,
            role: M::role(Endpoint::new(machine, mode, busy_poll, driver, instance.clone())),
            route: RefCell::default(),
            callback: RefCell::new(None),
            dispatching: Cell::new(false),
            paused: Cell::new(false),
            active: Cell::new(false),
            cork: Cork::default(),
        })
    }

    /// Where it was made.
    pub(crate) fn env(&self) -> Env {
        self.env
    }

    /// Calls `f` with the machine, if it is of this class; otherwise gives `otherwise`.
    pub(crate) fn with<M: Class, T>(&self, otherwise: T, f: impl FnOnce(&mut M, &mut dyn Events) -> T) -> T {
        match M::of(&self.role) {
            Some(endpoint) => endpoint.with(f),
            None => otherwise,
        }
    }

    /// Answers deliveries that came on this session.
    pub(crate) fn respond<'a>(
        &self,
        session: SessionId,
        answers: impl Iterator<Item = (u64, Result<Payload<'a>, Payload<'a>>)>,
    ) {
        either!(self, endpoint => endpoint.with(|machine, _| {
            for (request, outcome) in answers {
                Class::respond(machine, session, request, outcome);
            }
        }));
    }

    /// The answer to the delivery with this number is no longer needed.
    pub(crate) fn cancel(&self, request: u64) {
        either!(self, endpoint => endpoint.with(|machine, _| Class::cancel(machine, request)));
    }

    /// The instance is started: its events go to `callback`.
    pub(crate) fn start(&self, callback: Callback) {
        *self.callback.borrow_mut() = Some(Rc::new(callback));
        self.changed();
    }

    /// Starts a server.
    pub(crate) fn listen(&self) -> Result<(), Error> {
        let Some(server) = Server::of(&self.role) else { return Ok(()) };
        let (listener, path) = server.with(|server, _| server.start(Instant::now()).map(|id| (id, server.path())))?;
        server.listen(listener, &path).inspect_err(|_| server.with(|server, _| server.start_failed()))
    }

    /// Writes what was queued as far as the sockets take it.
    pub(crate) fn flush(&self) {
        either!(self, endpoint => endpoint.flush());
    }

    /// Notes messages that were queued, and their size in bytes.
    pub(crate) fn queued(&self, count: usize, bytes: usize) {
        if self.cork.queued(count, bytes) {
            self.flush();
        }
    }

    /// How long a text may be that JavaScript gathers, in UTF-16 code units, until it has the instance dispatch. `None` if
    /// it need not see to that: what was just queued is the first of a dispatch that is under way.
    pub(crate) fn gathers(&self) -> Option<u32> {
        if self.dispatching.get() && !self.cork.has_several() {
            return None;
        }
        let limits = either!(self, endpoint => endpoint.with(|machine, _| machine.limits()));
        Some(limits.gathers())
    }

    /// Others of JavaScript's event loop have run: hands over what has waited for that.
    pub(crate) fn resume(&self) {
        self.paused.set(false);
        either!(self, endpoint => endpoint.resume());
        self.dispatch();
    }

    /// Hands over all events, without a pause for others.
    pub(crate) fn drain(&self) {
        self.dispatch();
        while self.paused.get() && !self.dispatching.get() {
            self.resume();
        }
    }

    /// Takes the files of sockets away, since the process ends.
    pub(crate) fn unlink(&self) {
        // An exit from within a call of this addon leaves the file to the next server.
        either!(self, endpoint => endpoint.unlink());
    }

    /// The environment ends: nothing may call into JavaScript any more.
    pub(crate) fn abandon(&self) {
        self.callback.borrow_mut().take();
        either!(self, endpoint => endpoint.abandon());
    }

    fn dispatch_all(&self) {
        loop {
            while let Some(mut batch) = either!(self, endpoint => endpoint.take()) {
                if batch.closed {
                    // A program that learns of the end may count on it: the socket's file is gone.
                    self.flush();
                }
                if batch.only_asks() {
                    // These acknowledgements may travel with the answers.
                    either!(self, endpoint => endpoint.handled(&mut batch));
                }
                self.call(&batch.text, std::mem::take(&mut batch.attachments));
                let closed = batch.closed;
                either!(self, endpoint => endpoint.handled(&mut batch));
                either!(self, endpoint => endpoint.recycle(batch));
                if closed {
                    self.changed();
                }
            }
            self.cork.uncork();
            self.flush();
            if either!(self, endpoint => endpoint.is_idle()) {
                return;
            }
            if either!(self, endpoint => endpoint.is_paused()) && self.pause() {
                return;
            }
        }
    }

    /// Lets others of JavaScript's event loop run before more is handed over. Whether it can be asked to go on then.
    fn pause(&self) -> bool {
        if self.paused.get() {
            return true;
        }
        let Some(callback) = self.callback.borrow().clone() else {
            // No handler is called, so others are not delayed.
            either!(self, endpoint => endpoint.resume());
            return false;
        };
        self.paused.set(true);
        Scope::open(self.env, |_| callback.call(&[]));
        true
    }

    /// Calls JavaScript with a batch.
    fn call(&self, text: &[u8], attachments: Vec<Attachment>) {
        let Some(callback) = self.callback.borrow().clone() else { return };
        let has_large =
            attachments.iter().any(|attachment| !attachment.is_text && attachment.content().len() > raw::SCAVENGED);
        Scope::open(self.env, |scope| {
            let attachments = if attachments.is_empty() { scope.undefined() } else { scope.attachments(attachments) };
            if let (Some(text), Some(attachments)) = (scope.string(text), attachments) {
                callback.call(&[text, attachments]);
            }
        });
        if has_large {
            // Of large messages that come one behind another, several would be kept that are not used any more.
            Scope::open(self.env, |scope| scope.allow_scavenge());
        }
    }

    /// The machine may have started or ended: it keeps the process alive, or no longer does.
    fn changed(&self) {
        let active = either!(self, endpoint => endpoint.with(|machine, _| Class::is_active(machine)));
        // Another thread may have just ended it: JavaScript must be told.
        let active = active || !either!(self, endpoint => endpoint.is_idle());
        either!(self, endpoint => endpoint.changed(active));
        if self.active.replace(active) && !active {
            self.callback.borrow_mut().take();
        }
    }
}

impl Dispatch for Instance {
    /// Within a dispatch it does nothing: that one goes on until nothing is left.
    fn dispatch(&self) {
        if self.dispatching.replace(true) {
            return;
        }
        // A defect that cuts it short does not keep others from beginning.
        guard((), || self.dispatch_all());
        self.dispatching.set(false);
        self.changed();
        memory::give_back();
    }
}
