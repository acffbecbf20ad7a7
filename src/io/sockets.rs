//! A state machine with its sockets: carries out what it wants, and tells it what has happened.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use rustc_hash::{FxHashMap, FxHashSet};

use super::connection::{Connection, Read};
use super::guard::{Finding, Guard};
use super::listener::Listener;
use super::notices::Change;
use super::registry::{Progress, Registry};
use super::socket;
use crate::error::{self, Error};
use crate::machine::{Action, ConnectionId, Events, ListenerId, Machine};

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

/// A state machine with its sockets.
#[derive(Debug)]
pub struct Io<M, R: Registry> {
    /// What decides.
    pub machine: M,
    registry: R,
    mode: u32,
    connections: FxHashMap<ConnectionId, Connection<R::ConnectionWatch>>,
    listeners: FxHashMap<ListenerId, Listening<R::ListenerWatch>>,
    /// What looks after the files of the server.
    guard: Option<Guard<R::FileWatch>>,
    /// For the socket of a server that is not there.
    lookout: Option<R::FileWatch>,
    /// Connections from which nothing has been read.
    unread: FxHashSet<ConnectionId>,
}

/// A listener. The watch is dropped first.
#[derive(Debug)]
struct Listening<W> {
    watch: W,
    listener: Listener,
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
            lookout: None,
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
        let watch = self
            .registry
            .watch_listener(id, &listener.socket)
            .map_err(|error| Error::system(&error, &format!("watch {}", path.display())))?;
        let mut guard = Guard::new(id);
        guard.renewed(&listener, &mut self.registry, Instant::now());
        self.guard = Some(guard);
        self.listeners.insert(id, Listening { watch, listener });
        Ok(())
    }

    /// Whether something else lies in the place of the server's socket.
    pub fn is_displaced(&self) -> bool {
        self.guard.as_ref().is_some_and(Guard::is_displaced)
    }

    /// A file that is watched has changed, see [`Registry::watch_file`].
    pub fn files_changed(&mut self, now: Instant) {
        if let Some(guard) = &mut self.guard {
            guard.changed(now);
        }
        // It is watched anew where the machine finds no server there, whatever has become of the folder.
        if self.lookout.take().is_some() {
            self.machine.appeared();
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
        self.listeners.values().for_each(|listening| listening.listener.unlink());
    }

    /// Carries out all actions and writes all that can be written.
    pub fn flush(&mut self, now: Instant, events: &mut dyn Events) {
        self.machine.prepare(now, events);
        loop {
            if let Some(action) = self.machine.next_action() {
                self.act(action, now, events);
            } else if let Some(id) = self.machine.next_write() {
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
            let Some(connection) = self.connections.get_mut(&id) else { return Progress::Nothing };
            // What a peer left behind that has ended is no more than a socket holds.
            if !self.machine.may_read(id) && !ended {
                return Progress::Paused;
            }
            match connection.read(self.machine.read_into(id), buffer) {
                Ok(Read { count: 0, .. }) => {
                    self.end(id, now, events);
                    return Progress::Drained;
                }
                Ok(Read { count, is_direct, is_short, is_first }) => {
                    if is_first {
                        self.unread.remove(&id);
                    }
                    let bytes = if is_direct { &[] } else { &buffer[..count] };
                    self.machine.received(id, bytes, now, events);
                    // A short read has emptied the socket, see epoll(7).
                    return if is_short && !ended { Progress::Drained } else { Progress::More };
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
        self.connections.get(&id).is_some_and(Connection::is_blocked) || self.machine.read_into(id).is_some()
    }

    /// There is room to write.
    pub fn writable(&mut self, id: ConnectionId, now: Instant, events: &mut dyn Events) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.unblock();
            self.write(id, now, events);
        }
    }

    /// Somebody connects.
    pub fn acceptable(&mut self, id: ListenerId, now: Instant, events: &mut dyn Events) -> io::Result<Progress> {
        for _ in 0..ACCEPT_AT_ONCE {
            let Some(listening) = self.listeners.get(&id) else { return Ok(Progress::Drained) };
            let stream = match socket::accept(&listening.listener.socket) {
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
                let bound = Listener::bind(&path, self.mode).and_then(|bound| {
                    let watch = self.registry.watch_listener(listener, &bound.socket)?;
                    Ok(Listening { watch, listener: bound })
                });
                match bound {
                    Ok(listening) => {
                        self.listeners.insert(listener, listening);
                    }
                    Err(_) => self.machine.listening_failed(listener, now, events),
                }
            }
            Action::StopListening(id) => {
                self.guard.take_if(|guard| guard.listener == id);
                self.listeners.remove(&id);
            }
            Action::Close(id) => self.remove(id),
            Action::Read(id) => {
                if let Some(connection) = self.connections.get(&id) {
                    connection.read_again();
                }
            }
            Action::WatchFor(path) => {
                if self.lookout.is_none() {
                    // Where that can't be had, the machine tries again by itself.
                    self.lookout = self.registry.watch_file(&path, Change::Appeared).ok();
                }
            }
            Action::StopWatching => self.lookout = None,
        }
    }

    fn look_after_files(&mut self, now: Instant, events: &mut dyn Events) {
        let Some(guard) = &mut self.guard else { return };
        let Some(listening) = self.listeners.get_mut(&guard.listener) else { return };
        match guard.look(&mut listening.listener, &mut self.registry, now) {
            Finding::Nothing => {}
            Finding::Displaced => self.machine.displaced(events),
            Finding::Gone => self.listen_anew(now, events),
        }
    }

    /// The file of the server's socket is gone: makes another one.
    fn listen_anew(&mut self, now: Instant, events: &mut dyn Events) {
        let Some(id) = self.guard.as_ref().map(|guard| guard.listener) else { return };
        self.accept_all(id, now, events);
        let (Some(guard), Some(listening)) = (&mut self.guard, self.listeners.get_mut(&id)) else { return };
        let listener = &mut listening.listener;
        let former = match listener.renew(self.mode) {
            Ok(former) => former,
            Err(error) => {
                complain(guard.failed(now), &error);
                return;
            }
        };
        match self.registry.watch_listener(id, &listener.socket) {
            Ok(watch) => {
                listening.watch = watch;
                guard.renewed(listener, &mut self.registry, now);
                self.machine.relistened(events);
            }
            Err(error) => {
                // Nobody would be accepted: the next look finds it gone.
                listener.unlink_socket();
                complain(guard.failed(now), &error);
            }
        }
        drop(former);
    }

    pub(super) fn add(&mut self, id: ConnectionId, stream: Arc<UnixStream>) -> bool {
        let Ok(watch) = self.registry.watch_connection(id, &stream) else { return false };
        self.connections.insert(id, Connection::new(watch, stream));
        self.unread.insert(id);
        true
    }

    fn remove(&mut self, id: ConnectionId) {
        self.connections.remove(&id);
        self.unread.remove(&id);
    }

    /// The peer has ended the connection.
    fn end(&mut self, id: ConnectionId, now: Instant, events: &mut dyn Events) {
        self.remove(id);
        self.machine.lost(id, now, events);
    }

    fn write(&mut self, id: ConnectionId, now: Instant, events: &mut dyn Events) {
        loop {
            let Some(connection) = self.connections.get_mut(&id) else { return };
            let bytes = self.machine.unwritten(id);
            if bytes.is_empty() {
                return;
            }
            match connection.write(bytes) {
                Ok(0) => return,
                Ok(count) => self.machine.written(id, count, now, events),
                Err(_) => {
                    self.end(id, now, events);
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
