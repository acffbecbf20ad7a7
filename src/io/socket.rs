//! Sockets that do not block, and the process at the other end.

use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
use nix::sys::socket::{getsockopt, sockopt};
use rustix::net::{RecvFlags, SendFlags};
use socket2::{Domain, SockAddr, SockRef, Socket, Type};

use super::users;
use crate::machine::Credentials;

/// The send buffer of a socket, in bytes. With the system's default, a large message waits for its reader every 200 KB. The
/// system may limit it to less.
const SEND_BUFFER: usize = 1024 * 1024;

/// Connects. A full backlog is an error, `WouldBlock`. The machine tries again later.
pub(super) fn connect(path: &Path) -> io::Result<UnixStream> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    enlarge_send_buffer(&socket);
    socket.connect(&SockAddr::unix(path)?)?;
    Ok(socket.into())
}

/// Accepts the next connection.
pub(super) fn accept(listener: &UnixListener) -> io::Result<UnixStream> {
    let (stream, _) = listener.accept()?;
    stream.set_nonblocking(true)?;
    #[cfg(target_vendor = "apple")]
    SockRef::from(&stream).set_nosigpipe(true)?;
    enlarge_send_buffer(&stream);
    Ok(stream)
}

fn enlarge_send_buffer<'a>(socket: impl Into<SockRef<'a>>) {
    // A smaller buffer works too, more slowly.
    let _ = socket.into().set_send_buffer_size(SEND_BUFFER);
}

/// The process at the other end. Trust does not depend on the process id, which is 0 for a process in another PID namespace.
pub(super) fn credentials(stream: &UnixStream) -> io::Result<Credentials> {
    let (pid, uid, gid) = peer(stream)?;
    let uid = if users::is_one_user(uid) { uid } else { Credentials::UNKNOWN };
    Ok(Credentials::new(u32::try_from(pid).unwrap_or_default(), uid, gid))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn peer(stream: &UnixStream) -> io::Result<(i32, u32, u32)> {
    let peer = getsockopt(stream, sockopt::PeerCredentials)?;
    Ok((peer.pid(), peer.uid(), peer.gid()))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn peer(stream: &UnixStream) -> io::Result<(i32, u32, u32)> {
    let (uid, gid) = nix::unistd::getpeereid(stream)?;
    // The process id is only reported, so it may be missing.
    #[cfg(target_vendor = "apple")]
    let pid = getsockopt(stream, sockopt::LocalPeerPid).unwrap_or_default();
    #[cfg(not(target_vendor = "apple"))]
    let pid = 0;
    Ok((pid, uid.as_raw(), gid.as_raw()))
}

/// Writes what the socket takes now. A broken connection is an error, and not a signal.
pub(super) fn write(stream: &UnixStream, bytes: &[u8]) -> io::Result<usize> {
    // macOS lacks the flag and has a socket option instead.
    #[cfg(not(target_vendor = "apple"))]
    let flags = SendFlags::NOSIGNAL;
    #[cfg(target_vendor = "apple")]
    let flags = SendFlags::empty();
    Ok(rustix::net::send(stream, bytes, flags)?)
}

/// Reads what is there into the spare capacity of `bytes`. Returns 0 at the end.
pub(super) fn read_into(stream: &UnixStream, bytes: &mut Vec<u8>) -> io::Result<usize> {
    let (count, _) = rustix::net::recv(stream, rustix::buffer::spare_capacity(bytes), RecvFlags::empty())?;
    Ok(count)
}

/// Reads what is there. Returns 0 at the end.
pub(super) fn read(stream: &UnixStream, buffer: &mut [u8]) -> io::Result<usize> {
    let (count, _) = rustix::net::recv(stream, buffer, RecvFlags::empty())?;
    Ok(count)
}
