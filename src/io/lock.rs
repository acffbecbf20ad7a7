//! Keeps a domain to one server: each holds a lock for as long as it lives.
//!
//! The lock lies in a folder of the user's own, where no other user can hold it. The file is removed by whoever holds
//! the lock, and who has locked a removed file begins again.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::users;
use crate::error::{Code, Error};

/// How long a server waits for one that starts, or ends, at the same moment. The event loop stands still meanwhile.
const PATIENCE: Duration = Duration::from_millis(50);

/// How long it waits for a server of version 1.0.0 that starts at the same moment.
const FORMER_PATIENCE: Duration = Duration::from_millis(20);

/// How long a look at a lock that is held is followed by the next.
const PAUSE: Duration = Duration::from_millis(1);

/// How often the file or the folder may vanish while it is opened, as other servers of the same user end.
const VANISHED: u32 = 1_000;

/// So many names are tried for the folder, where others have made theirs under the first ones.
const FOLDERS: u32 = 16;

/// Device and inode of a file, which are no other's while it is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity(u64, u64);

/// A lock that is held.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    identity: Identity,
    _file: File,
}

impl Identity {
    pub(super) fn of(found: &Metadata) -> Identity {
        Identity(found.dev(), found.ino())
    }

    /// What lies at a path, links not followed.
    pub(super) fn at(path: &Path) -> io::Result<Identity> {
        path.symlink_metadata().map(|found| Identity::of(&found))
    }
}

impl Lock {
    /// The lock of the server whose socket lies at a path. `is_live` says whether somebody listens there.
    ///
    /// # Errors
    /// `EADDRINUSE` where another server holds it, and the system's.
    pub(super) fn acquire(socket: &Path, is_live: impl Fn() -> bool) -> Result<Lock, Error> {
        Lock::acquire_within(PATIENCE, socket, is_live)
    }

    fn acquire_within(patience: Duration, socket: &Path, is_live: impl Fn() -> bool) -> Result<Lock, Error> {
        let until = Instant::now() + patience;
        let mut vanished = 0;
        loop {
            // Known before the look: a process that got no processor for so long looks once more.
            let is_last = Instant::now() >= until;
            let path = path_of_lock(socket)?;
            match Lock::try_acquire(&path) {
                Ok(Some(lock)) => return Ok(lock),
                // Another server of this user has just ended, and its file or the folder with it: nobody holds this one.
                Ok(None) | Err(Errno::NOENT) if vanished < VANISHED => vanished += 1,
                Ok(None) => return Err(Error::system(&Errno::NOENT.into(), &format!("lock {}", path.display()))),
                Err(Errno::WOULDBLOCK) if is_live() => return Err(in_use(socket)),
                Err(Errno::WOULDBLOCK) if is_last => return Err(is_held(&path)),
                Err(Errno::WOULDBLOCK) => std::thread::sleep(PAUSE),
                Err(error) => return Err(Error::system(&error.into(), &format!("lock {}", path.display()))),
            }
        }
    }

    /// The lock of the server whose socket lies at a path, if nobody holds it.
    pub(super) fn acquire_now(socket: &Path) -> Option<Lock> {
        Lock::try_acquire(&path_of_lock(socket).ok()?).ok()?
    }

    /// The lock under which servers of version 1.0.0 start. Whoever may not have it goes without: any user can hold it.
    pub(super) fn former(socket: &Path) -> Option<Lock> {
        // Begins with a dot, so that it is the socket of no domain.
        let path = socket.with_file_name(format!(".{}.lock", file_name(socket)));
        let until = Instant::now() + FORMER_PATIENCE;
        while Instant::now() < until {
            match Lock::try_acquire(&path) {
                Ok(Some(lock)) => return Some(lock),
                Ok(None) => {}
                Err(Errno::WOULDBLOCK) => std::thread::sleep(PAUSE),
                Err(_) => return None,
            }
        }
        None
    }

    /// `None` if the file was removed meanwhile.
    fn try_acquire(path: &Path) -> Result<Option<Lock>, Errno> {
        let flags = OFlags::CREATE | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)?;
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        let file = File::from(file);
        let found = file.metadata().map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        let lock = Lock { path: path.to_owned(), identity: Identity::of(&found), _file: file };
        Ok(lock.is_in_place().then_some(lock))
    }

    /// Whether its file lies where others look for it.
    pub(super) fn is_in_place(&self) -> bool {
        Identity::at(&self.path).is_ok_and(|there| there == self.identity)
    }

    /// Whether it was removed, so that others may hold one in its place.
    pub(super) fn is_gone(&self) -> bool {
        match Identity::at(&self.path) {
            Ok(there) => there != self.identity,
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        }
    }

    /// Where its file lies.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A path of the holder's own, which only ends differently.
    pub(super) fn beside(&self, extension: &str) -> PathBuf {
        self.path.with_extension(extension)
    }

    /// Removes its file, before the process ends, and the folder if nothing else is in it.
    pub(super) fn remove(&self) {
        if self.is_in_place() {
            let _ = std::fs::remove_file(&self.path);
            if let Some(folder) = self.path.parent().filter(|folder| is_folder_of_locks(folder)) {
                let _ = std::fs::remove_dir(folder);
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.remove();
    }
}

fn is_held(path: &Path) -> Error {
    Error::new(
        Code::System("EADDRINUSE"),
        format!(
            "Another server holds the lock {} but does not listen; close it or choose another domain.",
            path.display()
        ),
    )
}

/// Somebody listens at the path.
pub(super) fn in_use(socket: &Path) -> Error {
    Error::new(
        Code::System("EADDRINUSE"),
        format!("Another server already listens on {}; close it or choose another domain.", socket.display()),
    )
}

/// What the name of each user's folder begins with. The dot keeps it from being the socket of a domain.
const FOLDER: &str = ".IPC.io-";

/// The folder beside a socket that only this user can write to, which is made if it is not there. Users of different
/// user namespaces may have the same number, and anybody can make a folder of any name: it is the first one that is
/// one's own.
fn own_folder(socket: &Path) -> Result<PathBuf, Error> {
    let user = rustix::process::geteuid().as_raw();
    let first = socket.with_file_name(format!("{FOLDER}{user}"));
    loop {
        let mut free = None;
        for number in 1..=FOLDERS {
            let path = if number == 1 { first.clone() } else { other(&first, number) };
            match path.symlink_metadata() {
                Ok(found) if found.is_dir() && users::is_own(found.uid()) => {
                    return keep_others_out(&path, &found).map(|()| path);
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => free = free.or(Some(path)),
                Err(error) => return Err(Error::system(&error, &format!("see whose {} is", path.display()))),
            }
        }
        let Some(path) = free else {
            return Err(Error::new(
                Code::System("EACCES"),
                format!(
                    "Files of other users take the place of {} and of every other name for this folder; have them removed.",
                    first.display()
                ),
            ));
        };
        match rustix::fs::mkdir(&path, Mode::RWXU) {
            // Somebody was quicker: the next look shows who.
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(Error::system(&error.into(), &format!("make the folder {}", path.display()))),
        }
    }
}

/// What is tried instead of a folder's first name.
fn other(first: &Path, number: u32) -> PathBuf {
    first.with_file_name(format!("{}.{number}", file_name(first)))
}

fn keep_others_out(folder: &Path, found: &Metadata) -> Result<(), Error> {
    if found.mode() & 0o777 == 0o700 {
        return Ok(());
    }
    match rustix::fs::chmod(folder, Mode::RWXU) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(Error::system(&error.into(), &format!("keep others out of {}", folder.display()))),
    }
}

fn path_of_lock(socket: &Path) -> Result<PathBuf, Error> {
    Ok(own_folder(socket)?.join(format!("{}.lock", file_name(socket))))
}

fn is_folder_of_locks(folder: &Path) -> bool {
    file_name(folder).starts_with(FOLDER)
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder that stands for /tmp, removed at the end.
    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Place {
            let path = std::env::temp_dir().join(format!("ipcio-lock-{name}-{}", std::process::id()));
            std::fs::create_dir(&path).unwrap();
            Place(path)
        }

        fn socket(&self) -> PathBuf {
            self.0.join("IPC.io.x")
        }

        fn first(&self) -> PathBuf {
            self.0.join(format!("{FOLDER}{}", rustix::process::geteuid().as_raw()))
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).unwrap();
        }
    }

    fn code(result: Result<Lock, Error>) -> Code {
        result.unwrap_err().code()
    }

    #[test]
    fn a_lock_is_held_once_and_leaves_nothing_behind() {
        let place = Place::new("once");
        let lock = Lock::acquire(&place.socket(), || false).unwrap();
        assert_eq!(place.first().metadata().unwrap().mode() & 0o777, 0o700);
        assert_eq!(code(Lock::acquire(&place.socket(), || true)), Code::System("EADDRINUSE"));
        let begin = Instant::now();
        assert_eq!(code(Lock::acquire(&place.socket(), || false)), Code::System("EADDRINUSE"));
        assert!(begin.elapsed() >= PATIENCE);
        drop(lock);
        assert!(!place.first().exists());
        drop(Lock::acquire(&place.socket(), || false).unwrap());
    }

    #[test]
    fn servers_that_end_keep_no_other_from_its_own_lock() {
        let place = Place::new("ending");
        std::thread::scope(|scope| {
            for name in ["a", "b", "c", "d"] {
                let socket = place.0.join(name);
                scope.spawn(move || {
                    for _ in 0..2_000 {
                        drop(Lock::acquire_within(Duration::ZERO, &socket, || false).unwrap());
                    }
                });
            }
        });
        assert!(!place.first().exists());
    }

    #[test]
    fn what_others_put_in_its_place_is_passed_over() {
        let place = Place::new("squatted");
        std::os::unix::fs::symlink("/", place.first()).unwrap();
        let lock = Lock::acquire(&place.socket(), || false).unwrap();
        assert_eq!(lock.path.parent(), Some(other(&place.first(), 2).as_path()));
        // It stays there, also when the first place is free again.
        std::fs::remove_file(place.first()).unwrap();
        assert_eq!(code(Lock::acquire(&place.socket(), || true)), Code::System("EADDRINUSE"));
        drop(lock);
        for number in 1..=FOLDERS {
            std::fs::write(if number == 1 { place.first() } else { other(&place.first(), number) }, "").unwrap();
        }
        assert_eq!(code(Lock::acquire(&place.socket(), || false)), Code::System("EACCES"));
    }

    #[test]
    fn a_file_that_was_removed_is_no_lock() {
        let place = Place::new("removed");
        let lock = Lock::acquire(&place.socket(), || false).unwrap();
        assert!(lock.is_in_place());
        std::fs::remove_dir_all(place.first()).unwrap();
        assert!(!lock.is_in_place());
        let second = Lock::acquire(&place.socket(), || false).unwrap();
        drop(lock);
        assert!(second.is_in_place());
    }

    #[test]
    fn the_lock_of_1_0_0_is_held_where_it_can_be_had() {
        let place = Place::new("former");
        let lock = Lock::former(&place.socket()).unwrap();
        assert!(lock.path.ends_with(".IPC.io.x.lock"));
        assert!(Lock::former(&place.socket()).is_none());
        drop(lock);
        std::os::unix::fs::symlink("/nonexistent", place.0.join(".IPC.io.x.lock")).unwrap();
        assert!(Lock::former(&place.socket()).is_none());
    }
}
