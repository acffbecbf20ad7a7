//! The lock of a server. A server holds it for as long as it lives, so that a domain has one server.
//!
//! The lock is in a folder of the user, so that no other user can hold it. The holder removes the file at the end. A server
//! that has locked a removed file tries again.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::users;
use crate::error::{Code, Error};

/// How long a server waits for another one that starts or ends at the same moment. The event loop is blocked meanwhile.
const PATIENCE: Duration = Duration::from_millis(50);

/// How long a server waits for one of version 1.0.0 that starts at the same moment.
const FORMER_PATIENCE: Duration = Duration::from_millis(20);

/// How long a server waits between two attempts to lock.
const PAUSE: Duration = Duration::from_millis(1);

/// How often the file or the folder may vanish while it is opened, because other servers of the same user end.
const VANISHED: u32 = 1_000;

/// How many names are tried for the folder, if other users have taken the first ones.
const FOLDERS: u32 = 16;

/// The device and the inode of a file. No other file has the same ones while it is open.
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

    /// The identity of the file at a path. Links are not followed.
    pub(super) fn at(path: &Path) -> io::Result<Identity> {
        path.symlink_metadata().map(|found| Identity::of(&found))
    }
}

impl Lock {
    /// Acquires the lock of the server with this socket. `is_live` tells whether a server listens there.
    ///
    /// # Errors
    /// `EADDRINUSE` if another server holds the lock, and the system's.
    pub(super) fn acquire(socket: &Path, is_live: impl Fn() -> bool) -> Result<Lock, Error> {
        Lock::acquire_within(PATIENCE, socket, is_live)
    }

    fn acquire_within(patience: Duration, socket: &Path, is_live: impl Fn() -> bool) -> Result<Lock, Error> {
        let until = Instant::now() + patience;
        let mut vanished = 0;
        loop {
            // The time is taken before the attempt: a process that was not scheduled for so long still tries once more.
            let is_last = Instant::now() >= until;
            let path = path_of_lock(socket)?;
            match Lock::try_acquire(&path) {
                Ok(Some(lock)) => return Ok(lock),
                // Another server of this user has just ended and has removed its file or the folder. Nothing is locked.
                Ok(None) | Err(Errno::NOENT) if vanished < VANISHED => vanished += 1,
                Ok(None) => return Err(Error::system(&Errno::NOENT.into(), &format!("lock {}", path.display()))),
                Err(Errno::WOULDBLOCK) if is_live() => return Err(in_use(socket)),
                Err(Errno::WOULDBLOCK) if is_last => return Err(is_held(&path)),
                Err(Errno::WOULDBLOCK) => std::thread::sleep(PAUSE),
                Err(error) => return Err(Error::system(&error.into(), &format!("lock {}", path.display()))),
            }
        }
    }

    /// Acquires the lock of the server with this socket, if it is free.
    pub(super) fn acquire_now(socket: &Path) -> Option<Lock> {
        Lock::try_acquire(&path_of_lock(socket).ok()?).ok()?
    }

    /// Acquires the lock that servers of version 1.0.0 hold while they start. It is optional, since any user can hold it.
    pub(super) fn former(socket: &Path) -> Option<Lock> {
        // The dot makes sure that no domain has a socket of this name.
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

    /// Tries to lock the file. `None` if it was removed meanwhile.
    fn try_acquire(path: &Path) -> Result<Option<Lock>, Errno> {
        let flags = OFlags::CREATE | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)?;
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        let file = File::from(file);
        let found = file.metadata().map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        let lock = Lock { path: path.to_owned(), identity: Identity::of(&found), _file: file };
        Ok(lock.is_in_place().then_some(lock))
    }

    /// Whether the locked file is still at its path.
    pub(super) fn is_in_place(&self) -> bool {
        Identity::at(&self.path).is_ok_and(|there| there == self.identity)
    }

    /// Whether the locked file was removed, so that another server may lock a new one.
    pub(super) fn is_gone(&self) -> bool {
        match Identity::at(&self.path) {
            Ok(there) => there != self.identity,
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        }
    }

    /// The path of the file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A path beside the lock with another extension. Only the holder uses it.
    pub(super) fn beside(&self, extension: &str) -> PathBuf {
        self.path.with_extension(extension)
    }

    /// Removes the file, and the folder if it is empty.
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

/// Another server listens at the path.
pub(super) fn in_use(socket: &Path) -> Error {
    Error::new(
        Code::System("EADDRINUSE"),
        format!("Another server already listens on {}; close it or choose another domain.", socket.display()),
    )
}

/// The beginning of the name of each user's folder. The dot makes sure that no domain has a socket of this name.
const FOLDER: &str = ".IPC.io-";

/// The folder beside a socket that only this user can write to. It is created if it does not exist. Other users may have taken
/// the name: every user can create a folder, and users of different user namespaces may have the same id. So this is the first
/// folder that belongs to this user.
fn own_folder(socket: &Path) -> Result<PathBuf, Error> {
    let user = rustix::process::geteuid().as_raw();
    let first = socket.with_file_name(format!("{FOLDER}{user}"));
    loop {
        let mut free = None;
        for number in 1..=FOLDERS {
            let path = if number == 1 { first.clone() } else { other(&first, number) };
            match path.symlink_metadata() {
                Ok(found) if found.is_dir() && users::is_own(found.uid()) => {
                    return make_private(&path, &found).map(|()| path);
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
            // If another server was quicker, the next round finds its folder.
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(Error::system(&error.into(), &format!("make the folder {}", path.display()))),
        }
    }
}

/// Another name for the folder.
fn other(first: &Path, number: u32) -> PathBuf {
    first.with_file_name(format!("{}.{number}", file_name(first)))
}

fn make_private(folder: &Path, found: &Metadata) -> Result<(), Error> {
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

    /// A folder instead of /tmp. It is removed at the end.
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
    fn a_folder_of_another_user_is_passed_over() {
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
