//! Watches sockets on tokio.

use std::fmt;
use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Weak};
use std::time::Duration;

use rustc_hash::FxHashMap;
use tokio::io::Interest;
use tokio::io::unix::{AsyncFd, AsyncFdReadyGuard};
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};

use crate::io::{Progress, Registry};
use crate::machine::{ConnectionId, ListenerId};

/// How long a listener waits when the system has no descriptor left for a connection.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// What is told of sockets that are ready.
pub(super) trait Ready: Send + Sync {
    /// `ended`: the peer has closed the connection.
    fn readable(&self, id: ConnectionId, ended: bool) -> Progress;
    fn writable(&self, id: ConnectionId);
    fn acceptable(&self, id: ListenerId) -> io::Result<Progress>;
    fn files_changed(&self);
}

/// Watches sockets on tokio, with a task for each.
pub struct TokioRegistry {
    runtime: Handle,
    driver: Weak<dyn Ready>,
    connections: FxHashMap<ConnectionId, Connection>,
    listeners: FxHashMap<ListenerId, Watch>,
    files: Option<Watch>,
}

/// As long as it lives, its task does.
type Watch = oneshot::Sender<()>;

/// Ends a task when it resolves.
type Forgotten = oneshot::Receiver<()>;

struct Connection {
    stream: Arc<UnixStream>,
    again: Arc<Notify>,
    _reads: Watch,
    _writes: Option<Watch>,
}

impl TokioRegistry {
    pub(super) fn new(runtime: Handle, driver: Weak<dyn Ready>) -> TokioRegistry {
        TokioRegistry {
            runtime,
            driver,
            connections: FxHashMap::default(),
            listeners: FxHashMap::default(),
            files: None,
        }
    }

    #[allow(
        deprecated,
        reason = "the successor is unsafe because the descriptor could be closed too early; AsFd rules that out"
    )]
    fn register<T: AsFd + AsRawFd>(&self, socket: T, interest: Interest) -> io::Result<AsyncFd<T>> {
        let _context = self.runtime.enter();
        AsyncFd::with_interest(socket, interest)
    }
}

impl Registry for TokioRegistry {
    fn watch_connection(&mut self, id: ConnectionId, stream: &Arc<UnixStream>) -> io::Result<()> {
        // Not for writing: every read of the peer would wake the task.
        let socket = self.register(stream.clone(), Interest::READABLE)?;
        let (watch, forgotten) = oneshot::channel();
        let again = Arc::new(Notify::new());
        self.runtime.spawn(read(id, socket, self.driver.clone(), again.clone(), forgotten));
        self.connections.insert(id, Connection { stream: stream.clone(), again, _reads: watch, _writes: None });
        Ok(())
    }

    fn watch_listener(&mut self, id: ListenerId, listener: &Arc<UnixListener>) -> io::Result<()> {
        let socket = self.register(listener.clone(), Interest::READABLE)?;
        let (watch, forgotten) = oneshot::channel();
        self.runtime.spawn(accept(id, socket, self.driver.clone(), forgotten));
        self.listeners.insert(id, watch);
        Ok(())
    }

    fn watch_writable(&mut self, id: ConnectionId, stream: &Arc<UnixStream>) -> io::Result<()> {
        // A descriptor can be registered once: this needs one of its own.
        let socket = self.register(stream.try_clone()?, Interest::WRITABLE)?;
        let (watch, forgotten) = oneshot::channel();
        self.runtime.spawn(write(id, socket, self.driver.clone(), forgotten));
        if let Some(connection) = self.connections.get_mut(&id) {
            connection._writes = Some(watch);
        }
        Ok(())
    }

    fn read_again(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get(&id) {
            connection.again.notify_one();
        }
    }

    fn forget_connection(&mut self, id: ConnectionId, _: &Arc<UnixStream>) {
        self.connections.remove(&id);
    }

    fn forget_listener(&mut self, id: ListenerId, _: &Arc<UnixListener>) {
        self.listeners.remove(&id);
    }

    fn watch_files(&mut self, notices: &Arc<OwnedFd>) -> io::Result<()> {
        let notices = self.register(notices.clone(), Interest::READABLE)?;
        let (watch, forgotten) = oneshot::channel();
        self.runtime.spawn(notice(notices, self.driver.clone(), forgotten));
        self.files = Some(watch);
        Ok(())
    }

    fn forget_files(&mut self, _: &Arc<OwnedFd>) {
        self.files = None;
    }
}

impl fmt::Debug for TokioRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokioRegistry").finish_non_exhaustive()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // Its tasks hold descriptors until they have ended; the peer learns of the end now.
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

async fn read(
    id: ConnectionId,
    socket: AsyncFd<Arc<UnixStream>>,
    driver: Weak<dyn Ready>,
    again: Arc<Notify>,
    mut forgotten: Forgotten,
) {
    let mut paused = false;
    loop {
        let mut ready = tokio::select! {
            biased;
            _ = &mut forgotten => return,
            // What it was ready with has not been read.
            () = again.notified(), if paused => None,
            ready = socket.readable() => match ready {
                Ok(ready) => Some(ready),
                Err(_) => return,
            },
        };
        loop {
            // While it is paused, another notice may be that of its end.
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

async fn write(id: ConnectionId, socket: AsyncFd<UnixStream>, driver: Weak<dyn Ready>, forgotten: Forgotten) {
    tokio::select! {
        biased;
        _ = forgotten => return,
        _ = socket.writable() => {}
    }
    // Room may run out again at once, which needs the registration of another descriptor.
    drop(socket);
    if let Some(driver) = driver.upgrade() {
        driver.writable(id);
    }
}

async fn accept(id: ListenerId, socket: AsyncFd<Arc<UnixListener>>, driver: Weak<dyn Ready>, mut forgotten: Forgotten) {
    loop {
        let mut ready = tokio::select! {
            biased;
            _ = &mut forgotten => return,
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
                _ = &mut forgotten => return,
                () = tokio::time::sleep(ACCEPT_AGAIN_AFTER) => {}
            },
        }
    }
}

async fn notice(notices: AsyncFd<Arc<OwnedFd>>, driver: Weak<dyn Ready>, mut forgotten: Forgotten) {
    loop {
        let ready = tokio::select! {
            biased;
            _ = &mut forgotten => return,
            ready = notices.readable() => ready,
        };
        let (Ok(mut ready), Some(driver)) = (ready, driver.upgrade()) else { return };
        driver.files_changed();
        ready.clear_ready();
    }
}
