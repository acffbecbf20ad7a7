//! Notices of the system that a file was removed, replaced or moved away. Nothing else makes one, so that they cost
//! nothing while all is well.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

/// A descriptor that can be read when something has happened to one of the files.
#[derive(Clone, Debug)]
pub(super) struct Notices(Arc<OwnedFd>);

impl Notices {
    /// For no file yet. `None` where the system gives no notices, or no more of them.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(super) fn new() -> Option<Notices> {
        use rustix::fs::inotify::{CreateFlags, init};
        init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok().map(|descriptor| Notices(Arc::new(descriptor)))
    }

    /// For no file yet. `None` where the system gives no notices, or no more of them.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(super) fn new() -> Option<Notices> {
        None
    }

    /// What is to be watched for something to read.
    pub(super) fn descriptor(&self) -> &Arc<OwnedFd> {
        &self.0
    }

    /// Gives notice of this file, too. Whether it does.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(super) fn watch(&self, path: &Path) -> bool {
        use rustix::fs::inotify::{WatchFlags, add_watch};
        // A file that is open is deleted only when it is closed; its number of links changes at once.
        let changes = WatchFlags::ATTRIB | WatchFlags::DELETE_SELF | WatchFlags::MOVE_SELF | WatchFlags::DONT_FOLLOW;
        add_watch(&*self.0, path, changes).is_ok()
    }

    /// Gives notice of this file, too. Whether it does.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    #[expect(clippy::unused_self, reason = "other systems need it")]
    pub(super) fn watch(&self, _: &Path) -> bool {
        false
    }

    /// Takes all notices: a look at the files says more.
    pub(super) fn drain(&self) {
        let mut buffer = [0; 4096];
        while rustix::io::read(&*self.0, &mut buffer).is_ok_and(|count| count > 0) {}
    }
}
