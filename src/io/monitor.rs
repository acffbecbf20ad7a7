//! Monitors the files of a server: its socket and its lock. Programs that clean `/tmp` may remove them.

use std::io;
use std::time::{Duration, Instant};

use super::listener::{Listener, Place};
use super::lock::Identity;
use super::notices::Change;
use super::registry::Registry;
use crate::machine::ListenerId;

/// How long after a change the files are checked. A server of 0.6.2 first removes the socket that it finds, and then puts its
/// own there.
const GRACE: Duration = Duration::from_millis(100);

/// How often the files are checked if the system gives no notices.
const PERIOD: Duration = Duration::from_secs(1);

/// How often the monitor probes whether a server listens on a socket that has taken the path. A probe costs a connection.
const PROBE_PERIOD: Duration = Duration::from_secs(30);

/// The monitor of one server's files.
#[derive(Debug)]
pub(super) struct Monitor<W> {
    pub(super) listener: ListenerId,
    watches: Vec<W>,
    next_check: Option<Instant>,
    /// The file that has taken the path, and when it was last found to be in use.
    displaced_by: Option<(Identity, Instant)>,
    has_warned: bool,
}

/// The state of the socket's file, and so what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// Nothing is to be done.
    Nothing,
    /// The path is free: create the file again.
    Gone,
    /// Another file has taken the path, which is to be reported.
    Displaced,
}

impl<W> Monitor<W> {
    pub(super) fn new(id: ListenerId) -> Monitor<W> {
        Monitor { listener: id, watches: Vec::new(), next_check: None, displaced_by: None, has_warned: false }
    }

    /// When [`Monitor::check`] is due.
    pub(super) fn next_check(&self) -> Option<Instant> {
        self.next_check
    }

    /// Whether another file has taken the socket's path.
    pub(super) fn is_displaced(&self) -> bool {
        self.displaced_by.is_some()
    }

    /// One of the files has changed.
    pub(super) fn changed(&mut self, now: Instant) {
        let soon = now + GRACE;
        self.next_check = Some(self.next_check.map_or(soon, |at| at.min(soon)));
    }

    /// Checks whether the files are in place.
    pub(super) fn check<R: Registry<FileWatch = W>>(
        &mut self,
        listener: &mut Listener,
        registry: &mut R,
        now: Instant,
    ) -> Finding {
        listener.renew_lock();
        // Watching starts before the check, so that no change is missed in between.
        self.watch(listener, registry, now);
        match listener.place() {
            Place::Ours => {
                self.displaced_by = None;
                Finding::Nothing
            }
            Place::Vacant => Finding::Gone,
            Place::Taken(by) => self.taken(by, listener, now),
        }
    }

    /// The socket's file was created again.
    pub(super) fn renewed<R: Registry<FileWatch = W>>(&mut self, listener: &Listener, registry: &mut R, now: Instant) {
        self.displaced_by = None;
        self.has_warned = false;
        self.watch(listener, registry, now);
        if listener.place() != Place::Ours {
            self.changed(now);
        }
    }

    /// The socket's file could not be created again. Returns whether this is the first failure in a row.
    pub(super) fn failed(&mut self, now: Instant) -> bool {
        self.next_check = Some(now + PERIOD);
        !std::mem::replace(&mut self.has_warned, true)
    }

    fn taken(&mut self, by: Identity, listener: &Listener, now: Instant) -> Finding {
        self.next_check = Some(now + PERIOD);
        let is_known = |&(known, asked): &(Identity, Instant)| known == by && now - asked < PROBE_PERIOD;
        if self.displaced_by.as_ref().is_some_and(is_known) {
            return Finding::Nothing;
        }
        if listener.may_replace() {
            return Finding::Gone;
        }
        let is_first = self.displaced_by.replace((by, now)).is_none();
        if is_first { Finding::Displaced } else { Finding::Nothing }
    }

    fn watch<R: Registry<FileWatch = W>>(&mut self, listener: &Listener, registry: &mut R, now: Instant) {
        let watches: io::Result<Vec<W>> =
            listener.files().map(|path| registry.watch_file(path, Change::Gone)).collect();
        self.next_check = if watches.is_ok() { None } else { Some(now + PERIOD) };
        self.watches = watches.unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::path::PathBuf;

    use super::super::notices::{FileNotices, FileWatch};
    use super::super::tests::TestRegistry;
    use super::*;

    const MODE: u32 = 0o600;

    fn monitored(name: &str) -> (PathBuf, Listener, Monitor<FileWatch<()>>, Instant) {
        let path = PathBuf::from(format!("/tmp/IPC.io.monitor-{name}-{}", std::process::id()));
        let (listener, now) = (Listener::take_over(&path, MODE).unwrap(), Instant::now());
        let mut monitor = Monitor::new(ListenerId(1));
        monitor.renewed(&listener, &mut registry(), now);
        (path, listener, monitor, now)
    }

    fn registry() -> TestRegistry {
        TestRegistry(FileNotices::new().ok())
    }

    #[test]
    fn a_taken_path_is_reported_once_and_taken_back_when_no_server_listens_there() {
        let (path, mut listener, mut monitor, mut now) = monitored("displaced");
        std::fs::remove_file(&path).unwrap();
        let other = UnixListener::bind(&path).unwrap();
        assert_eq!(
            (monitor.check(&mut listener, &mut registry(), now), monitor.is_displaced()),
            (Finding::Displaced, true)
        );
        assert_eq!(monitor.next_check(), Some(now + PERIOD));
        drop(other);
        // A probe costs a connection, so it is rare.
        let asked = now;
        while now + PERIOD < asked + PROBE_PERIOD {
            now += PERIOD;
            assert_eq!(monitor.check(&mut listener, &mut registry(), now), Finding::Nothing);
        }
        assert_eq!(monitor.check(&mut listener, &mut registry(), asked + PROBE_PERIOD), Finding::Gone);
        listener.renew(MODE).unwrap();
        monitor.renewed(&listener, &mut registry(), now);
        assert_eq!(
            (monitor.check(&mut listener, &mut registry(), now), monitor.is_displaced()),
            (Finding::Nothing, false)
        );
    }

    #[test]
    fn a_socket_on_which_another_server_listens_is_left_alone() {
        let (path, mut listener, mut monitor, now) = monitored("lasting");
        std::fs::remove_file(&path).unwrap();
        let other = UnixListener::bind(&path).unwrap();
        assert_eq!(monitor.check(&mut listener, &mut registry(), now), Finding::Displaced);
        for asked in 1..5 {
            assert_eq!(monitor.check(&mut listener, &mut registry(), now + asked * PROBE_PERIOD), Finding::Nothing);
        }
        // Another file at the path is probed at once.
        std::fs::remove_file(&path).unwrap();
        drop(UnixListener::bind(&path).unwrap());
        assert_eq!(monitor.check(&mut listener, &mut registry(), now + 4 * PROBE_PERIOD + PERIOD), Finding::Gone);
        drop(other);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(monitor.check(&mut listener, &mut registry(), now), Finding::Gone);
    }
}
