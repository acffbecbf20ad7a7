//! Tasks that wait until descriptors are ready.

use std::future::Future;
use std::io;
use std::os::fd::{AsFd, AsRawFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// A task that ends when this is dropped.
pub(super) struct Task(#[expect(dead_code, reason = "dropping it ends the task")] oneshot::Sender<()>);

/// Resolves when the task is to end.
pub(super) type Ended = oneshot::Receiver<()>;

impl Task {
    /// Spawns the task that `f` makes.
    pub(super) fn spawn<F: Future<Output = ()> + Send + 'static>(runtime: &Handle, f: impl FnOnce(Ended) -> F) -> Task {
        let (sender, ended) = oneshot::channel();
        runtime.spawn(f(ended));
        Task(sender)
    }
}

/// Registers a descriptor with the runtime, so that tasks can wait until it is ready.
///
/// # Errors
/// The system's.
#[allow(
    deprecated,
    reason = "the successor is unsafe because the descriptor could be closed too early; AsFd rules that out"
)]
pub(super) fn register<T: AsFd + AsRawFd>(
    runtime: &Handle,
    descriptor: T,
    interest: Interest,
) -> io::Result<AsyncFd<T>> {
    let _context = runtime.enter();
    AsyncFd::with_interest(descriptor, interest)
}
