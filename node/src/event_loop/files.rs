//! Watches files for the sources of a loop, with one instance of inotify for all of them.

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::path::Path;
use std::rc::{Rc, Weak};
use std::time::Instant;

use super::source::Source;
use ipcio::driver::io::{self as driver, Change, FileNotices, Progress};
use ipcio::driver::machine::{ConnectionId, ListenerId};

/// A file that a loop watches, until this is dropped.
pub(crate) type FileWatch = driver::FileWatch<Weak<dyn Source>>;

/// The notices of changed files of a loop. As a source it serves those whose files have changed.
pub(super) struct Files {
    notices: FileNotices<Weak<dyn Source>>,
    /// Sources that have been told of changes, and whose events must be handed over.
    told: RefCell<Vec<Rc<dyn Source>>>,
}

impl Files {
    /// Notices of no file yet.
    ///
    /// # Errors
    /// As [`FileNotices::new`].
    pub(super) fn new() -> io::Result<Files> {
        Ok(Files { notices: FileNotices::new()?, told: RefCell::default() })
    }

    /// Can be read when notices have come.
    pub(super) fn descriptor(&self) -> RawFd {
        self.notices.as_raw_fd()
    }

    /// Watches a file for a source, until the result is dropped.
    ///
    /// # Errors
    /// As [`FileNotices::watch`].
    pub(super) fn watch(&self, path: &Path, change: Change, source: Weak<dyn Source>) -> io::Result<FileWatch> {
        self.notices.watch(path, change, source)
    }
}

impl Source for Files {
    fn readable(&self, _: ConnectionId, _: bool, _: &mut [u8], _: Instant) -> Progress {
        Progress::Nothing
    }

    fn writable(&self, _: ConnectionId, _: Instant) {}

    fn acceptable(&self, _: ListenerId, _: Instant) -> Progress {
        Progress::Nothing
    }

    fn files_changed(&self, now: Instant) {
        for source in self.notices.read().iter().filter_map(Weak::upgrade) {
            source.files_changed(now);
            self.told.borrow_mut().push(source);
        }
    }

    fn elapsed(&self, _: Instant) {}

    fn dispatch(&self) {
        for source in self.told.take() {
            source.dispatch();
        }
    }

    fn is_in_bulk(&self, _: ConnectionId) -> bool {
        false
    }
}
