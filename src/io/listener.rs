//! A listening socket and its file, which only its owner takes away.

use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use socket2::{Domain, SockAddr, Socket, Type};

use super::socket;
use crate::error::{Code, Error};

/// Connections that may wait to be accepted; the system lowers it to its own limit.
const BACKLOG: i32 = 4096;

/// How long two servers that start together wait for each other.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);

/// A listening socket.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) socket: Arc<UnixListener>,
    path: PathBuf,
    /// Device and inode of the file: another server may have put its own in its place.
    identity: (u64, u64),
}

impl Listener {
    /// Listens at a path that a server before may have left behind. A live server is left alone, and so is
    /// everything that is not a socket of ours.
    pub(super) fn take_over(path: &Path, mode: u32) -> Result<Listener, Error> {
        let _lock = Lock::acquire(path)?;
        if let Ok(found) = path.symlink_metadata() {
            check_removable(path, &found)?;
            std::fs::remove_file(path).map_err(|error| Error::system(&error, &format!("remove {}", path.display())))?;
        }
        Listener::bind(path, mode).map_err(|error| Error::system(&error, &format!("listen on {}", path.display())))
    }

    /// Listens at a path where nothing is.
    pub(super) fn bind(path: &Path, mode: u32) -> io::Result<Listener> {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        let mode = Mode::from_raw_mode(mode as rustix::fs::RawMode);
        // Before bind, so that nobody finds the socket open on Linux; after it for systems that need that.
        let _ = rustix::fs::fchmod(&socket, mode);
        socket.bind(&SockAddr::unix(path)?)?;
        rustix::fs::chmod(path, mode)?;
        socket.listen(BACKLOG)?;
        let found = path.symlink_metadata()?;
        Ok(Listener { socket: Arc::new(socket.into()), path: path.to_owned(), identity: (found.dev(), found.ino()) })
    }

    /// Takes the socket's file away, if it is still this one's.
    pub(super) fn unlink(&self) {
        let found = self.path.symlink_metadata();
        if found.is_ok_and(|found| (found.dev(), found.ino()) == self.identity) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.unlink();
    }
}

/// Whether what lies at the path is a socket of ours that nobody listens on.
fn check_removable(path: &Path, found: &std::fs::Metadata) -> Result<(), Error> {
    let path = path.display();
    if !found.file_type().is_socket() {
        return Err(Error::new(
            Code::NotASocket,
            format!("{path} is not a socket; move it away or choose another domain."),
        ));
    }
    let in_use = || {
        Error::new(
            Code::System("EADDRINUSE"),
            format!("A server listens on {path} already; close it or choose another domain."),
        )
    };
    match socket::connect(Path::new(&path.to_string())) {
        Ok(_) => Err(in_use()),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(in_use()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            if is_own(found.uid()) {
                Ok(())
            } else {
                Err(Error::new(
                    Code::System("EACCES"),
                    format!(
                        "{path} was left behind by user {}; have that user remove it or choose another domain.",
                        found.uid()
                    ),
                ))
            }
        }
        Err(error) => Err(Error::system(&error, &format!("see who listens on {path}"))),
    }
}

/// Whether it is the user of this process.
fn is_own(uid: u32) -> bool {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if !super::users::is_somebody(uid) {
        return false;
    }
    uid == rustix::process::geteuid().as_raw()
}

/// Keeps servers that start at the same moment from removing each other's socket. The file is removed by
/// whoever holds the lock, and who has locked a removed file begins again.
struct Lock {
    path: PathBuf,
    _file: std::fs::File,
}

impl Lock {
    fn acquire(socket: &Path) -> Result<Lock, Error> {
        // Begins with a dot, so that it is the socket of no domain.
        let name = socket.file_name().unwrap_or_default().to_string_lossy();
        let path = socket.with_file_name(format!(".{name}.lock"));
        let failed = |error: io::Error| Error::system(&error, &format!("lock {}", path.display()));
        let until = Instant::now() + LOCK_TIMEOUT;
        loop {
            let flags = OFlags::CREATE | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let file = rustix::fs::open(&path, flags, Mode::RUSR | Mode::WUSR).map_err(|error| failed(error.into()))?;
            let file = std::fs::File::from(file);
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {
                    let ours = file.metadata().map_err(failed)?;
                    let there = path.symlink_metadata();
                    if there.is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino())) {
                        return Ok(Lock { path, _file: file });
                    }
                }
                Err(Errno::WOULDBLOCK) if Instant::now() < until => std::thread::sleep(Duration::from_millis(1)),
                Err(error) => return Err(failed(error.into())),
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
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
}
