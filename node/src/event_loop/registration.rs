//! A source in a loop, and its sockets there.

use std::cell::Cell;
use std::fmt;
use std::io;
use std::os::fd::RawFd;
use std::path::Path;
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

use mio::Token;

use super::EventLoop;
use super::files::FileWatch;
use super::source::{Socket, Source};
use ipcio::driver::io::Change;

/// A source that a loop serves, until this is dropped.
pub(crate) struct Registration {
    event_loop: Rc<EventLoop>,
    source: Weak<dyn Source>,
    number: u64,
    deadline: Cell<Option<Instant>>,
    active: Cell<bool>,
}

/// A socket that a loop watches, until this is dropped, which comes before the socket is closed.
pub(crate) struct Watch {
    event_loop: Rc<EventLoop>,
    token: Token,
    /// How long it allows to poll.
    allowance: Duration,
}

impl Registration {
    pub(crate) fn new(event_loop: Rc<EventLoop>, source: Weak<dyn Source>) -> Registration {
        let number = event_loop.next_number();
        Registration { event_loop, source, number, deadline: Cell::new(None), active: Cell::new(false) }
    }

    /// Watches a socket for something to read.
    pub(crate) fn watch(&self, descriptor: RawFd, socket: Socket) -> io::Result<Watch> {
        let token = self.event_loop.selector.watch(descriptor, Weak::clone(&self.source), socket)?;
        Ok(Watch { event_loop: Rc::clone(&self.event_loop), token, allowance: Duration::ZERO })
    }

    /// Watches a file, to tell the source when this has happened to it.
    pub(crate) fn watch_file(&self, path: &Path, change: Change) -> io::Result<FileWatch> {
        self.event_loop.files()?.watch(path, change, Weak::clone(&self.source))
    }

    /// The source wants to be told when it is so late.
    pub(crate) fn set_deadline(&self, deadline: Option<Instant>) {
        let before = self.deadline.replace(deadline);
        if before != deadline {
            self.event_loop.deadlines.change(self.number, &self.source, before, deadline);
        }
    }

    /// Whether the source keeps the process alive.
    pub(crate) fn keep_alive(&self, active: bool) {
        if self.active.replace(active) != active {
            self.event_loop.count_active(active);
        }
    }
}

impl Watch {
    /// Watches it for room to write too, until there is some.
    pub(crate) fn writable(&self) {
        self.event_loop.selector.watch_writable(self.token);
    }

    /// Asks for another notice of what is ready already.
    pub(crate) fn again(&self) {
        self.event_loop.selector.watch_again(self.token);
    }

    /// The loop may poll for so long for the sake of this socket.
    pub(crate) fn allow_polling(&mut self, allowance: Duration) {
        self.allowance = allowance;
        self.event_loop.allow_polling(allowance);
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.set_deadline(None);
        self.keep_alive(false);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.event_loop.selector.forget(self.token);
        if !self.allowance.is_zero() {
            self.event_loop.disallow_polling(self.allowance);
        }
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration").field("number", &self.number).finish_non_exhaustive()
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("token", &self.token).finish_non_exhaustive()
    }
}
