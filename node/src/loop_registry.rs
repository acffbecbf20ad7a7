//! The sockets of one instance under the loop driver.

use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::event_loop::{FileWatch, Registration, Socket, Watch};
use crate::processors;
use ipcio::driver::io::{Change, ConnectionWatch, Registry};
use ipcio::driver::machine::{ConnectionId, ListenerId};

/// Watches the sockets of one instance.
#[derive(Debug)]
pub(crate) struct LoopRegistry {
    registration: Rc<Registration>,
    /// How long the instance allows to poll.
    busy_poll: Duration,
}

impl LoopRegistry {
    /// For an instance which allows to poll for so long.
    pub(crate) fn new(registration: Rc<Registration>, busy_poll: Duration) -> LoopRegistry {
        LoopRegistry { registration, busy_poll }
    }
}

impl Registry for LoopRegistry {
    type ConnectionWatch = Watch;
    type ListenerWatch = Watch;
    type FileWatch = FileWatch;

    fn watch_connection(&mut self, id: ConnectionId, stream: &Arc<UnixStream>) -> io::Result<Watch> {
        let mut watch = self.registration.watch(stream.as_raw_fd(), Socket::Connection(id))?;
        if !self.busy_poll.is_zero() && processors::run_side_by_side(stream) {
            watch.allow_polling(self.busy_poll);
        }
        Ok(watch)
    }

    fn watch_listener(&mut self, id: ListenerId, listener: &Arc<UnixListener>) -> io::Result<Watch> {
        self.registration.watch(listener.as_raw_fd(), Socket::Listener(id))
    }

    fn watch_file(&mut self, path: &Path, change: Change) -> io::Result<FileWatch> {
        self.registration.watch_file(path, change)
    }
}

impl ConnectionWatch for Watch {
    fn watch_writable(&mut self) -> io::Result<()> {
        self.writable();
        Ok(())
    }

    fn read_again(&self) {
        self.again();
    }
}
