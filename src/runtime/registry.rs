//! Watches sockets and files on tokio.

use std::fmt;
use std::io;
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::io::Interest;
use tokio::io::unix::{AsyncFd, AsyncFdReadyGuard};
use tokio::runtime::Handle;
use tokio::sync::Notify;

use super::files::{Files, FilesChanged, TokioFileWatch};
use super::task::{Ended, Task, register};
use crate::io::{Change, ConnectionWatch, Progress, Registry};
use crate::machine::{ConnectionId, ListenerId};

/// How long a listener waits before it accepts again, if the system has no descriptor left for a connection.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Is told when sockets are ready.
pub(super) trait Ready: FilesChanged {
    /// `ended` says that the peer has closed the connection.
    fn readable(&self, id: ConnectionId, ended: bool) -> Progress;
    fn writable(&self, id: ConnectionId);
    fn acceptable(&self, id: ListenerId) -> io::Result<Progress>;
}

/// Watches sockets on tokio, with a task for each.
pub struct TokioRegistry {
    runtime: Handle,
    driver: Weak<dyn Ready>,
}

/// The watch on a connection. It ends when this is dropped.
pub struct TokioConnectionWatch {
    registry: TokioRegistry,
    id: ConnectionId,
    stream: Arc<UnixStream>,
    again: Arc<Notify>,
    _reads: Task,
    writes: Option<Task>,
}

/// The watch on a listener. It ends when this is dropped.
pub struct TokioListenerWatch {
    _accepts: Task,
}

impl TokioRegistry {
    pub(super) fn new(runtime: Handle, driver: Weak<dyn Ready>) -> TokioRegistry {
        TokioRegistry { runtime, driver }
    }
}

impl Registry for TokioRegistry {
    type ConnectionWatch = TokioConnectionWatch;
    type ListenerWatch = TokioListenerWatch;
    type FileWatch = TokioFileWatch;

    fn watch_connection(&mut self, id: ConnectionId, stream: &Arc<UnixStream>) -> io::Result<TokioConnectionWatch> {
        // Not for writing as well: each read of the peer would wake the task.
        let socket = register(&self.runtime, stream.clone(), Interest::READABLE)?;
        let again = Arc::new(Notify::new());
        let reads = Task::spawn(&self.runtime, |ended| read(id, socket, self.driver.clone(), again.clone(), ended));
        let registry = TokioRegistry { runtime: self.runtime.clone(), driver: self.driver.clone() };
        Ok(TokioConnectionWatch { registry, id, stream: stream.clone(), again, _reads: reads, writes: None })
    }

    fn watch_listener(&mut self, id: ListenerId, listener: &Arc<UnixListener>) -> io::Result<TokioListenerWatch> {
        let socket = register(&self.runtime, listener.clone(), Interest::READABLE)?;
        let accepts = Task::spawn(&self.runtime, |ended| accept(id, socket, self.driver.clone(), ended));
        Ok(TokioListenerWatch { _accepts: accepts })
    }

    fn watch_file(&mut self, path: &Path, change: Change) -> io::Result<TokioFileWatch> {
        Files::of(&self.runtime)?.watch(path, change, self.driver.clone())
    }
}

impl ConnectionWatch for TokioConnectionWatch {
    fn watch_writable(&mut self) -> io::Result<()> {
        let TokioRegistry { runtime, driver } = &self.registry;
        // A descriptor can be registered only once, so this needs another one.
        let socket = register(runtime, self.stream.try_clone()?, Interest::WRITABLE)?;
        self.writes = Some(Task::spawn(runtime, |ended| write(self.id, socket, driver.clone(), ended)));
        Ok(())
    }

    fn read_again(&self) {
        self.again.notify_one();
    }
}

impl Drop for TokioConnectionWatch {
    fn drop(&mut self) {
        // The tasks hold descriptors until they end. The peer is to see the end now.
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

impl fmt::Debug for TokioRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokioRegistry").finish_non_exhaustive()
    }
}

impl fmt::Debug for TokioConnectionWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokioConnectionWatch").field("stream", &self.stream).finish_non_exhaustive()
    }
}

impl fmt::Debug for TokioListenerWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokioListenerWatch").finish_non_exhaustive()
    }
}

async fn read(
    id: ConnectionId,
    socket: AsyncFd<Arc<UnixStream>>,
    driver: Weak<dyn Ready>,
    again: Arc<Notify>,
    mut watch_ended: Ended,
) {
    let mut paused = false;
    loop {
        let mut ready = tokio::select! {
            biased;
            _ = &mut watch_ended => return,
            // The socket may hold data of an earlier notice, which was not read.
            () = again.notified(), if paused => None,
            ready = socket.readable() => match ready {
                Ok(ready) => Some(ready),
                Err(_) => return,
            },
        };
        loop {
            // While reading is paused, a notice may report the end of the connection.
            let ended = paused && ready.as_ref().is_some_and(|ready| ready.ready().is_read_closed());
            let Some(progress) = driver.upgrade().map(|driver| driver.readable(id, ended)) else { return };
            paused = progress == Progress::Paused;
            match progress {
                Progress::Nothing | Progress::Drained | Progress::Paused => {
                    ready.iter_mut().for_each(AsyncFdReadyGuard::clear_ready);
                    break;
                }
                Progress::More => tokio::task::yield_now().await,
            }
            if ready.is_some() {
                break;
            }
        }
    }
}

async fn write(id: ConnectionId, socket: AsyncFd<UnixStream>, driver: Weak<dyn Ready>, watch_ended: Ended) {
    tokio::select! {
        biased;
        _ = watch_ended => return,
        _ = socket.writable() => {}
    }
    // The connection may fill up again at once and register another descriptor, so this one goes first.
    drop(socket);
    if let Some(driver) = driver.upgrade() {
        driver.writable(id);
    }
}

async fn accept(id: ListenerId, socket: AsyncFd<Arc<UnixListener>>, driver: Weak<dyn Ready>, mut watch_ended: Ended) {
    loop {
        let mut ready = tokio::select! {
            biased;
            _ = &mut watch_ended => return,
            ready = socket.readable() => match ready {
                Ok(ready) => ready,
                Err(_) => return,
            },
        };
        let Some(progress) = driver.upgrade().map(|driver| driver.acceptable(id)) else { return };
        match progress {
            Ok(Progress::Nothing | Progress::Drained | Progress::Paused) => ready.clear_ready(),
            Ok(Progress::More) => tokio::task::yield_now().await,
            Err(_) => tokio::select! {
                biased;
                _ = &mut watch_ended => return,
                () = tokio::time::sleep(ACCEPT_AGAIN_AFTER) => {}
            },
        }
    }
}
