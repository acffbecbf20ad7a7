//! Looks after the files of a server, its socket and its lock, which anybody who cleans up may remove.

use std::io;
use std::time::{Duration, Instant};

use super::listener::{Listener, Place};
use super::lock::Identity;
use super::notices::Change;
use super::registry::Registry;
use crate::machine::ListenerId;

/// How long after a change it looks: a server of 0.6.2 removes the socket that it finds before it puts its own there.
const GRACE: Duration = Duration::from_millis(100);

/// How often it looks where the system tells of no changes.
const PERIOD: Duration = Duration::from_secs(1);

/// How often it asks whether somebody listens on the socket that is there instead.
const QUESTION_PERIOD: Duration = Duration::from_secs(30);

/// What looks after the files of one server.
#[derive(Debug)]
pub(super) struct Guard<W> {
    pub(super) listener: ListenerId,
    watches: Vec<W>,
    look_at: Option<Instant>,
    /// What lies in the socket's place, and when it was last found to be in use.
    displaced_by: Option<(Identity, Instant)>,
    has_complained: bool,
}

/// What is to be done about the socket's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    Nothing,
    /// Make it anew.
    Gone,
    /// Say so: somebody else has the path.
    Displaced,
}

impl<W> Guard<W> {
    pub(super) fn new(id: ListenerId) -> Guard<W> {
        Guard { listener: id, watches: Vec::new(), look_at: None, displaced_by: None, has_complained: false }
    }

    /// When [`Guard::look`] is to be called.
    pub(super) fn look_at(&self) -> Option<Instant> {
        self.look_at
    }

    /// Whether somebody else has the socket's path.
    pub(super) fn is_displaced(&self) -> bool {
        self.displaced_by.is_some()
    }

    /// Something has happened to one of the files.
    pub(super) fn changed(&mut self, now: Instant) {
        let soon = now + GRACE;
        self.look_at = Some(self.look_at.map_or(soon, |at| at.min(soon)));
    }

    /// Looks whether the files are there.
    pub(super) fn look<R: Registry<FileWatch = W>>(
        &mut self,
        listener: &mut Listener,
        registry: &mut R,
        now: Instant,
    ) -> Finding {
        listener.renew_lock();
        // Before the look, so that nothing is missed in between.
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

    /// The socket was made anew.
    pub(super) fn renewed<R: Registry<FileWatch = W>>(&mut self, listener: &Listener, registry: &mut R, now: Instant) {
        self.displaced_by = None;
        self.has_complained = false;
        self.watch(listener, registry, now);
        if listener.place() != Place::Ours {
            self.changed(now);
        }
    }

    /// The socket could not be made anew. Whether that is news.
    pub(super) fn failed(&mut self, now: Instant) -> bool {
        self.look_at = Some(now + PERIOD);
        !std::mem::replace(&mut self.has_complained, true)
    }

    fn taken(&mut self, by: Identity, listener: &Listener, now: Instant) -> Finding {
        self.look_at = Some(now + PERIOD);
        let is_known = |&(known, asked): &(Identity, Instant)| known == by && now - asked < QUESTION_PERIOD;
        if self.displaced_by.as_ref().is_some_and(is_known) {
            return Finding::Nothing;
        }
        if listener.may_replace() {
            return Finding::Gone;
        }
        let is_news = self.displaced_by.replace((by, now)).is_none();
        if is_news { Finding::Displaced } else { Finding::Nothing }
    }

    fn watch<R: Registry<FileWatch = W>>(&mut self, listener: &Listener, registry: &mut R, now: Instant) {
        let watches: io::Result<Vec<W>> =
            listener.files().map(|path| registry.watch_file(path, Change::Gone)).collect();
        self.look_at = if watches.is_ok() { None } else { Some(now + PERIOD) };
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

    fn guarded(name: &str) -> (PathBuf, Listener, Guard<FileWatch<()>>, Instant) {
        let path = PathBuf::from(format!("/tmp/IPC.io.guard-{name}-{}", std::process::id()));
        let (listener, now) = (Listener::take_over(&path, MODE).unwrap(), Instant::now());
        let mut guard = Guard::new(ListenerId(1));
        guard.renewed(&listener, &mut registry(), now);
        (path, listener, guard, now)
    }

    fn registry() -> TestRegistry {
        TestRegistry(FileNotices::new().ok())
    }

    #[test]
    fn one_whose_path_was_taken_says_so_once_and_has_it_back_when_nobody_listens_there_any_more() {
        let (path, mut listener, mut guard, mut now) = guarded("displaced");
        std::fs::remove_file(&path).unwrap();
        let other = UnixListener::bind(&path).unwrap();
        assert_eq!((guard.look(&mut listener, &mut registry(), now), guard.is_displaced()), (Finding::Displaced, true));
        assert_eq!(guard.look_at(), Some(now + PERIOD));
        drop(other);
        // Whether somebody listens there costs a connection, so it is asked rarely.
        let asked = now;
        while now + PERIOD < asked + QUESTION_PERIOD {
            now += PERIOD;
            assert_eq!(guard.look(&mut listener, &mut registry(), now), Finding::Nothing);
        }
        assert_eq!(guard.look(&mut listener, &mut registry(), asked + QUESTION_PERIOD), Finding::Gone);
        listener.renew(MODE).unwrap();
        guard.renewed(&listener, &mut registry(), now);
        assert_eq!((guard.look(&mut listener, &mut registry(), now), guard.is_displaced()), (Finding::Nothing, false));
    }

    #[test]
    fn one_that_is_listened_on_is_left_alone_for_as_long_as_that_lasts() {
        let (path, mut listener, mut guard, now) = guarded("lasting");
        std::fs::remove_file(&path).unwrap();
        let other = UnixListener::bind(&path).unwrap();
        assert_eq!(guard.look(&mut listener, &mut registry(), now), Finding::Displaced);
        for asked in 1..5 {
            assert_eq!(guard.look(&mut listener, &mut registry(), now + asked * QUESTION_PERIOD), Finding::Nothing);
        }
        // Something else in that place is asked at once.
        std::fs::remove_file(&path).unwrap();
        drop(UnixListener::bind(&path).unwrap());
        assert_eq!(guard.look(&mut listener, &mut registry(), now + 4 * QUESTION_PERIOD + PERIOD), Finding::Gone);
        drop(other);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(guard.look(&mut listener, &mut registry(), now), Finding::Gone);
    }
}
