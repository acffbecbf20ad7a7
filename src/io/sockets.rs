//! A state machine with its sockets: carries out its actions, and tells it what has happened.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use rustc_hash::{FxHashMap, FxHashSet};

use super::connection::{Connection, Read};
use super::listener::Listener;
use super::monitor::{Finding, Monitor};
use super::notices::Change;
use super::registry::{Progress, Registry};
use super::socket;
use crate::error::{self, Error};
use crate::machine::{Action, ConnectionId, Events, ListenerId, Machine};

/// How many connections are accepted before other sockets are served.
const ACCEPT_AT_ONCE: usize = 64;

/// The size of a read buffer, in bytes. One buffer serves all connections of a thread. With a larger one, the two sides would
/// take turns, since everything that was read is handled before more is read.
pub const READ_BUFFER: usize = 64 * 1024;

/// So many calls of `acceptable` accept everything that can wait at one listener.
const ACCEPTS_TO_EMPTY: usize = 4096 / ACCEPT_AT_ONCE;

/// So many reads empty one socket, including the short reads of large frames.
const READS_TO_EMPTY: u32 = 64;

/// Up to so many connections are all read before a deadline is handled, even if the driver is not late.
const FEW: usize = 8;

/// A state machine with its sockets.
#[derive(Debug)]
pub struct Io<M, R: Registry> {
    /// The state machine.
    pub machine: M,
    registry: R,
    mode: u32,
    connections: FxHashMap<ConnectionId, Connection<R::ConnectionWatch>>,
    listeners: FxHashMap<ListenerId, Listening<R::ListenerWatch>>,
    /// Monitors the files of the server.
    monitor: Option<Monitor<R::FileWatch>>,
    /// The watch for the socket of a client's server to appear.
    socket_watch: Option<R::FileWatch>,
    /// Connections from which nothing has been read yet.
    unread: FxHashSet<ConnectionId>,
}

/// A listener. Its watch is dropped before its socket.
#[derive(Debug)]
struct Listening<W> {
    watch: W,
    listener: Listener,
}

impl<M: Machine, R: Registry> Io<M, R> {
    /// A machine without sockets. `mode` is the mode of the sockets' files.
    pub fn new(machine: M, registry: R, mode: u32) -> Io<M, R> {
        Io {
            machine,
            registry,
            mode,
            connections: FxHashMap::default(),
            listeners: FxHashMap::default(),
            monitor: None,
            socket_watch: None,
            unread: FxHashSet::default(),
        }
    }

    /// The registry of the driver.
    pub fn registry(&mut self) -> &mut R {
        &mut self.registry
    }

    /// Listens at a path. A socket that an earlier server left there is replaced.
    ///
    /// # Errors
    /// `EADDRINUSE` if a server listens there, [`Code::NotASocket`](crate::error::Code::NotASocket), and the system's.
    pub fn listen(&mut self, id: ListenerId, path: &Path) -> Result<(), Error> {
        let listener = Listener::take_over(path, self.mode)?;
        let watch = self
            .registry
            .watch_listener(id, &listener.socket)
            .map_err(|error| Error::system(&error, &format!("watch {}", path.display())))?;
        let mut monitor = Monitor::new(id);
        monitor.renewed(&listener, &mut self.registry, Instant::now());
        self.monitor = Some(monitor);
        self.listeners.insert(id, Listening { watch, listener });
        Ok(())
    }

    /// Whether another file has taken the path of the server's socket.
    pub fn is_displaced(&self) -> bool {
        self.monitor.as_ref().is_some_and(Monitor::is_displaced)
    }

    /// To be called when a watched file has changed, see [`Registry::watch_file`].
    pub fn files_changed(&mut self, now: Instant) {
        if let Some(monitor) = &mut self.monitor {
            monitor.changed(now);
        }
        // The machine tries to connect. If that fails, it asks for a new watch, which also works if the folder was replaced.
        if self.socket_watch.take().is_some() {
            self.machine.appeared();
        }
    }

    /// When [`Io::elapsed`] is to be called.
    pub fn deadline(&self) -> Option<Instant> {
        let check = self.monitor.as_ref().and_then(Monitor::next_check);
        [self.machine.deadline(), check].into_iter().flatten().min()
    }

    /// Handles everything that is due.
    pub fn elapsed(&mut self, now: Instant, events: &mut dyn Events) {
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if is_due(self.machine.deadline()) {
            self.machine.elapsed(now, events);
        }
        if is_due(self.monitor.as_ref().and_then(Monitor::next_check)) {
            self.check_files(now, events);
        }
    }

    /// Removes the files of all listening sockets. To be called when the process ends without closing them.
    pub fn unlink(&self) {
        self.listeners.values().for_each(|listening| listening.listener.unlink());
    }

    /// Carries out all actions, and writes all bytes that the sockets take.
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

    /// To be called when a connection is readable: reads once, into `buffer` or the memory of a large frame. `ended` says that
    /// the peer has closed the connection and no other notice follows. Then the connection is read to its end.
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
            // After the peer has ended, there is no more to read than a socket holds, so limits do not matter.
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
                    // A short read means that the socket is empty, see epoll(7).
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

    /// Accepts all waiting connections and reads what they sent, before a deadline that this may change. With `all`, reads
    /// all other connections too: the driver is late, so they may have waited as long. To be called before [`Io::elapsed`],
    /// unless the driver knows that no socket is ready.
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

    /// Whether a large frame has arrived in part, or outgoing bytes wait for room in the socket.
    pub fn is_in_bulk(&mut self, id: ConnectionId) -> bool {
        self.connections.get(&id).is_some_and(Connection::is_blocked) || self.machine.read_into(id).is_some()
    }

    /// To be called when a connection has room to write.
    pub fn writable(&mut self, id: ConnectionId, now: Instant, events: &mut dyn Events) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.unblock();
            self.write(id, now, events);
        }
    }

    /// To be called when a connection waits at a listener: accepts up to 64.
    ///
    /// # Errors
    /// The system's, such as `EMFILE`. The driver tries again later.
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

    /// Accepts all waiting connections.
    fn accept_all(&mut self, id: ListenerId, now: Instant, events: &mut dyn Events) {
        for _ in 0..ACCEPTS_TO_EMPTY {
            // If accepting fails, the next notice of the listener leads to the same error, which the driver handles.
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
                self.monitor.take_if(|monitor| monitor.listener == id);
                self.listeners.remove(&id);
            }
            Action::Close(id) => self.remove(id),
            Action::Read(id) => {
                if let Some(connection) = self.connections.get(&id) {
                    connection.read_again();
                }
            }
            Action::WatchFor(path) => {
                if self.socket_watch.is_none() {
                    // If this fails, the machine tries to connect again after a while.
                    self.socket_watch = self.registry.watch_file(&path, Change::Appeared).ok();
                }
            }
            Action::StopWatching => self.socket_watch = None,
        }
    }

    fn check_files(&mut self, now: Instant, events: &mut dyn Events) {
        let Some(monitor) = &mut self.monitor else { return };
        let Some(listening) = self.listeners.get_mut(&monitor.listener) else { return };
        match monitor.check(&mut listening.listener, &mut self.registry, now) {
            Finding::Nothing => {}
            Finding::Displaced => self.machine.displaced(events),
            Finding::Gone => self.listen_again(now, events),
        }
    }

    /// The file of the server's socket is gone: listens on a new one.
    fn listen_again(&mut self, now: Instant, events: &mut dyn Events) {
        let Some(id) = self.monitor.as_ref().map(|monitor| monitor.listener) else { return };
        self.accept_all(id, now, events);
        let (Some(monitor), Some(listening)) = (&mut self.monitor, self.listeners.get_mut(&id)) else { return };
        let listener = &mut listening.listener;
        let former = match listener.renew(self.mode) {
            Ok(former) => former,
            Err(error) => {
                warn_once(monitor.failed(now), &error);
                return;
            }
        };
        match self.registry.watch_listener(id, &listener.socket) {
            Ok(watch) => {
                listening.watch = watch;
                monitor.renewed(listener, &mut self.registry, now);
                self.machine.relistened(events);
            }
            Err(error) => {
                // No connection would be accepted here. The next check finds the path free.
                listener.unlink_socket();
                warn_once(monitor.failed(now), &error);
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

fn warn_once(is_first: bool, error: &dyn std::fmt::Display) {
    if is_first {
        tracing::warn!(target: "ipcio", "the server's socket file was removed and cannot be created again: {error}; the server keeps trying");
    }
}
