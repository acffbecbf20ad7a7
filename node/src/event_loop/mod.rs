//! The loop driver: the JavaScript thread owns the sockets, and reads them on Node's own event loop.
//!
//! One `uv_poll` watches the selector (epoll, kqueue) that holds all sockets of the thread, one `uv_timer`
//! serves all deadlines. No thread stands between a socket and its handler, so a message costs one wake-up.
//!
//! The loop serves [`Source`]s, with a [`Registration`] each and a [`Watch`] for each of their sockets.

#![allow(unsafe_code, reason = "functions that libuv calls, which is C")]

mod busy_poll;
mod deadlines;
mod files;
mod polling;
mod preemption;
mod registration;
mod selector;
mod source;

use std::cell::{Cell, OnceCell};
use std::ffi::{c_int, c_void};
use std::fmt;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use self::deadlines::Deadlines;
use self::files::Files;
use self::polling::Polling;
use self::selector::Selector;
use crate::libuv::{Handle, Loop};
use crate::raw::{Env, Scope, guard};

pub(crate) use self::files::FileWatch;
pub(crate) use self::registration::{Registration, Watch};
pub(crate) use self::source::{Socket, Source};

/// What a thread needs to read its sockets on its event loop.
pub(crate) struct EventLoop {
    env: Env,
    uv: Loop,
    selector: Selector,
    deadlines: Deadlines,
    polling: Polling,
    poll: Handle,
    prepare: Handle,
    /// Keeps the loop from waiting before its next iteration.
    immediate: Handle,
    /// The notices of changed files, from the first watch over one on.
    files: OnceCell<Rc<Files>>,
    /// How many sources there have been.
    sources: Cell<u64>,
    /// Sources that keep the process alive.
    active: Cell<usize>,
    /// Handles that libuv has not closed yet.
    open: Cell<usize>,
    on_closed: Cell<Option<Box<dyn FnOnce()>>>,
}

impl EventLoop {
    /// Begins to watch the loop of an environment, until it is closed.
    pub(crate) fn new(env: Env) -> io::Result<Rc<EventLoop>> {
        let missing = || io::Error::from(io::ErrorKind::Unsupported);
        let uv = Loop::of(env).ok_or_else(missing)?;
        let selector = Selector::new()?;
        let poll = uv.poll(selector.descriptor()).ok_or_else(missing)?;
        let deadlines = Deadlines::new(uv.timer().ok_or_else(missing)?, on_timer);
        let event_loop = Rc::new(EventLoop {
            env,
            uv,
            selector,
            deadlines,
            polling: Polling::default(),
            poll,
            prepare: uv.prepare().ok_or_else(missing)?,
            immediate: uv.timer().ok_or_else(missing)?,
            files: OnceCell::new(),
            sources: Cell::new(0),
            active: Cell::new(0),
            open: Cell::new(0),
            on_closed: Cell::new(None),
        });
        for handle in event_loop.handles() {
            handle.set_owner(&event_loop);
        }
        event_loop.poll.start_poll(on_poll);
        Ok(event_loop)
    }

    /// Closes it; `on_closed` is called once that is complete, in a later iteration of the loop.
    pub(crate) fn close(&self, on_closed: impl FnOnce() + 'static) {
        self.on_closed.set(Some(Box::new(on_closed)));
        for handle in self.handles() {
            self.open.set(self.open.get() + 1);
            handle.close(on_handle_closed);
        }
    }

    fn handles(&self) -> [&Handle; 4] {
        [&self.poll, self.deadlines.timer(), &self.prepare, &self.immediate]
    }

    /// The notices of changed files.
    fn files(&self) -> io::Result<&Files> {
        if let Some(files) = self.files.get() {
            return Ok(files);
        }
        let files = Rc::new(Files::new()?);
        let source: Rc<dyn Source> = files.clone();
        self.selector.watch(files.descriptor(), Rc::downgrade(&source), Socket::Files)?;
        Ok(self.files.get_or_init(|| files))
    }

    fn next_number(&self) -> u64 {
        self.sources.set(self.sources.get() + 1);
        self.sources.get()
    }

    /// A source began or ceased to keep the process alive.
    fn count_active(&self, active: bool) {
        let before = self.active.get();
        let after = if active { before + 1 } else { before - 1 };
        self.active.set(after);
        if before == 0 || after == 0 {
            self.poll.keep_alive(active);
        }
    }

    fn allow_polling(&self, allowance: Duration) {
        if !self.polling.is_allowed() {
            self.prepare.start_prepare(on_prepare);
        }
        self.polling.allow(allowance);
    }

    fn disallow_polling(&self, allowance: Duration) {
        self.polling.disallow(allowance);
        if !self.polling.is_allowed() {
            self.prepare.stop_prepare();
        }
    }

    /// The loop has waited: reads everything that is ready.
    fn ready(&self) {
        self.polling.woken();
        self.selector.serve_ready();
    }

    fn elapsed(&self) {
        self.deadlines.came();
        // What becomes due while the handlers run is served after another look at the sockets.
        let now = Instant::now();
        guard((), || {
            if self.selector.catch_up() {
                self.polling.not_waited();
            }
        });
        for source in self.deadlines.due(now) {
            guard((), || source.elapsed(now));
            guard((), || source.dispatch());
        }
        self.deadlines.start_again();
    }

    fn about_to_wait(&self) {
        if self.polling.poll(&self.selector, self.uv) {
            self.immediate.start_timer(0, on_immediate);
        }
    }
}

impl fmt::Debug for EventLoop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventLoop").finish_non_exhaustive()
    }
}

unsafe extern "C" fn on_poll(handle: *mut c_void, _status: c_int, _events: c_int) {
    // SAFETY: this is a callback of libuv.
    unsafe { with_loop(handle, EventLoop::ready) };
}

unsafe extern "C" fn on_timer(handle: *mut c_void) {
    // SAFETY: this is a callback of libuv.
    unsafe { with_loop(handle, EventLoop::elapsed) };
}

unsafe extern "C" fn on_prepare(handle: *mut c_void) {
    // SAFETY: this is a callback of libuv.
    unsafe { with_loop(handle, EventLoop::about_to_wait) };
}

unsafe extern "C" fn on_immediate(_: *mut c_void) {}

unsafe extern "C" fn on_handle_closed(handle: *mut c_void) {
    guard((), || {
        // SAFETY: this is the callback of `Handle::close`, of a handle whose owner is an event loop.
        let Some(event_loop) = (unsafe { Handle::release::<EventLoop>(handle) }) else { return };
        event_loop.open.set(event_loop.open.get() - 1);
        if event_loop.open.get() == 0
            && let Some(on_closed) = event_loop.on_closed.take()
        {
            on_closed();
        }
    });
}

/// Calls `body` with the loop that a handle belongs to.
///
/// # Safety
/// Only in a callback of libuv, with the handle that it was called with.
unsafe fn with_loop(handle: *mut c_void, body: fn(&EventLoop)) {
    guard((), || {
        // SAFETY: the caller's promise; the owner of each handle is an event loop.
        let Some(event_loop) = (unsafe { Handle::owner::<EventLoop>(handle) }) else { return };
        Scope::open(event_loop.env, |_| body(&event_loop));
    });
}
