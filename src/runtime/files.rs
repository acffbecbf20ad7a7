//! Watches files on tokio. All watches of a runtime share one instance of inotify.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::runtime::{Handle, Id};

use super::task::{Ended, Task, register};
use crate::io::{Change, FileNotices, FileWatch};

/// Is told when files have changed.
pub(super) trait FilesChanged: Send + Sync {
    fn files_changed(&self);
}

/// The file notices of a runtime. They end with the last watch.
pub(super) struct Files {
    runtime: Id,
    notices: FileNotices<Weak<dyn FilesChanged>>,
    _reads: Task,
}

/// The watch on a file. It ends when this is dropped.
pub struct TokioFileWatch {
    // Dropped first.
    _watch: FileWatch<Weak<dyn FilesChanged>>,
    _files: Arc<Files>,
}

impl Files {
    /// The notices of this runtime, created if there are none.
    ///
    /// # Errors
    /// As [`FileNotices::new`].
    pub(super) fn of(runtime: &Handle) -> io::Result<Arc<Files>> {
        let mut all = all().lock();
        if let Some(files) = all.get(&runtime.id()).and_then(Weak::upgrade) {
            return Ok(files);
        }
        let notices = FileNotices::new()?;
        let readable = register(runtime, notices.clone(), Interest::READABLE)?;
        let reads = Task::spawn(runtime, |ended| read(readable, ended));
        let files = Arc::new(Files { runtime: runtime.id(), notices, _reads: reads });
        all.insert(runtime.id(), Arc::downgrade(&files));
        Ok(files)
    }

    /// Watches a file, until the result is dropped.
    ///
    /// # Errors
    /// As [`FileNotices::watch`].
    pub(super) fn watch(
        self: Arc<Files>,
        path: &Path,
        change: Change,
        driver: Weak<dyn FilesChanged>,
    ) -> io::Result<TokioFileWatch> {
        let watch = self.notices.watch(path, change, driver)?;
        Ok(TokioFileWatch { _watch: watch, _files: self })
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let mut all = all().lock();
        // New ones may have been created for the runtime in the meantime.
        if all.get(&self.runtime).is_some_and(|files| files.strong_count() == 0) {
            all.remove(&self.runtime);
        }
    }
}

impl fmt::Debug for TokioFileWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokioFileWatch").finish_non_exhaustive()
    }
}

/// The notices of all runtimes that watch files.
fn all() -> &'static Mutex<FxHashMap<Id, Weak<Files>>> {
    static ALL: OnceLock<Mutex<FxHashMap<Id, Weak<Files>>>> = OnceLock::new();
    ALL.get_or_init(Mutex::default)
}

async fn read(notices: AsyncFd<FileNotices<Weak<dyn FilesChanged>>>, mut watch_ended: Ended) {
    loop {
        let mut ready = tokio::select! {
            biased;
            _ = &mut watch_ended => return,
            ready = notices.readable() => match ready {
                Ok(ready) => ready,
                Err(_) => return,
            },
        };
        ready.clear_ready();
        for driver in notices.get_ref().read() {
            if let Some(driver) = driver.upgrade() {
                driver.files_changed();
            }
        }
    }
}

#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
#[allow(clippy::unwrap_used, reason = "in a test it is an assertion")]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_has_one_instance_as_long_as_something_is_watched_there() {
        let runtime = || tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        let (one, other) = (runtime(), runtime());
        let files = Files::of(one.handle()).unwrap();
        assert!(Arc::ptr_eq(&files, &Files::of(one.handle()).unwrap()));
        assert!(!Arc::ptr_eq(&files, &Files::of(other.handle()).unwrap()));
        assert!(!all().lock().contains_key(&other.handle().id()));
        drop(files);
        assert!(!all().lock().contains_key(&one.handle().id()));
    }
}
