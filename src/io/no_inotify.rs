//! In place of inotify, where there is none.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use super::{Change, Notice, Place};

pub(super) fn create() -> io::Result<OwnedFd> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn add(_: &OwnedFd, _: &Path, _: Change) -> io::Result<Place> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn remove(_: &OwnedFd, _: Place) {}

pub(super) fn read(_: &OwnedFd, _: impl FnMut(Notice<'_>)) {}
