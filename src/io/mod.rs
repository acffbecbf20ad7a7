//! Carries out what a state machine wants: sockets, reads and writes. It waits for nothing itself: its driver
//! tells it what is ready, be that Node's event loop or tokio.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "it has the sockets, the clock and the threads"
)]

mod guard;
mod listener;
mod lock;
mod notices;
mod socket;
#[cfg(test)]
mod tests;
mod users;

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::error::{self, Error};
use crate::machine::{Action, ConnectionId, Events, ListenerId, Machine};
use guard::{Finding, Guard};
use listener::Listener;

/// How many connections are accepted before others have their turn.
const ACCEPT_AT_ONCE: usize = 64;

/// The size that a read buffer should have, in bytes; one serves all connections of a thread. With a larger one
/// the two sides would take turns: what was read is dealt with, and answered, before more is read.
pub const READ_BUFFER: usize = 64 * 1024;

/// What waits at one listener at most is accepted in so many turns.
const ACCEPTS_TO_EMPTY: usize = 4096 / ACCEPT_AT_ONCE;

/// What one socket holds at most is read by so many reads, the short ones of large frames included.
const READS_TO_EMPTY: u32 = 64;

/// So many connections are read before anything is due, late or not.
const FEW: usize = 8;

/// How much is read after the end of a large frame, in bytes: likely another one begins there, most of which
/// can then be read to where it belongs.
const READ_AFTER_LARGE: usize = 4 * 1024;

/// Tells a driver which sockets to watch.
pub trait Registry {
    /// Watch for something to read.
    fn watch_connection(&mut self, id: ConnectionId, stream: &Arc<UnixStream>) -> io::Result<()>;
    /// Watch for connections.
    fn watch_listener(&mut self, id: ListenerId, listener: &Arc<UnixListener>) -> io::Result<()>;
    /// Watch for room to write, until [`Io::writable`] was called.
    fn watch_writable(&mut self, id: ConnectionId, stream: &Arc<UnixStream>) -> io::Result<()>;
    /// It may be read again, see [`Progress::Paused`]; it may be ready already.
    fn read_again(&mut self, id: ConnectionId);
    /// Watch no longer.
    fn forget_connection(&mut self, id: ConnectionId, stream: &Arc<UnixStream>);
    /// Watch no longer.
    fn forget_listener(&mut self, id: ListenerId, listener: &Arc<UnixListener>);
    /// Watch for notices that files have changed, to call [`Io::files_changed`] then.
    fn watch_files(&mut self, notices: &Arc<OwnedFd>) -> io::Result<()>;
    /// Watch no longer.
    fn forget_files(&mut self, notices: &Arc<OwnedFd>);
}

/// Whether more may be ready than was dealt with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// There was nothing.
    Nothing,
    /// Nothing is left: wait for the next notice.
    Drained,
    /// It is not to be read for now: wait for [`Registry::read_again`].
    Paused,
    /// Come back after others have had their turn.
    More,
}

/// A state machine with its sockets.
#[derive(Debug)]
pub struct Io<M, R: Registry> {
    /// What decides.
    pub machine: M,
    registry: R,
    mode: u32,
    connections: FxHashMap<ConnectionId, Socket>,
    listeners: FxHashMap<ListenerId, Listener>,
    /// What looks after the files of the server.
    guard: Option<Guard>,
    /// Connections from which nothing has been read.
    unread: FxHashSet<ConnectionId>,
}

#[derive(Debug)]
struct Socket {
    stream: Arc<UnixStream>,
    /// The driver watches for room to write.
    blocked: bool,
    /// Nothing can be written any more. What the peer wrote before is still read.
    broken: bool,
    /// The last read was one of the rest of a large frame.
    was_direct: bool,
    /// Nothing has been read.
    is_unread: bool,
}

impl<M: Machine, R: Registry> Io<M, R> {
    /// A machine without sockets. `mode` is that of the sockets' files.
    pub fn new(machine: M, registry: R, mode: u32) -> Io<M, R> {
        Io {
            machine,
            registry,
            mode,
            connections: FxHashMap::default(),
            listeners: FxHashMap::default(),
            guard: None,
            unread: FxHashSet::default(),
        }
    }

    /// What watches the sockets.
    pub fn registry(&mut self) -> &mut R {
        &mut self.registry
    }

    /// Listens at a path that a server before may have left behind.
    ///
    /// # Errors
    /// `EADDRINUSE` for a live server, [`crate::error::Code::NotASocket`], and the system's.
    pub fn listen(&mut self, id: ListenerId, path: &Path) -> Result<(), Error> {
        let listener = Listener::take_over(path, self.mode)?;
        self.registry
            .watch_listener(id, &listener.socket)
            .map_err(|error| Error::system(&error, &format!("watch {}", path.display())))?;
        let mut guard = Guard::new(id);
        let can_watch = |notices| self.registry.watch_files(notices).is_ok();
        if !guard.descriptor().is_some_and(can_watch) {
            guard.do_without_notices();
        }
        guard.renewed(&listener, Instant::now());
        self.guard = Some(guard);
        self.listeners.insert(id, listener);
        Ok(())
    }

    /// Whether something else lies in the place of the server's socket.
    pub fn is_displaced(&self) -> bool {
        self.guard.as_ref().is_some_and(Guard::is_displaced)
    }

    /// There are notices of changed files.
    pub fn files_changed(&mut self, now: Instant) {
        if let Some(guard) = &mut self.guard {
            guard.changed(now);
        }
    }

    /// When [`Io::elapsed`] has to be called.
    pub fn deadline(&self) -> Option<Instant> {
        let look = self.guard.as_ref().and_then(Guard::look_at);
        [self.machine.deadline(), look].into_iter().flatten().min()
    }

    /// The deadline may have passed: does what is due.
    pub fn elapsed(&mut self, now: Instant, events: &mut dyn Events) {
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if is_due(self.machine.deadline()) {
            self.machine.elapsed(now, events);
        }
        if is_due(self.guard.as_ref().and_then(Guard::look_at)) {
            self.look_after_files(now, events);
        }
    }

    /// Takes the files of all listening sockets away, when the process ends without closing them.
    pub fn unlink(&self) {
        self.listeners.values().for_each(Listener::unlink);
    }

    /// Carries out all actions and writes all that can be written.
    pub fn flush(&mut self, now: Instant, events: &mut dyn Events) {
        self.machine.settle(now, events);
        loop {
            if let Some(action) = self.machine.next_action() {
                self.act(action, now, events);
            } else if let Some(id) = self.machine.next_dirty() {
                self.write(id, now, events);
            } else {
                return;
            }
        }
    }

    /// There is something to read: reads once. `ended` says that the peer has closed the connection: there will be no other
    /// notice, so it is read to its end.
    pub fn readable(
        &mut self,
        id: ConnectionId,
        ended: bool,
        buffer: &mut [u8],
        now: Instant,
        events: &mut dyn Events,
    ) -> Progress {
        loop {
            let Some(socket) = self.connections.get_mut(&id) else { return Progress::Nothing };
            // What a peer left behind that has ended is no more than a socket holds.
            if !self.machine.may_read(id) && !ended {
                return Progress::Paused;
            }
            let direct = self.machine.read_into(id);
            let is_direct = direct.is_some();
            let (room, result) = match direct {
                Some(rest) => (rest.capacity() - rest.len(), socket::read_into(&socket.stream, rest)),
                None => {
                    let room = if socket.was_direct { buffer.len().min(READ_AFTER_LARGE) } else { buffer.len() };
                    (room, socket::read(&socket.stream, &mut buffer[..room]))
                }
            };
            match result {
                Ok(0) => {
                    self.end(id, now, events);
                    return Progress::Drained;
                }
                Ok(count) => {
                    socket.was_direct = is_direct;
                    if std::mem::take(&mut socket.is_unread) {
                        self.unread.remove(&id);
                    }
                    let bytes = if is_direct { &[] } else { &buffer[..count] };
                    self.machine.received(id, bytes, now, events);
                    // A short read has emptied the socket, see epoll(7).
                    return if count < room && !ended { Progress::Drained } else { Progress::More };
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Progress::Nothing,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => {
                    self.end(id, now, events);
                    return Progress::Drained;
                }
            }
        }
    }

    /// Accepts all who wait and reads what they sent, which may be what something that is due waits for. `all`: reads
    /// all others too, since the driver comes late. To be called before [`Machine::elapsed`] where the driver does not
    /// know by itself that nothing is ready.
    pub fn catch_up(&mut self, all: bool, buffer: &mut [u8], now: Instant, events: &mut dyn Events) {
        let listeners: Vec<ListenerId> = self.listeners.keys().copied().collect();
        for id in listeners {
            self.accept_all(id, now, events);
        }
        let ids: Vec<ConnectionId> = if all || self.connections.len() <= FEW {
            self.connections.keys().copied().collect()
        } else {
            self.unread.iter().copied().collect()
        };
        for id in ids {
            for _ in 0..READS_TO_EMPTY {
                if self.readable(id, false, buffer, now, events) != Progress::More {
                    break;
                }
            }
        }
    }

    /// Whether the rest of a large frame is on its way in, or what goes out waits for room.
    pub fn is_in_bulk(&mut self, id: ConnectionId) -> bool {
        self.connections.get(&id).is_some_and(|socket| socket.blocked) || self.machine.read_into(id).is_some()
    }

    /// There is room to write.
    pub fn writable(&mut self, id: ConnectionId, now: Instant, events: &mut dyn Events) {
        if let Some(socket) = self.connections.get_mut(&id) {
            socket.blocked = false;
            self.write(id, now, events);
        }
    }

    /// Somebody connects.
    pub fn acceptable(&mut self, id: ListenerId, now: Instant, events: &mut dyn Events) -> io::Result<Progress> {
        for _ in 0..ACCEPT_AT_ONCE {
            let Some(listener) = self.listeners.get(&id) else { return Ok(Progress::Drained) };
            let stream = match socket::accept(&listener.socket) {
                Ok(stream) => Arc::new(stream),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Progress::Drained),
                Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted) => {
                    continue;
                }
                Err(error) => return Err(error),
            };
            let Ok(peer) = socket::credentials(&stream) else { continue };
            if let Some(connection) = self.machine.accepted(id, peer, now, events)
                && !self.add(connection, stream)
            {
                self.machine.lost(connection, now, events);
            }
        }
        Ok(Progress::More)
    }

    /// Accepts all who wait.
    fn accept_all(&mut self, id: ListenerId, now: Instant, events: &mut dyn Events) {
        for _ in 0..ACCEPTS_TO_EMPTY {
            // Where none can be accepted, the listener's own notice leads to that again.
            if !matches!(self.acceptable(id, now, events), Ok(Progress::More)) {
                break;
            }
        }
    }

    fn act(&mut self, action: Action, now: Instant, events: &mut dyn Events) {
        match action {
            Action::Connect { connection, path } => match socket::connect(&path) {
                Ok(stream) => {
                    let stream = Arc::new(stream);
                    match socket::credentials(&stream) {
                        Ok(peer) if self.add(connection, stream) => self.machine.opened(connection, peer, now, events),
                        _ => self.machine.lost(connection, now, events),
                    }
                }
                Err(error) => {
                    let error = error::not_connected(&error, &path.display().to_string());
                    self.machine.connect_failed(connection, error, now, events);
                }
            },
            Action::Listen { listener, path } => {
                let bound = Listener::bind(&path, self.mode)
                    .and_then(|bound| self.registry.watch_listener(listener, &bound.socket).map(|()| bound));
                match bound {
                    Ok(bound) => {
                        self.listeners.insert(listener, bound);
                    }
                    Err(_) => self.machine.listening_failed(listener, now, events),
                }
            }
            Action::StopListening(id) => {
                if let Some(guard) = self.guard.take_if(|guard| guard.listener == id)
                    && let Some(notices) = guard.descriptor()
                {
                    self.registry.forget_files(notices);
                }
                if let Some(listener) = self.listeners.remove(&id) {
                    self.registry.forget_listener(id, &listener.socket);
                }
            }
            Action::Close(id) => self.remove(id),
            Action::Read(id) => {
                if self.connections.contains_key(&id) {
                    self.registry.read_again(id);
                }
            }
        }
    }

    fn look_after_files(&mut self, now: Instant, events: &mut dyn Events) {
        let Some(guard) = &mut self.guard else { return };
        let Some(listener) = self.listeners.get_mut(&guard.listener) else { return };
        match guard.look(listener, now) {
            Finding::Nothing => {}
            Finding::Displaced => self.machine.displaced(events),
            Finding::Gone => self.listen_anew(now, events),
        }
    }

    /// The file of the server's socket is gone: makes another one.
    fn listen_anew(&mut self, now: Instant, events: &mut dyn Events) {
        let Some(id) = self.guard.as_ref().map(|guard| guard.listener) else { return };
        self.accept_all(id, now, events);
        let (Some(guard), Some(listener)) = (&mut self.guard, self.listeners.get_mut(&id)) else { return };
        match listener.renew(self.mode) {
            Ok(former) => {
                self.registry.forget_listener(id, &former);
                if let Err(error) = self.registry.watch_listener(id, &listener.socket) {
                    // Nobody would be accepted: the next look finds it gone.
                    listener.unlink_socket();
                    complain(guard.failed(now), &error);
                    return;
                }
                guard.renewed(listener, now);
                self.machine.relistened(events);
            }
            Err(error) => complain(guard.failed(now), &error),
        }
    }

    fn add(&mut self, id: ConnectionId, stream: Arc<UnixStream>) -> bool {
        if self.registry.watch_connection(id, &stream).is_err() {
            return false;
        }
        self.connections
            .insert(id, Socket { stream, blocked: false, broken: false, was_direct: false, is_unread: true });
        self.unread.insert(id);
        true
    }

    fn remove(&mut self, id: ConnectionId) {
        if let Some(socket) = self.connections.remove(&id) {
            self.unread.remove(&id);
            self.registry.forget_connection(id, &socket.stream);
        }
    }

    /// The peer has ended the connection.
    fn end(&mut self, id: ConnectionId, now: Instant, events: &mut dyn Events) {
        self.remove(id);
        self.machine.lost(id, now, events);
    }

    fn write(&mut self, id: ConnectionId, now: Instant, events: &mut dyn Events) {
        loop {
            let Some(socket) = self.connections.get_mut(&id) else { return };
            let bytes = self.machine.unwritten(id);
            if bytes.is_empty() || socket.blocked || socket.broken {
                return;
            }
            match socket::write(&socket.stream, bytes) {
                Ok(count) => self.machine.written(id, count, now, events),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    socket.blocked = true;
                    if self.registry.watch_writable(id, &socket.stream).is_err() {
                        self.end(id, now, events);
                    }
                    return;
                }
                // The end follows when everything that the peer wrote has been read.
                Err(_) => {
                    socket.broken = true;
                    return;
                }
            }
        }
    }
}

fn complain(is_news: bool, error: &dyn std::fmt::Display) {
    if is_news {
        tracing::warn!(target: "ipcio", "the server's socket was removed, and could not be made anew: {error}; will try again");
    }
}
