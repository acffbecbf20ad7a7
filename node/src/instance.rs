//! A `Server` or `Client` of JavaScript: its state machine, and the function that is called with its events.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::Instant;

use crate::batch::Part;
use crate::endpoint::{Endpoint, LoopEndpoint};
use crate::environment::Environment;
use crate::event_loop::TargetSocket;
use crate::memory;
use crate::raw::{self, Callback, guard};
use ipcio::Error;
use ipcio::driver::client::Client;
use ipcio::driver::io::Progress;
use ipcio::driver::machine::{ConnectionId, ListenerId};
use ipcio::driver::protocol::frame::Kind;
use ipcio::driver::server::Server;

/// Bytes of a batch that are written before it is complete.
const FLUSH_AT: usize = 32 * 1024;

/// An instance of either class.
#[derive(Debug)]
pub(crate) struct Instance {
    id: u32,
    environment: Rc<Environment>,
    pub(crate) role: Role,
    /// Where the messages of a client go.
    pub(crate) route: RefCell<Route>,
    /// Called with each batch, as long as the instance is started.
    callback: RefCell<Option<Rc<Callback>>>,
    /// Whether a turn is under way, which deals with whatever JavaScript does in it.
    in_turn: Cell<bool>,
    active: Cell<bool>,
    /// What was queued since the last flush at the end of a turn.
    queued: Cell<Queued>,
    /// Whether the turn before queued a single message.
    expects_one: Cell<bool>,
    deadline: Cell<Option<Instant>>,
    /// When and on which listener accepting is tried again.
    accept_again: Cell<Option<(Instant, ListenerId)>>,
}

/// What a turn has queued so far.
#[derive(Clone, Copy, Debug, Default)]
struct Queued {
    messages: usize,
    /// Those that have not been written.
    bytes: usize,
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

/// What an instance is.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "it is kept in an Rc, and never moved")]
pub(crate) enum Role {
    Client(Endpoint<Client>),
    Server(Endpoint<Server>),
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

/// Runs an expression with the sockets that this thread reads, or gives `$otherwise`.
macro_rules! on_this_thread {
    ($instance:expr, $otherwise:expr, $io:ident, $events:ident => $body:expr) => {
        either!($instance, endpoint => {
            match endpoint.on_this_thread() {
                Some(endpoint) => LoopEndpoint::with(endpoint, |$io, $events| $body),
                None => $otherwise,
            }
        })
    };
}

impl Instance {
    pub(crate) fn new(id: u32, environment: Rc<Environment>, role: Role) -> Instance {
        Instance {
            id,
            environment,
            role,
            route: RefCell::default(),
            callback: RefCell::new(None),
            in_turn: Cell::new(false),
            active: Cell::new(false),
            queued: Cell::default(),
            expects_one: Cell::new(false),
            deadline: Cell::new(None),
            accept_again: Cell::new(None),
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    pub(crate) fn environment(&self) -> &Rc<Environment> {
        &self.environment
    }

    /// The client, if it is one.
    pub(crate) fn client(&self) -> Option<&Endpoint<Client>> {
        match &self.role {
            Role::Client(client) => Some(client),
            Role::Server(_) => None,
        }
    }

    /// The server, if it is one.
    pub(crate) fn server(&self) -> Option<&Endpoint<Server>> {
        match &self.role {
            Role::Server(server) => Some(server),
            Role::Client(_) => None,
        }
    }

    /// The instance is started: its events go to `callback`.
    pub(crate) fn start(&self, callback: Callback) {
        *self.callback.borrow_mut() = Some(Rc::new(callback));
        self.look_after();
    }

    /// Starts a server.
    pub(crate) fn listen(&self) -> Result<(), Error> {
        let Some(server) = self.server() else { return Ok(()) };
        let (listener, path) = server.with(|server, _| server.start(Instant::now()).map(|id| (id, server.path())))?;
        server.listen(listener, &path).inspect_err(|_| server.with(|server, _| server.start_failed()))
    }

    /// Hands all events to JavaScript and writes what that leads to. Within a turn it does nothing: the turn
    /// goes on until nothing is left.
    pub(crate) fn turn(&self) {
        if self.in_turn.replace(true) {
            return;
        }
        // A defect that cuts it short does not keep others from beginning.
        guard((), || self.hand_over());
        self.in_turn.set(false);
        self.look_after();
        memory::give_back();
    }

    fn hand_over(&self) {
        loop {
            while let Some(mut batch) = either!(self, endpoint => endpoint.take()) {
                if batch.closed {
                    // Whoever learns of the end may count on it: the socket's file is gone.
                    either!(self, endpoint => endpoint.flush());
                }
                if batch.only_asks() {
                    // Nobody waits for these acknowledgements, so they may travel with the answers.
                    either!(self, endpoint => endpoint.handled(&mut batch));
                }
                self.dispatch(&batch.text, std::mem::take(&mut batch.parts));
                let closed = batch.closed;
                either!(self, endpoint => endpoint.handled(&mut batch));
                either!(self, endpoint => endpoint.recycle(batch));
                if closed {
                    self.look_after();
                }
            }
            let queued = self.queued.take();
            if queued.messages > 0 {
                self.expects_one.set(queued.messages == 1);
            }
            either!(self, endpoint => endpoint.flush());
            if either!(self, endpoint => endpoint.is_idle()) {
                break;
            }
        }
    }

    /// Writes what was queued as far as the sockets take it.
    pub(crate) fn flush(&self) {
        either!(self, endpoint => endpoint.flush());
    }

    /// Whether JavaScript has to see to it that a turn follows what was just queued. Within one that is so for what
    /// is not the first, as more of it may be gathered, and crosses then.
    pub(crate) fn wants_turn(&self) -> bool {
        !self.in_turn.get() || self.queued.get().messages > 1
    }

    /// So many messages of that size were queued. They are written at the end of the turn with the others, but what
    /// is large already before: so the other side works on the beginning while this one still makes the end. So is a
    /// message that is likely to stay the only one.
    pub(crate) fn queued(&self, count: usize, bytes: usize) {
        let Queued { messages, bytes: before } = self.queued.get();
        let is_only = messages == 0 && self.expects_one.get();
        let flush = is_only || before + bytes >= FLUSH_AT;
        self.queued.set(Queued { messages: messages + count, bytes: if flush { 0 } else { before + bytes } });
        if flush {
            either!(self, endpoint => endpoint.flush());
        }
    }

    pub(crate) fn readable(&self, id: ConnectionId, ended: bool, buffer: &mut [u8], now: Instant) -> Progress {
        on_this_thread!(self, Progress::Drained, io, events => io.readable(id, ended, buffer, now, events))
    }

    pub(crate) fn is_in_bulk(&self, id: ConnectionId) -> bool {
        on_this_thread!(self, false, io, _events => io.is_in_bulk(id))
    }

    pub(crate) fn writable(&self, id: ConnectionId, now: Instant) {
        on_this_thread!(self, (), io, events => if io.registry().unblocked(id) {
            io.writable(id, now, events);
        });
    }

    pub(crate) fn acceptable(&self, id: ListenerId, now: Instant) -> io::Result<Progress> {
        on_this_thread!(self, Ok(Progress::Drained), io, events => io.acceptable(id, now, events))
    }

    pub(crate) fn files_changed(&self, now: Instant) {
        on_this_thread!(self, (), io, _events => io.files_changed(now));
    }

    pub(crate) fn watch_again(&self, socket: TargetSocket) {
        on_this_thread!(self, (), io, _events => io.registry().watch_again(socket));
    }

    /// Accepts nothing until then.
    pub(crate) fn accept_again(&self, id: ListenerId, at: Instant) {
        self.accept_again.set(Some((at, id)));
    }

    /// The deadline has passed.
    pub(crate) fn elapsed(&self, now: Instant) {
        if let Some((_, id)) = self.accept_again.get().filter(|&(at, _)| at <= now) {
            self.accept_again.set(None);
            self.watch_again(TargetSocket::Listener(id));
        }
        on_this_thread!(self, (), io, events => io.elapsed(now, events));
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
        if let Some(event_loop) = self.environment.event_loop() {
            event_loop.set_deadline(self.id, self.deadline.take(), None);
        }
    }

    fn dispatch(&self, text: &[u8], parts: Vec<Part>) {
        let Some(callback) = self.callback.borrow().clone() else { return };
        let env = self.environment.env;
        let has_large = parts.iter().any(|part| !part.is_text && part.content().len() > raw::SCAVENGED);
        env.scope(|scope| {
            let parts = if parts.is_empty() { scope.undefined() } else { scope.parts(parts) };
            if let (Some(text), Some(parts)) = (scope.string(text), parts) {
                callback.call(&[text, parts]);
            }
        });
        if has_large {
            // Of large messages that come one behind another, several would be kept that nobody uses any more.
            env.scope(|scope| scope.allow_scavenge());
        }
    }

    /// Whether the process has to stay, and until when it may sleep.
    fn look_after(&self) {
        let active = match &self.role {
            Role::Client(endpoint) => endpoint.with(|client, _| client.is_active()),
            Role::Server(endpoint) => endpoint.with(|server, _| server.is_started() || server.is_closing()),
        };
        // Another thread may have brought it to its end just now: JavaScript has to learn of it.
        let active = active || !either!(self, endpoint => endpoint.is_idle());
        let event_loop = self.environment.event_loop();
        if self.active.replace(active) != active {
            either!(self, endpoint => endpoint.keep_alive(active));
            if let Some(event_loop) = event_loop.as_ref().filter(|_| self.is_on_this_thread()) {
                event_loop.count_active(active);
            }
            if !active {
                self.callback.borrow_mut().take();
            }
        }
        if let Some(event_loop) = event_loop {
            let machine = either!(self, endpoint => endpoint.deadline());
            let accept = self.accept_again.get().map(|(at, _)| at);
            let next = [machine, accept].into_iter().flatten().min();
            let before = self.deadline.replace(next);
            if before != next {
                event_loop.set_deadline(self.id, before, next);
            }
        }
    }

    fn is_on_this_thread(&self) -> bool {
        either!(self, endpoint => endpoint.on_this_thread().is_some())
    }
}
