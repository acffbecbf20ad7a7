//! The sockets of one instance under the loop driver.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use mio::{Interest, Token};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::event_loop::{EventLoop, Target, TargetSocket};
use crate::processors;
use ipcio::driver::io::Registry;
use ipcio::driver::machine::{ConnectionId, ListenerId};

/// A socket that the selector watches. It is forgotten before it is closed.
#[derive(Clone, Copy, Debug)]
struct Watched {
    token: Token,
    descriptor: RawFd,
    /// How long it allows to poll.
    busy_poll: Duration,
}

/// The sockets of one instance.
#[derive(Debug)]
pub(crate) struct LoopRegistry {
    event_loop: Rc<EventLoop>,
    instance: u32,
    connections: FxHashMap<ConnectionId, Watched>,
    listeners: FxHashMap<ListenerId, Watched>,
    files: Option<Watched>,
    /// Connections that wait for room to write.
    blocked: FxHashSet<ConnectionId>,
    /// How long the instance allows to poll.
    busy_poll: Duration,
}

impl LoopRegistry {
    /// For an instance which allows to poll for so long.
    pub(crate) fn new(event_loop: Rc<EventLoop>, instance: u32, busy_poll: Duration) -> LoopRegistry {
        LoopRegistry {
            event_loop,
            instance,
            connections: FxHashMap::default(),
            listeners: FxHashMap::default(),
            files: None,
            blocked: FxHashSet::default(),
            busy_poll,
        }
    }

    /// A connection has room to write. Whether that was waited for.
    pub(crate) fn unblocked(&mut self, id: ConnectionId) -> bool {
        let was_blocked = self.blocked.remove(&id);
        if was_blocked {
            self.watch_again(TargetSocket::Connection(id));
        }
        was_blocked
    }

    /// Asks for another notice of what is ready already: the selector tells of changes only.
    pub(crate) fn watch_again(&self, socket: TargetSocket) {
        let (watched, interest) = match socket {
            TargetSocket::Connection(id) if self.blocked.contains(&id) => {
                (self.connections.get(&id), Interest::READABLE | Interest::WRITABLE)
            }
            TargetSocket::Connection(id) => (self.connections.get(&id), Interest::READABLE),
            TargetSocket::Listener(id) => (self.listeners.get(&id), Interest::READABLE),
            TargetSocket::Files => (self.files.as_ref(), Interest::READABLE),
        };
        if let Some(watched) = watched {
            // It fails only for a socket that is not watched, which nobody waits for.
            let _ = self.event_loop.watch_again(watched.descriptor, watched.token, interest);
        }
    }

    fn watch(&self, descriptor: RawFd, socket: TargetSocket) -> io::Result<Watched> {
        let token = self.event_loop.watch(descriptor, Target { instance: self.instance, socket })?;
        Ok(Watched { token, descriptor, busy_poll: Duration::ZERO })
    }

    fn forget(&self, watched: Option<Watched>) {
        if let Some(watched) = watched {
            self.event_loop.forget(watched.descriptor, watched.token);
        }
    }
}

impl Registry for LoopRegistry {
    fn watch_connection(&mut self, id: ConnectionId, stream: &Arc<UnixStream>) -> io::Result<()> {
        let mut watched = self.watch(stream.as_raw_fd(), TargetSocket::Connection(id))?;
        if !self.busy_poll.is_zero() && processors::run_side_by_side(stream) {
            watched.busy_poll = self.busy_poll;
            self.event_loop.allow_polling(watched.busy_poll);
        }
        self.connections.insert(id, watched);
        Ok(())
    }

    fn watch_listener(&mut self, id: ListenerId, listener: &Arc<UnixListener>) -> io::Result<()> {
        let watched = self.watch(listener.as_raw_fd(), TargetSocket::Listener(id))?;
        self.listeners.insert(id, watched);
        Ok(())
    }

    fn watch_writable(&mut self, id: ConnectionId, _: &Arc<UnixStream>) -> io::Result<()> {
        self.blocked.insert(id);
        self.watch_again(TargetSocket::Connection(id));
        Ok(())
    }

    fn read_again(&mut self, id: ConnectionId) {
        self.watch_again(TargetSocket::Connection(id));
    }

    fn forget_connection(&mut self, id: ConnectionId, _: &Arc<UnixStream>) {
        self.blocked.remove(&id);
        let watched = self.connections.remove(&id);
        if let Some(Watched { busy_poll, .. }) = watched
            && !busy_poll.is_zero()
        {
            self.event_loop.disallow_polling(busy_poll);
        }
        self.forget(watched);
    }

    fn forget_listener(&mut self, id: ListenerId, _: &Arc<UnixListener>) {
        let watched = self.listeners.remove(&id);
        self.forget(watched);
    }

    fn watch_files(&mut self, notices: &Arc<OwnedFd>) -> io::Result<()> {
        self.files = Some(self.watch(notices.as_raw_fd(), TargetSocket::Files)?);
        Ok(())
    }

    fn forget_files(&mut self, _: &Arc<OwnedFd>) {
        let watched = self.files.take();
        self.forget(watched);
    }
}
