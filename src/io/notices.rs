//! Notices of the system that a file has changed or appeared. While nothing happens they cost nothing.

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

/// What is noticed about a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The file that lies at the path now is removed, replaced or moved away.
    Gone,
    /// A file is made at the path or moved there.
    Appeared,
}

/// Notices of changed files: one instance of inotify, for any number of files. A driver has one for each of its threads or
/// event loops, since the system limits the number of instances.
///
/// Each watch has a target, which says whom the driver has to tell.
pub struct FileNotices<T> {
    shared: Arc<Shared<T>>,
}

/// A file that is watched until this is dropped.
pub struct FileWatch<T> {
    shared: Arc<Shared<T>>,
    place: Place,
    number: u64,
}

struct Shared<T> {
    descriptor: OwnedFd,
    watches: Mutex<Watches<T>>,
}

struct Watches<T> {
    next_number: u64,
    watched: FxHashMap<Place, Vec<Watch<T>>>,
}

/// What the system calls a file or a folder that it watches.
type Place = i32;

struct Watch<T> {
    number: u64,
    /// Where a folder is watched, the name of the file in it.
    name: Option<OsString>,
    target: T,
}

/// What the system says.
#[derive(Debug)]
struct Notice<'a> {
    /// `None`: it has lost notices, and any file may have changed.
    place: Option<Place>,
    /// In a folder, the file's name.
    name: Option<&'a OsStr>,
    /// There will be no more notices of this place.
    is_last: bool,
}

impl<T: Clone> FileNotices<T> {
    /// Notices of no file yet.
    ///
    /// # Errors
    /// `EMFILE` where there are as many instances as the system allows (`fs.inotify.max_user_instances`), and
    /// [`io::ErrorKind::Unsupported`] where there is no inotify.
    pub fn new() -> io::Result<FileNotices<T>> {
        let watches = Watches { next_number: 0, watched: FxHashMap::default() };
        Ok(FileNotices { shared: Arc::new(Shared { descriptor: system::create()?, watches: Mutex::new(watches) }) })
    }

    /// Watches a file, until the result is dropped.
    ///
    /// # Errors
    /// The system's: `ENOENT` where the file, or the folder of one that is to appear, is not there, and `ENOSPC` where there
    /// are as many watches as the system allows.
    pub fn watch(&self, path: &Path, change: Change, target: T) -> io::Result<FileWatch<T>> {
        let (watched, name) = match change {
            Change::Gone => (path, None),
            Change::Appeared => (path.parent().unwrap_or(path), path.file_name().map(OsStr::to_owned)),
        };
        let mut watches = self.shared.watches.lock();
        let place = system::add(&self.shared.descriptor, watched, change)?;
        let number = watches.next_number;
        watches.next_number += 1;
        watches.watched.entry(place).or_default().push(Watch { number, name, target });
        Ok(FileWatch { shared: Arc::clone(&self.shared), place, number })
    }

    /// Takes all notices that have come. Gives the targets of the watches that they concern, some of them perhaps more than
    /// once. Never blocks.
    pub fn read(&self) -> Vec<T> {
        let mut targets = Vec::new();
        let mut watches = self.shared.watches.lock();
        system::read(&self.shared.descriptor, |notice| {
            let Some(place) = notice.place else {
                targets.extend(watches.watched.values().flatten().map(|watch| watch.target.clone()));
                return;
            };
            let concerned = watches.watched.get(&place).into_iter().flatten().filter(|watch| watch.is_meant(&notice));
            targets.extend(concerned.map(|watch| watch.target.clone()));
            if notice.is_last {
                watches.watched.remove(&place);
            }
        });
        targets
    }
}

impl<T> Watch<T> {
    fn is_meant(&self, notice: &Notice<'_>) -> bool {
        notice.is_last || self.name.as_deref() == notice.name
    }
}

impl<T> AsFd for FileNotices<T> {
    /// Can be read when notices have come.
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
        let Some(others) = watches.watched.get_mut(&self.place) else { return };
        others.retain(|watch| watch.number != self.number);
        if others.is_empty() {
            watches.watched.remove(&self.place);
            system::remove(&self.shared.descriptor, self.place);
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
        f.debug_struct("FileWatch").field("place", &self.place).finish_non_exhaustive()
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
