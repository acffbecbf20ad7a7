//! The sockets of a thread, and who is served where one is ready.

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Interest, Token};
use rustc_hash::FxHashMap;

use super::source::{Socket, Source};
use crate::raw::guard;
use ipcio::driver::io::{Progress, READ_BUFFER};
use ipcio::driver::machine::ConnectionId;

/// How many sockets are asked for at once.
const READY_AT_ONCE: usize = 256;

/// How many buffers are read from one connection before others are read.
const READ_AT_ONCE: usize = 8;

/// More connections than that with something to read at once are many.
const FEW: usize = 4;

/// The number of rounds of [`READ_AT_ONCE`] buffers that empty a socket: more does not fit into one.
const ROUNDS_TO_EMPTY: u32 = 4;

/// Watches sockets with epoll or kqueue.
pub(super) struct Selector {
    poll: RefCell<mio::Poll>,
    ready: RefCell<mio::Events>,
    registry: mio::Registry,
    sockets: RefCell<FxHashMap<Token, Watched>>,
    next_token: Cell<usize>,
    /// One for all sockets.
    buffer: RefCell<Vec<u8>>,
    /// The connection that was read last, unless it was one of many.
    hot: Cell<Option<Token>>,
}

/// A socket that is watched.
#[derive(Clone)]
struct Watched {
    source: Weak<dyn Source>,
    socket: Socket,
    descriptor: RawFd,
    /// It waits for room to write.
    blocked: bool,
}

/// What is known of a socket that is ready.
#[derive(Clone, Copy, Debug)]
struct Notice {
    token: Token,
    readable: bool,
    writable: bool,
    /// The peer has closed the connection.
    ended: bool,
}

impl Selector {
    pub(super) fn new() -> io::Result<Selector> {
        let poll = mio::Poll::new()?;
        let registry = poll.registry().try_clone()?;
        Ok(Selector {
            poll: RefCell::new(poll),
            ready: RefCell::new(mio::Events::with_capacity(READY_AT_ONCE)),
            registry,
            sockets: RefCell::default(),
            next_token: Cell::new(0),
            buffer: RefCell::new(vec![0; READ_BUFFER]),
            hot: Cell::new(None),
        })
    }

    /// Is ready to read as soon as a socket is ready.
    pub(super) fn descriptor(&self) -> RawFd {
        self.poll.borrow().as_raw_fd()
    }

    /// Watches a socket of a source for something to read, until [`Selector::forget`].
    pub(super) fn watch(&self, descriptor: RawFd, source: Weak<dyn Source>, socket: Socket) -> io::Result<Token> {
        let token = Token(self.next_token.get());
        self.next_token.set(token.0 + 1);
        self.registry.register(&mut SourceFd(&descriptor), token, Interest::READABLE)?;
        self.sockets.borrow_mut().insert(token, Watched { source, socket, descriptor, blocked: false });
        Ok(token)
    }

    /// Watches it for room to write too, until there is some.
    pub(super) fn watch_writable(&self, token: Token) {
        if let Some(watched) = self.sockets.borrow_mut().get_mut(&token) {
            watched.blocked = true;
        }
        self.watch_again(token);
    }

    /// Asks for another notice of what is ready already: the system tells of changes only.
    pub(super) fn watch_again(&self, token: Token) {
        if let Some(Watched { descriptor, blocked, .. }) = self.sockets.borrow().get(&token) {
            let interest = if *blocked { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
            // It fails only for a socket that is not watched.
            let _ = self.registry.reregister(&mut SourceFd(descriptor), token, interest);
        }
    }

    /// Watches it no longer. To be called before it is closed.
    pub(super) fn forget(&self, token: Token) {
        let watched = self.sockets.borrow_mut().remove(&token);
        if let Some(Watched { descriptor, .. }) = watched {
            // It fails only for a socket that is not watched.
            let _ = self.registry.deregister(&mut SourceFd(&descriptor));
        }
    }

    /// Serves all sockets that are ready. Whether there was anything.
    pub(super) fn serve_ready(&self) -> bool {
        self.serve_all(&self.select())
    }

    /// Reads all that lies in the sockets by now, of those who are accepted in it too. libuv runs timers before it
    /// looks at sockets, so where the loop was blocked or the process was stopped, what came in time is still there.
    /// Whether there was anything.
    pub(super) fn catch_up(&self) -> bool {
        let mut rounds: FxHashMap<Token, u32> = FxHashMap::default();
        loop {
            let notices = self.select();
            if notices.is_empty() {
                return !rounds.is_empty();
            }
            let mut has_more = false;
            for notice in &notices {
                let rounds = rounds.entry(notice.token).or_default();
                *rounds += 1;
                // A peer that goes on to write does not hold up what is due.
                has_more |= *rounds <= ROUNDS_TO_EMPTY;
            }
            self.serve_all(&notices);
            if !has_more {
                return true;
            }
        }
    }

    /// Reads the connection that was read last. Whether there was something.
    pub(super) fn serve_hot(&self, now: Instant) -> bool {
        let Some((token, source, connection)) = self.hot() else { return false };
        match source.readable(connection, false, &mut self.buffer.borrow_mut(), now) {
            Progress::Nothing | Progress::Paused => return false,
            Progress::Drained => {}
            Progress::More => self.watch_again(token),
        }
        source.dispatch();
        true
    }

    /// Whether something small may come from one of few connections. What comes from many, or in bulk, keeps the loop
    /// awake by itself, and costs less the more of it is read at once.
    pub(super) fn expects_little(&self) -> bool {
        self.hot().is_some_and(|(_, source, connection)| !source.is_in_bulk(connection))
    }

    /// The connection that was read last.
    fn hot(&self) -> Option<(Token, Rc<dyn Source>, ConnectionId)> {
        let token = self.hot.get()?;
        let sockets = self.sockets.borrow();
        let Watched { source, socket: Socket::Connection(connection), .. } = sockets.get(&token)? else { return None };
        Some((token, source.upgrade()?, *connection))
    }

    fn select(&self) -> Vec<Notice> {
        let mut ready = self.ready.borrow_mut();
        if self.poll.borrow_mut().poll(&mut ready, Some(Duration::ZERO)).is_err() {
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

    /// Reads what is ready, and gives it to JavaScript. Whether there was anything. A defect that shows with one socket
    /// costs none of the others its notice: the selector would not repeat it.
    fn serve_all(&self, notices: &[Notice]) -> bool {
        let now = Instant::now();
        let mut found = false;
        let mut served: Vec<Rc<dyn Source>> = Vec::new();
        for &notice in notices {
            let Some(watched) = self.sockets.borrow().get(&notice.token).cloned() else { continue };
            let Some(source) = watched.source.upgrade() else { continue };
            found |= guard(true, || self.serve(&*source, &watched, notice, now));
            if !served.iter().any(|other| Rc::ptr_eq(other, &source)) {
                served.push(source);
            }
        }
        if notices.len() > FEW {
            self.hot.set(None);
        }
        for source in served {
            guard((), || source.dispatch());
        }
        found
    }

    fn serve(&self, source: &dyn Source, watched: &Watched, notice: Notice, now: Instant) -> bool {
        if notice.writable
            && watched.blocked
            && let Socket::Connection(connection) = watched.socket
        {
            self.unblock(notice.token);
            source.writable(connection, now);
        }
        if !notice.readable {
            return true;
        }
        let progress = match watched.socket {
            Socket::Connection(connection) => {
                self.hot.set(Some(notice.token));
                self.read(source, connection, notice.ended, now)
            }
            Socket::Listener(listener) => source.acceptable(listener, now),
            Socket::Files => {
                source.files_changed(now);
                Progress::Drained
            }
        };
        if progress == Progress::More {
            self.watch_again(notice.token);
        }
        !matches!(progress, Progress::Nothing | Progress::Paused)
    }

    /// Reads a connection, for a few buffers. What each of them held is dealt with before the next is read.
    fn read(&self, source: &dyn Source, connection: ConnectionId, ended: bool, now: Instant) -> Progress {
        for _ in 1..READ_AT_ONCE {
            let progress = source.readable(connection, ended, &mut self.buffer.borrow_mut(), now);
            if progress != Progress::More {
                return progress;
            }
            source.dispatch();
        }
        source.readable(connection, ended, &mut self.buffer.borrow_mut(), now)
    }

    fn unblock(&self, token: Token) {
        if let Some(watched) = self.sockets.borrow_mut().get_mut(&token) {
            watched.blocked = false;
        }
        self.watch_again(token);
    }
}
