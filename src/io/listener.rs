//! A listening socket and its file. Only the owner removes the file.

use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{CWD, Mode, RenameFlags};
use rustix::io::Errno;
use socket2::{Domain, SockAddr, Socket, Type};

use super::lock::{Identity, Lock, in_use};
use super::{socket, users};
use crate::error::{Code, Error};

/// How many connections may wait to be accepted. The system may limit it to less.
const BACKLOG: i32 = 4096;

/// How often the move of a socket to its path is tried, while other programs put files there.
const ATTEMPTS: usize = 16;

/// A listening socket.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) socket: Arc<UnixListener>,
    path: PathBuf,
    /// The identity of the file. Another server may have replaced it.
    identity: Identity,
    /// The lock that excludes other servers.
    lock: Option<Lock>,
}

/// What is at the path of a listening socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The socket's own file.
    Ours,
    /// Nothing.
    Vacant,
    /// Another file.
    Taken(Identity),
}

impl Listener {
    /// Listens at a path. A socket of this user is replaced if no server listens on it. Nothing else is removed.
    ///
    /// # Errors
    /// `EADDRINUSE` if a server listens there, [`Code::NotASocket`], and the system's.
    pub(super) fn take_over(path: &Path, mode: u32) -> Result<Listener, Error> {
        let lock = Lock::acquire(path, || is_live(path))?;
        let mut listener = Listener::bind_under(&lock, path, mode)?;
        listener.path = path.to_owned();
        listener.lock = Some(lock);
        Ok(listener)
    }

    /// Listens at the path again, after its file was removed. Returns the former socket, at which connections may still wait
    /// to be accepted.
    ///
    /// # Errors
    /// As [`Listener::take_over`], and `EADDRINUSE` if its lock has been lost to another server.
    pub(super) fn renew(&mut self, mode: u32) -> Result<Arc<UnixListener>, Error> {
        let lock = self.lock.as_ref().filter(|lock| !lock.is_gone()).ok_or_else(|| in_use(&self.path))?;
        let fresh = Listener::bind_under(lock, &self.path, mode)?;
        self.identity = fresh.identity;
        Ok(std::mem::replace(&mut self.socket, Arc::clone(&fresh.socket)))
    }

    /// Acquires the lock again, if its file was removed and no other server has acquired it since.
    pub(super) fn renew_lock(&mut self) {
        if self.lock.as_ref().is_some_and(Lock::is_gone)
            && let Some(lock) = Lock::acquire_now(&self.path)
        {
            self.lock = Some(lock);
        }
    }

    /// What is at the path.
    pub(super) fn place(&self) -> Place {
        match Identity::at(&self.path) {
            Ok(there) if there == self.identity => Place::Ours,
            Ok(there) => Place::Taken(there),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Place::Vacant,
            // If the file cannot be seen, nothing can be done about it.
            Err(_) => Place::Ours,
        }
    }

    /// Whether the file at the path is a socket of this user on which no server listens.
    pub(super) fn may_replace(&self) -> bool {
        self.path.symlink_metadata().is_ok_and(|found| check_removable(&self.path, &found).is_ok())
    }

    /// The files of the socket and of the lock.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        [Some(self.path.as_path()), self.lock.as_ref().map(Lock::path)].into_iter().flatten()
    }

    /// Listens under another name first. So others see the socket only when it listens and has its mode.
    fn bind_under(lock: &Lock, path: &Path, mode: u32) -> Result<Listener, Error> {
        let failed = |error: io::Error| Error::system(&error, &format!("listen on {}", path.display()));
        let _former = Lock::former(path);
        let hidden = lock.beside("new");
        remove_if_there(&hidden).map_err(failed)?;
        let listener = Listener::bind(&hidden, mode).map_err(failed)?;
        put_in_place(&hidden, path, lock)?;
        Ok(listener)
    }

    /// Listens at a path where no file is.
    pub(super) fn bind(path: &Path, mode: u32) -> io::Result<Listener> {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        let mode = Mode::from_raw_mode(mode as rustix::fs::RawMode);
        // On Linux, setting the mode before `bind` means that the socket never has another one. Other systems need it after.
        let _ = rustix::fs::fchmod(&socket, mode);
        socket.bind(&SockAddr::unix(path)?)?;
        rustix::fs::chmod(path, mode)?;
        socket.listen(BACKLOG)?;
        let identity = Identity::at(path)?;
        Ok(Listener { socket: Arc::new(socket.into()), path: path.to_owned(), identity, lock: None })
    }

    /// Removes the socket's file, unless another file has replaced it.
    pub(super) fn unlink_socket(&self) {
        if Identity::at(&self.path).is_ok_and(|there| there == self.identity) {
            let _ = std::fs::remove_file(&self.path);
        }
    }

    /// Removes the socket's file, unless another file has replaced it, and the lock.
    pub(super) fn unlink(&self) {
        self.unlink_socket();
        if let Some(lock) = &self.lock {
            lock.remove();
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.unlink();
    }
}

/// Moves a socket to its path. A socket that an earlier server left there is removed.
fn put_in_place(hidden: &Path, path: &Path, lock: &Lock) -> Result<(), Error> {
    for _ in 0..ATTEMPTS {
        match move_without_replacing(hidden, path) {
            Ok(()) => return Ok(()),
            Err(Errno::EXIST) => {}
            Err(error) => return Err(Error::system(&error.into(), &format!("listen on {}", path.display()))),
        }
        let failed = |error: io::Error| Error::system(&error, &format!("remove {}", path.display()));
        match path.symlink_metadata() {
            Ok(found) => {
                check_removable(path, &found)?;
                remove(path, Identity::of(&found), &lock.beside("old")).map_err(failed)?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Err(in_use(path))
}

/// Removes the file with this identity. A server of another version, which has no lock, may have replaced it meanwhile.
fn remove(path: &Path, identity: Identity, aside: &Path) -> io::Result<()> {
    match std::fs::rename(path, aside) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        result => result?,
    }
    if Identity::at(aside)? != identity && move_without_replacing(aside, path).is_ok() {
        return Ok(());
    }
    remove_if_there(aside)
}

/// Moves a file to a path where no file is.
fn move_without_replacing(from: &Path, to: &Path) -> Result<(), Errno> {
    match rustix::fs::link(from, to) {
        Ok(()) => rustix::fs::unlink(from),
        Err(Errno::EXIST) => Err(Errno::EXIST),
        // Some file systems have no links, and others cannot move without replacing.
        Err(error) => rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)
            .map_err(|second| if matches!(second, Errno::INVAL | Errno::NOSYS) { error } else { second }),
    }
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Whether a server listens at a path.
fn is_live(path: &Path) -> bool {
    match socket::connect(path) {
        Ok(_) => true,
        Err(error) => error.kind() == io::ErrorKind::WouldBlock,
    }
}

/// Checks that the file at the path is a socket of this user on which no server listens.
fn check_removable(path: &Path, found: &std::fs::Metadata) -> Result<(), Error> {
    let shown = path.display();
    if !found.file_type().is_socket() {
        return Err(Error::new(
            Code::NotASocket,
            format!("{shown} is not a socket; move this file away or choose another domain."),
        ));
    }
    match socket::connect(path) {
        Ok(_) => Err(in_use(path)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(in_use(path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            if users::is_own(found.uid()) {
                Ok(())
            } else {
                Err(Error::new(
                    Code::System("EACCES"),
                    format!(
                        "The socket {shown} was left behind by user {}; have that user remove it, or choose another domain.",
                        found.uid()
                    ),
                ))
            }
        }
        Err(error) => Err(Error::system(&error, &format!("see who listens on {shown}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(name: &str) -> PathBuf {
        PathBuf::from(format!("/tmp/IPC.io.listener-{name}-{}", std::process::id()))
    }

    #[test]
    fn a_live_server_is_left_alone_and_a_stale_socket_is_taken_over() {
        let path = path("live");
        let first = Listener::take_over(&path, 0o600).unwrap();
        assert_eq!(path.symlink_metadata().unwrap().mode() & 0o777, 0o600);
        assert_eq!(Listener::take_over(&path, 0o600).unwrap_err().code(), Code::System("EADDRINUSE"));
        // A killed server leaves its file: a listener whose socket is closed before its file is removed.
        let kept = std::fs::hard_link(&path, path.with_extension("kept"));
        drop(first);
        kept.and_then(|()| std::fs::rename(path.with_extension("kept"), &path)).unwrap();
        let second = Listener::take_over(&path, 0o640).unwrap();
        assert_eq!(path.symlink_metadata().unwrap().mode() & 0o777, 0o640);
        drop(second);
        assert!(!path.exists());
    }

    #[test]
    fn what_is_no_socket_is_never_removed() {
        let path = path("file");
        std::fs::write(&path, "precious").unwrap();
        assert_eq!(Listener::take_over(&path, 0o600).unwrap_err().code(), Code::NotASocket);
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_file_that_took_its_place_is_not_removed() {
        let path = path("replaced");
        let first = Listener::take_over(&path, 0o600).unwrap();
        std::fs::remove_file(&path).unwrap();
        let second = Listener::bind(&path, 0o600).unwrap();
        drop(first);
        assert!(path.exists());
        drop(second);
    }

    #[test]
    fn a_client_that_finds_the_socket_can_connect_at_once() {
        let path = path("never-deaf");
        for _ in 0..100 {
            std::thread::scope(|scope| {
                let client = scope.spawn(|| {
                    loop {
                        match std::os::unix::net::UnixStream::connect(&path) {
                            Err(error) if error.kind() == io::ErrorKind::NotFound => std::hint::spin_loop(),
                            result => return result.map(drop).map_err(|error| error.kind()),
                        }
                    }
                });
                let listener = Listener::take_over(&path, 0o600).unwrap();
                assert_eq!(client.join().unwrap(), Ok(()));
                drop(listener);
            });
        }
    }

    #[test]
    fn what_took_the_place_of_a_stale_socket_is_not_removed() {
        let path = path("taken");
        drop(UnixListener::bind(&path).unwrap());
        let stale = Identity::at(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let other = UnixListener::bind(&path).unwrap();
        let there = Identity::at(&path).unwrap();
        if there != stale {
            remove(&path, stale, &path.with_extension("old")).unwrap();
            assert_eq!(Identity::at(&path).unwrap(), there);
        }
        remove(&path, there, &path.with_extension("old")).unwrap();
        assert!(!path.exists() && !path.with_extension("old").exists());
        drop(other);
    }
}
