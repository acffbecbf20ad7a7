//! Notices from the system that a file has changed or appeared. They cost nothing while no file changes.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use rustc_hash::FxHashMap;

#[cfg_attr(any(target_os = "linux", target_os = "android"), path = "inotify.rs")]
#[cfg_attr(not(any(target_os = "linux", target_os = "android")), path = "no_inotify.rs")]
mod system;

/// The kind of change to watch for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The file that is at the path now is removed, replaced or moved away.
    Gone,
    /// A file is created at the path or moved there.
    Appeared,
}

/// Notices of changed files: one instance of inotify, for any number of files. The system limits the number of instances, so
/// a driver has one for each thread or event loop.
///
/// Each watch has a target. It tells the driver which machine is concerned.
pub struct FileNotices<T> {
    shared: Arc<Shared<T>>,
}

/// The watch on a file. It ends when this is dropped.
pub struct FileWatch<T> {
    shared: Arc<Shared<T>>,
    watch_descriptor: WatchDescriptor,
    number: u64,
}

struct Shared<T> {
    descriptor: OwnedFd,
    watches: Mutex<Watches<T>>,
}

struct Watches<T> {
    next_number: u64,
    watched: FxHashMap<WatchDescriptor, Vec<Watch<T>>>,
}

/// The system's number for a file or a folder that it watches.
type WatchDescriptor = i32;

struct Watch<T> {
    number: u64,
    /// If a folder is watched: the name of the file in it.
    name: Option<OsString>,
    target: T,
}

/// A notice from the system.
#[derive(Debug)]
struct Notice<'a> {
    /// The watch that it is for. `None` if the system has lost notices, so that any file may have changed.
    watch_descriptor: Option<WatchDescriptor>,
    /// If a folder is watched: the name of the file in it.
    name: Option<&'a OsStr>,
    /// Whether the watch has ended.
    is_last: bool,
}

impl<T: Clone> FileNotices<T> {
    /// Creates an instance that watches no file yet.
    ///
    /// # Errors
    /// `EMFILE` if the system allows no more instances (`fs.inotify.max_user_instances`), and
    /// [`io::ErrorKind::Unsupported`] if the system has no inotify.
    pub fn new() -> io::Result<FileNotices<T>> {
        let watches = Watches { next_number: 0, watched: FxHashMap::default() };
        Ok(FileNotices { shared: Arc::new(Shared { descriptor: system::create()?, watches: Mutex::new(watches) }) })
    }

    /// Watches a file until the result is dropped. `target` is what [`FileNotices::read`] returns for it.
    ///
    /// # Errors
    /// The system's: `ENOENT` if the file does not exist, or the folder of a file that is to appear, and `ENOSPC` if the
    /// system allows no more watches.
    pub fn watch(&self, path: &Path, change: Change, target: T) -> io::Result<FileWatch<T>> {
        let (watched, name) = match change {
            Change::Gone => (path, None),
            Change::Appeared => (path.parent().unwrap_or(path), path.file_name().map(OsStr::to_owned)),
        };
        let mut watches = self.shared.watches.lock();
        let watch_descriptor = system::add(&self.shared.descriptor, watched, change)?;
        let number = watches.next_number;
        watches.next_number += 1;
        watches.watched.entry(watch_descriptor).or_default().push(Watch { number, name, target });
        Ok(FileWatch { shared: Arc::clone(&self.shared), watch_descriptor, number })
    }

    /// Reads all notices that have come, and returns the targets of the watches that they are for. A target may be returned
    /// more than once. This never blocks.
    pub fn read(&self) -> Vec<T> {
        let mut targets = Vec::new();
        let mut watches = self.shared.watches.lock();
        system::read(&self.shared.descriptor, |notice| {
            let Some(watch_descriptor) = notice.watch_descriptor else {
                targets.extend(watches.watched.values().flatten().map(|watch| watch.target.clone()));
                return;
            };
            let concerned =
                watches.watched.get(&watch_descriptor).into_iter().flatten().filter(|watch| watch.is_for(&notice));
            targets.extend(concerned.map(|watch| watch.target.clone()));
            if notice.is_last {
                watches.watched.remove(&watch_descriptor);
            }
        });
        targets
    }
}

impl<T> Watch<T> {
    fn is_for(&self, notice: &Notice<'_>) -> bool {
        notice.is_last || self.name.as_deref() == notice.name
    }
}

impl<T> AsFd for FileNotices<T> {
    /// The descriptor of the instance. It is readable when notices have come.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.shared.descriptor.as_fd()
    }
}

impl<T> AsRawFd for FileNotices<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.shared.descriptor.as_raw_fd()
    }
}

impl<T> Clone for FileNotices<T> {
    fn clone(&self) -> FileNotices<T> {
        FileNotices { shared: Arc::clone(&self.shared) }
    }
}

impl<T> Drop for FileWatch<T> {
    fn drop(&mut self) {
        let mut watches = self.shared.watches.lock();
        let Some(others) = watches.watched.get_mut(&self.watch_descriptor) else { return };
        others.retain(|watch| watch.number != self.number);
        if others.is_empty() {
            watches.watched.remove(&self.watch_descriptor);
            system::remove(&self.shared.descriptor, self.watch_descriptor);
        }
    }
}

impl<T> fmt::Debug for FileNotices<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileNotices").field("descriptor", &self.shared.descriptor).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for FileWatch<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileWatch").field("watch_descriptor", &self.watch_descriptor).finish_non_exhaustive()
    }
}

#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
#[allow(clippy::unwrap_used, reason = "in a test it is an assertion")]
mod tests {
    use super::*;
    use std::fs;
    use std::path::PathBuf;

    /// An empty folder, removed at the end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let path = std::env::temp_dir().join(format!("ipcio-notices-{name}-{}", std::process::id()));
            fs::create_dir(&path).unwrap();
            Folder(path)
        }

        fn file(&self, name: &str) -> PathBuf {
            self.0.join(name)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_file_that_is_made_linked_or_moved_is_noticed_by_those_who_wait_for_it_alone() {
        let folder = Folder::new("appears");
        let notices = FileNotices::new().unwrap();
        let (a, b) = (folder.file("a"), folder.file("b"));
        let watches =
            [(&a, 1), (&a, 2), (&b, 3)].map(|(path, target)| notices.watch(path, Change::Appeared, target).unwrap());
        assert!(notices.read().is_empty());
        fs::write(&a, "").unwrap();
        assert_eq!(notices.read(), [1, 2]);
        fs::write(folder.file("c"), "").unwrap();
        fs::hard_link(&a, &b).unwrap();
        assert_eq!(notices.read(), [3]);
        fs::rename(folder.file("c"), &b).unwrap();
        assert_eq!(notices.read(), [3]);
        let [first, second, third] = watches;
        drop((first, third));
        fs::rename(&b, &a).unwrap();
        assert_eq!(notices.read(), [2]);
        drop(second);
        fs::remove_file(&a).unwrap();
        fs::write(&a, "").unwrap();
        assert!(notices.read().is_empty());
    }

    #[test]
    fn a_file_that_is_removed_or_replaced_is_noticed_and_so_is_the_end_of_a_folder() {
        let folder = Folder::new("gone");
        let notices = FileNotices::new().unwrap();
        let file = folder.file("a");
        fs::write(&file, "").unwrap();
        let gone = notices.watch(&file, Change::Gone, "gone").unwrap();
        let appeared = notices.watch(&folder.file("b"), Change::Appeared, "appeared").unwrap();
        let open = fs::File::open(&file).unwrap();
        fs::remove_file(&file).unwrap();
        assert!(notices.read().contains(&"gone"));
        // As long as it is open, the system keeps its folder.
        drop(open);
        fs::remove_dir(&folder.0).unwrap();
        assert_eq!(notices.read().last(), Some(&"appeared"));
        assert!(notices.watch(&folder.file("b"), Change::Appeared, "appeared").is_err());
        drop((gone, appeared));
    }
}
