//! Stands in for inotify on systems that do not have it.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use super::{Change, Notice, WatchDescriptor};

pub(super) fn create() -> io::Result<OwnedFd> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn add(_: &OwnedFd, _: &Path, _: Change) -> io::Result<WatchDescriptor> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn remove(_: &OwnedFd, _: WatchDescriptor) {}

pub(super) fn read(_: &OwnedFd, _: impl FnMut(Notice<'_>)) {}
