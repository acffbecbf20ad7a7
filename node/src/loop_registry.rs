//! The sockets of one instance under the loop driver.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustc_hash::FxHashMap;

use crate::event_loop::{Registration, Socket, Watch};
use crate::processors;
use ipcio::driver::io::Registry;
use ipcio::driver::machine::{ConnectionId, ListenerId};

/// Watches the sockets of one instance.
#[derive(Debug)]
pub(crate) struct LoopRegistry {
    registration: Rc<Registration>,
    connections: FxHashMap<ConnectionId, Watch>,
    listeners: FxHashMap<ListenerId, Watch>,
    files: Option<Watch>,
    /// How long the instance allows to poll.
    busy_poll: Duration,
}

impl LoopRegistry {
    /// For an instance which allows to poll for so long.
    pub(crate) fn new(registration: Rc<Registration>, busy_poll: Duration) -> LoopRegistry {
        LoopRegistry {
            registration,
            connections: FxHashMap::default(),
            listeners: FxHashMap::default(),
            files: None,
            busy_poll,
        }
    }
}

impl Registry for LoopRegistry {
    fn watch_connection(&mut self, id: ConnectionId, stream: &Arc<UnixStream>) -> io::Result<()> {
        let mut watch = self.registration.watch(stream.as_raw_fd(), Socket::Connection(id))?;
        if !self.busy_poll.is_zero() && processors::run_side_by_side(stream) {
            watch.allow_polling(self.busy_poll);
        }
        self.connections.insert(id, watch);
        Ok(())
    }

    fn watch_listener(&mut self, id: ListenerId, listener: &Arc<UnixListener>) -> io::Result<()> {
        let watch = self.registration.watch(listener.as_raw_fd(), Socket::Listener(id))?;
        self.listeners.insert(id, watch);
        Ok(())
    }

    fn watch_writable(&mut self, id: ConnectionId, _: &Arc<UnixStream>) -> io::Result<()> {
        if let Some(watch) = self.connections.get(&id) {
            watch.writable();
        }
        Ok(())
    }

    fn read_again(&mut self, id: ConnectionId) {
        if let Some(watch) = self.connections.get(&id) {
            watch.again();
        }
    }

    fn forget_connection(&mut self, id: ConnectionId, _: &Arc<UnixStream>) {
        self.connections.remove(&id);
    }

    fn forget_listener(&mut self, id: ListenerId, _: &Arc<UnixListener>) {
        self.listeners.remove(&id);
    }

    fn watch_files(&mut self, notices: &Arc<OwnedFd>) -> io::Result<()> {
        self.files = Some(self.registration.watch(notices.as_raw_fd(), Socket::Files)?);
        Ok(())
    }

    fn forget_files(&mut self, _: &Arc<OwnedFd>) {
        self.files = None;
    }
}
