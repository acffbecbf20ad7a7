//! The loop driver: the JavaScript thread owns the sockets, and reads them on Node's own event loop.
//!
//! One `uv_poll` watches the selector (epoll, kqueue) that holds all sockets of the thread, one `uv_timer`
//! serves all deadlines. No thread stands between a socket and its handler, so a message costs one wake-up.

#![allow(unsafe_code, reason = "functions that libuv calls, which is C")]

mod polling;
mod preemption;

use std::cell::{Cell, RefCell};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{c_int, c_void};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Interest, Token};
use rustc_hash::FxHashMap;

use self::preemption::Preemption;
use crate::busy_poll::BusyPoll;
use crate::environment::{self, Environment};
use crate::instance::Instance;
use crate::libuv::{Handle, Loop};
use crate::raw::{Env, guard};
use ipcio::driver::io::{Progress, READ_BUFFER};
use ipcio::driver::machine::{ConnectionId, ListenerId};

/// How many sockets are asked for at once.
const READY_AT_ONCE: usize = 256;

/// How many buffers are read from one connection before others have their turn.
const READ_AT_ONCE: usize = 8;

/// More connections than that with something to read at once are many.
const FEW: usize = 4;

/// What a socket holds is read in so many turns of [`READ_AT_ONCE`] buffers: more does not fit in.
const TURNS_TO_EMPTY: u32 = 4;

/// How long nothing is accepted after the process ran out of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a thread needs to read its sockets on its event loop.
#[derive(Debug)]
pub(crate) struct EventLoop {
    env: Env,
    selector: RefCell<mio::Poll>,
    ready: RefCell<mio::Events>,
    registry: mio::Registry,
    targets: RefCell<FxHashMap<Token, Target>>,
    next_token: Cell<usize>,
    /// One for all sockets.
    buffer: RefCell<Vec<u8>>,
    uv: Loop,
    poll: Handle,
    timer: Handle,
    prepare: Handle,
    /// Keeps the loop from waiting for one turn.
    turn_timer: Handle,
    /// The deadlines of instances, and the one that the timer is started for.
    deadlines: RefCell<BTreeSet<(Instant, u32)>>,
    armed: Cell<Option<Instant>>,
    /// Instances that keep the process alive.
    active: Cell<usize>,
    /// Handles that libuv has not closed yet.
    open: Cell<u32>,
    busy_poll: RefCell<BusyPoll>,
    preemption: Preemption,
    /// How long connections allow to poll: how many allow how much, and the longest of them.
    caps: RefCell<BTreeMap<Duration, usize>>,
    cap: Cell<Duration>,
    /// Since when the loop has waited for something to come, whatever else it was woken up for.
    waiting: Cell<Option<Instant>>,
    /// The connection that was read last, unless it was one of many.
    hot: Cell<Option<Token>>,
}

/// What a token of the selector stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) instance: u32,
    pub(crate) socket: TargetSocket,
}

/// A socket of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TargetSocket {
    Connection(ConnectionId),
    Listener(ListenerId),
    /// Notices that a file of the server has changed.
    Files,
}

/// What the selector says of a socket.
#[derive(Clone, Copy, Debug)]
struct Notice {
    token: Token,
    readable: bool,
    writable: bool,
    /// The peer has closed the connection.
    ended: bool,
}

impl EventLoop {
    /// Begins to watch the loop of an environment.
    pub(crate) fn new(env: Env, environment: usize) -> io::Result<EventLoop> {
        let missing = || io::Error::from(io::ErrorKind::Unsupported);
        let uv = Loop::of(env).ok_or_else(missing)?;
        let selector = mio::Poll::new()?;
        let registry = selector.registry().try_clone()?;
        let poll = uv.poll(selector.as_raw_fd(), environment, on_poll).ok_or_else(missing)?;
        let timer = uv.timer(environment).ok_or_else(missing)?;
        let prepare = uv.prepare(environment).ok_or_else(missing)?;
        let turn_timer = uv.timer(environment).ok_or_else(missing)?;
        for handle in [&poll, &timer, &prepare, &turn_timer] {
            handle.keep_alive(false);
        }
        Ok(EventLoop {
            env,
            selector: RefCell::new(selector),
            ready: RefCell::new(mio::Events::with_capacity(READY_AT_ONCE)),
            registry,
            targets: RefCell::default(),
            next_token: Cell::new(0),
            buffer: RefCell::new(vec![0; READ_BUFFER]),
            uv,
            poll,
            timer,
            prepare,
            turn_timer,
            deadlines: RefCell::default(),
            armed: Cell::new(None),
            active: Cell::new(0),
            open: Cell::new(4),
            busy_poll: RefCell::default(),
            preemption: Preemption::default(),
            caps: RefCell::default(),
            cap: Cell::new(Duration::ZERO),
            waiting: Cell::new(None),
            hot: Cell::new(None),
        })
    }

    /// Watches a socket for something to read.
    pub(crate) fn watch(&self, descriptor: RawFd, target: Target) -> io::Result<Token> {
        let token = Token(self.next_token.get());
        self.next_token.set(token.0 + 1);
        self.registry.register(&mut SourceFd(&descriptor), token, Interest::READABLE)?;
        self.targets.borrow_mut().insert(token, target);
        Ok(token)
    }

    /// Watches it for something else, and asks for another notice of what is ready already.
    pub(crate) fn watch_again(&self, descriptor: RawFd, token: Token, interest: Interest) -> io::Result<()> {
        self.registry.reregister(&mut SourceFd(&descriptor), token, interest)
    }

    /// Watches it no longer.
    pub(crate) fn forget(&self, descriptor: RawFd, token: Token) {
        self.targets.borrow_mut().remove(&token);
        // A descriptor that is not watched needs not be forgotten.
        let _ = self.registry.deregister(&mut SourceFd(&descriptor));
    }

    /// An instance began or ceased to keep the process alive.
    pub(crate) fn count_active(&self, active: bool) {
        let before = self.active.get();
        let after = if active { before + 1 } else { before - 1 };
        self.active.set(after);
        if before == 0 || after == 0 {
            self.poll.keep_alive(active);
        }
    }

    /// The deadline of an instance has changed.
    pub(crate) fn set_deadline(&self, instance: u32, old: Option<Instant>, new: Option<Instant>) {
        let mut deadlines = self.deadlines.borrow_mut();
        if let Some(old) = old {
            deadlines.remove(&(old, instance));
        }
        if let Some(new) = new {
            deadlines.insert((new, instance));
        }
        let next = deadlines.first().map(|&(at, _)| at);
        if next == self.armed.get() {
            return;
        }
        self.armed.set(next);
        match next {
            Some(at) => self.start_timer(at),
            None => self.timer.stop_timer(),
        }
    }

    /// Closes the handles. The last one to be closed calls `on_closed` of the environment.
    pub(crate) fn close(&self) {
        for handle in [&self.poll, &self.timer, &self.prepare, &self.turn_timer] {
            handle.close(on_closed);
        }
    }

    /// The loop has waited: reads everything that is ready.
    fn turn(&self) {
        if let Some(since) = self.waiting.take() {
            self.busy_poll.borrow_mut().waited(since.elapsed(), self.cap.get());
        }
        self.serve_all(&self.select());
    }

    /// Reads what is ready, and gives it to JavaScript. Whether there was anything. A defect that shows with one socket
    /// costs none of the others its notice: the selector would not repeat it.
    fn serve_all(&self, notices: &[Notice]) -> bool {
        let now = Instant::now();
        let mut found = false;
        let mut touched: Vec<Rc<Instance>> = Vec::new();
        for &notice in notices {
            let Some(target) = self.targets.borrow().get(&notice.token).copied() else { continue };
            let Some(instance) = environment::instance(target.instance) else { continue };
            found |= guard(true, || self.serve(&instance, target.socket, notice, now));
            if !touched.iter().any(|other| Rc::ptr_eq(other, &instance)) {
                touched.push(instance);
            }
        }
        if notices.len() > FEW {
            self.hot.set(None);
        }
        for instance in touched {
            guard((), || instance.turn());
        }
        found
    }

    /// One more connection allows to poll for so long.
    pub(crate) fn allow_polling(&self, allowed: Duration) {
        *self.caps.borrow_mut().entry(allowed).or_default() += 1;
        self.polling_changed();
    }

    /// A connection that allowed to poll for so long has ended.
    pub(crate) fn disallow_polling(&self, allowed: Duration) {
        if let Entry::Occupied(mut connections) = self.caps.borrow_mut().entry(allowed) {
            *connections.get_mut() -= 1;
            if *connections.get() == 0 {
                connections.remove();
            }
        }
        self.polling_changed();
    }

    fn polling_changed(&self) {
        let longest = self.caps.borrow().last_key_value().map(|(&longest, _)| longest).unwrap_or_default();
        let before = self.cap.replace(longest);
        if before.is_zero() && !longest.is_zero() {
            self.prepare.start_prepare(on_prepare);
        } else if longest.is_zero() && !before.is_zero() {
            self.prepare.stop_prepare();
        }
    }

    fn select(&self) -> Vec<Notice> {
        let mut ready = self.ready.borrow_mut();
        if self.selector.borrow_mut().poll(&mut ready, Some(Duration::ZERO)).is_err() {
            return Vec::new();
        }
        ready
            .iter()
            .map(|event| {
                let ended = event.is_read_closed() || event.is_error();
                Notice {
                    token: event.token(),
                    readable: event.is_readable() || ended,
                    writable: event.is_writable(),
                    ended,
                }
            })
            .collect()
    }

    fn serve(&self, instance: &Instance, socket: TargetSocket, notice: Notice, now: Instant) -> bool {
        if notice.writable
            && let TargetSocket::Connection(id) = socket
        {
            instance.writable(id, now);
        }
        if !notice.readable {
            return true;
        }
        if let TargetSocket::Connection(_) = socket {
            self.hot.set(Some(notice.token));
        }
        let progress = match socket {
            TargetSocket::Files => {
                instance.files_changed(now);
                Progress::Drained
            }
            TargetSocket::Connection(id) => self.read(instance, id, notice.ended, now),
            TargetSocket::Listener(id) => match instance.acceptable(id, now) {
                Ok(progress) => progress,
                Err(error) => {
                    tracing::warn!(target: "ipcio", "could not accept a connection: {error}; will try again");
                    instance.accept_again(id, now + ACCEPT_PAUSE);
                    Progress::Drained
                }
            },
        };
        if progress == Progress::More {
            instance.watch_again(socket);
        }
        !matches!(progress, Progress::Nothing | Progress::Paused)
    }

    /// Reads all that lies in the sockets by now, of those who are accepted in it too. libuv runs timers before it
    /// looks at sockets, so where the loop was blocked or the process was stopped, what came in time is still there.
    fn catch_up(&self) {
        let mut turns: FxHashMap<Token, u32> = FxHashMap::default();
        loop {
            let notices = self.select();
            if notices.is_empty() {
                return;
            }
            self.waiting.set(None);
            let mut has_more = false;
            for notice in &notices {
                let turns = turns.entry(notice.token).or_default();
                *turns += 1;
                // Whoever goes on to write does not hold up what is due.
                has_more |= *turns <= TURNS_TO_EMPTY;
            }
            self.serve_all(&notices);
            if !has_more {
                return;
            }
        }
    }

    fn elapse(&self) {
        self.armed.set(None);
        // What becomes due while the handlers run has its turn after another look at the sockets.
        let now = Instant::now();
        guard((), || self.catch_up());
        let due: Vec<u32> = {
            let deadlines = self.deadlines.borrow();
            deadlines.iter().take_while(|&&(at, _)| at <= now).map(|&(_, instance)| instance).collect()
        };
        for instance in due.into_iter().filter_map(environment::instance) {
            guard((), || instance.elapsed(now));
            guard((), || instance.turn());
        }
        // The timer may have come a little early, and an instance may have kept its deadline.
        let next = self.deadlines.borrow().first().map(|&(at, _)| at);
        if self.armed.get().is_none()
            && let Some(at) = next
        {
            self.armed.set(next);
            self.start_timer(at);
        }
    }

    /// Reads a connection, for a few buffers. What each of them held is dealt with before the next is read.
    fn read(&self, instance: &Instance, id: ConnectionId, ended: bool, now: Instant) -> Progress {
        for _ in 1..READ_AT_ONCE {
            let progress = instance.readable(id, ended, &mut self.buffer.borrow_mut(), now);
            if progress != Progress::More {
                return progress;
            }
            instance.turn();
        }
        instance.readable(id, ended, &mut self.buffer.borrow_mut(), now)
    }

    fn start_timer(&self, at: Instant) {
        let wait = at.saturating_duration_since(Instant::now());
        // Rounded up: a timer that fires early would only be started again.
        let milliseconds = u64::try_from(wait.as_micros().div_ceil(1000)).unwrap_or(u64::MAX);
        // libuv runs timers until none is due: with one that is due at once it would never come to anything else.
        self.timer.start_timer(milliseconds.max(1), on_timer);
    }
}

unsafe extern "C" fn on_poll(handle: *mut c_void, _status: c_int, _events: c_int) {
    // SAFETY: this is a callback of libuv.
    unsafe { with_loop(handle, EventLoop::turn) };
}

unsafe extern "C" fn on_timer(handle: *mut c_void) {
    // SAFETY: this is a callback of libuv.
    unsafe { with_loop(handle, EventLoop::elapse) };
}

unsafe extern "C" fn on_prepare(handle: *mut c_void) {
    // SAFETY: this is a callback of libuv.
    unsafe { with_loop(handle, EventLoop::poll_busily) };
}

unsafe extern "C" fn on_closed(handle: *mut c_void) {
    guard((), || {
        // SAFETY: this is the callback of `Handle::close`.
        let environment = unsafe {
            let environment = environment::find(Handle::data(handle));
            Handle::release(handle);
            environment
        };
        let Some(environment) = environment else { return };
        let left = environment.event_loop().map_or(0, |event_loop| {
            event_loop.open.set(event_loop.open.get() - 1);
            event_loop.open.get()
        });
        if left == 0 {
            environment::finish(&environment);
        }
    });
}

/// Calls `body` with the loop that a handle belongs to.
///
/// # Safety
/// Only in a callback of libuv, with the handle that it was called with.
unsafe fn with_loop(handle: *mut c_void, body: fn(&EventLoop)) {
    guard((), || {
        // SAFETY: the caller's promise.
        let environment = environment::find(unsafe { Handle::data(handle) });
        let Some(event_loop) = environment.as_deref().and_then(Environment::event_loop) else { return };
        event_loop.env.scope(|_| body(&event_loop));
    });
}
