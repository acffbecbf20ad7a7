//! inotify, on Linux and Android.

use std::ffi::OsStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::inotify::{CreateFlags, ReadFlags, Reader, WatchFlags, add_watch, init, remove_watch};

use super::{Change, Notice, WatchDescriptor};

/// How many bytes of notices are read at once. One notice has at most 271.
const BUFFER: usize = 4096;

pub(super) fn create() -> io::Result<OwnedFd> {
    Ok(init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?)
}

pub(super) fn add(descriptor: &OwnedFd, path: &Path, change: Change) -> io::Result<WatchDescriptor> {
    let flags = match change {
        // A file that is open is deleted only when it is closed. The number of its links changes at once.
        Change::Gone => WatchFlags::ATTRIB | WatchFlags::DELETE_SELF | WatchFlags::MOVE_SELF | WatchFlags::DONT_FOLLOW,
        Change::Appeared => WatchFlags::CREATE | WatchFlags::MOVED_TO | WatchFlags::ONLYDIR,
    };
    Ok(add_watch(descriptor, path, flags)?)
}

pub(super) fn remove(descriptor: &OwnedFd, watch: WatchDescriptor) {
    // This fails if the file was removed, which has ended the watch.
    let _ = remove_watch(descriptor, watch);
}

pub(super) fn read(descriptor: &OwnedFd, mut tell: impl FnMut(Notice<'_>)) {
    let mut buffer = [MaybeUninit::uninit(); BUFFER];
    let mut reader = Reader::new(descriptor, &mut buffer);
    while let Ok(event) = reader.next() {
        tell(Notice {
            watch_descriptor: (!event.events().contains(ReadFlags::QUEUE_OVERFLOW)).then(|| event.wd()),
            name: event.file_name().map(|name| OsStr::from_bytes(name.to_bytes())),
            is_last: event.events().contains(ReadFlags::IGNORED),
        });
    }
}
