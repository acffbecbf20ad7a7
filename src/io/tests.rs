//! Sockets whose other end is held by the test, and a client that finds its server with and without notices of
//! files.

use std::io::{self, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::listener::Listener;
use super::{Change, ConnectionWatch, FileNotices, FileWatch, Io, Progress, Registry, socket};
use crate::client::{Client, Options};
use crate::domain::Domain;
use crate::machine::{Action, ConnectionId, Credentials, Event, Events, ListenerId, Machine, SessionId};
use crate::sequence::Receipt;
use crate::trust::{Others, Trust};

/// Watches files alone, if there are notices: the test knows what else is ready.
#[derive(Debug)]
pub(super) struct TestRegistry(pub(super) Option<FileNotices<()>>);

#[derive(Debug)]
pub(super) struct Unwatched;

impl Registry for TestRegistry {
    type ConnectionWatch = Unwatched;
    type ListenerWatch = Unwatched;
    type FileWatch = FileWatch<()>;

    fn watch_connection(&mut self, _: ConnectionId, _: &Arc<UnixStream>) -> io::Result<Unwatched> {
        Ok(Unwatched)
    }

    fn watch_listener(&mut self, _: ListenerId, _: &Arc<UnixListener>) -> io::Result<Unwatched> {
        Ok(Unwatched)
    }

    fn watch_file(&mut self, path: &Path, change: Change) -> io::Result<FileWatch<()>> {
        self.0.as_ref().ok_or(io::ErrorKind::Unsupported)?.watch(path, change, ())
    }
}

impl ConnectionWatch for Unwatched {
    fn watch_writable(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn read_again(&self) {}
}

/// The only connection.
const CONNECTION: ConnectionId = ConnectionId(1);

/// Writes the given bytes, and records what happens.
#[derive(Debug, Default)]
struct Recorder {
    to_write: Vec<u8>,
    is_dirty: bool,
    seen: Vec<String>,
}

impl Machine for Recorder {
    fn next_action(&mut self) -> Option<Action> {
        None
    }

    fn opened(&mut self, _: ConnectionId, _: Credentials, _: Instant, _: &mut dyn Events) {}

    fn accepted(&mut self, _: ListenerId, _: Credentials, _: Instant, _: &mut dyn Events) -> Option<ConnectionId> {
        None
    }

    fn listening_failed(&mut self, _: ListenerId, _: Instant, _: &mut dyn Events) {}

    fn read_into(&mut self, _: ConnectionId) -> Option<&mut Vec<u8>> {
        None
    }

    fn received(&mut self, _: ConnectionId, bytes: &[u8], _: Instant, _: &mut dyn Events) {
        self.seen.push(String::from_utf8_lossy(bytes).into_owned());
    }

    fn lost(&mut self, _: ConnectionId, _: Instant, _: &mut dyn Events) {
        self.seen.push("lost".to_owned());
    }

    fn prepare(&mut self, _: Instant, _: &mut dyn Events) {}

    fn next_write(&mut self) -> Option<ConnectionId> {
        std::mem::take(&mut self.is_dirty).then_some(CONNECTION)
    }

    fn unwritten(&self, _: ConnectionId) -> &[u8] {
        &self.to_write
    }

    fn written(&mut self, _: ConnectionId, count: usize, _: Instant, _: &mut dyn Events) {
        self.to_write.drain(..count);
    }

    fn handled(&mut self, _: SessionId, _: Receipt, _: Instant) {}

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn elapsed(&mut self, _: Instant, _: &mut dyn Events) {}
}

/// The answer lies in the socket and its sender is gone when something is to be written. `unread`: what the sender has not
/// read, which makes the error another one.
fn write_to_one_that_has_answered_and_gone(unread: &[u8]) -> Vec<String> {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    (&ours).write_all(unread).unwrap();
    theirs.write_all(b"answer").unwrap();
    drop(theirs);
    let mut io = Io::new(Recorder::default(), TestRegistry(None), 0o600);
    assert!(io.add(CONNECTION, Arc::new(ours)));
    (io.machine.to_write, io.machine.is_dirty) = (b"request".to_vec(), true);
    let (now, events) = (Instant::now(), &mut |_: Event<'_>| ());
    io.flush(now, events);
    assert_eq!(io.machine.seen, [""; 0], "the end follows what is to be read");
    let mut buffer = [0; 100];
    while io.readable(CONNECTION, true, &mut buffer, now, events) == Progress::More {}
    io.machine.seen
}

#[test]
fn an_answer_that_lies_in_the_socket_counts_where_a_write_fails_before_it_is_read() {
    for unread in [&b""[..], b"unread"] {
        assert_eq!(write_to_one_that_has_answered_and_gone(unread), ["answer", "lost"], "{unread:?}");
    }
}

/// A client that waits for its server.
struct Waiting {
    io: Io<Client, TestRegistry>,
    path: PathBuf,
    now: Instant,
}

impl Waiting {
    fn new(name: &str, notices: Option<FileNotices<()>>) -> Waiting {
        let domain = Domain::new(&format!("io-{name}-{}", std::process::id())).unwrap();
        let path = domain.control();
        let client = Client::new(Options {
            name: "alice".into(),
            domain,
            trust: Trust { own: rustix::process::geteuid().as_raw(), others: Others::These(Vec::new()) },
            limit: 1024,
            queue_limit: 1024,
            close_timeout: Duration::ZERO,
            parses_texts: false,
        });
        let mut waiting = Waiting { io: Io::new(client, TestRegistry(notices), 0o600), path, now: Instant::now() };
        waiting.io.machine.connect().unwrap();
        let mut codes = Vec::new();
        waiting.io.flush(waiting.now, &mut |event: Event<'_>| match event {
            Event::Waiting { error } => codes.push(error.code().as_str()),
            other => panic!("{other:?}"),
        });
        assert_eq!(codes, ["ENOENT"]);
        waiting
    }

    /// Whether it has connected to this listener by now.
    fn has_connected(&mut self, listener: &Listener) -> bool {
        self.io.flush(self.now, &mut |_: Event<'_>| {});
        socket::accept(&listener.socket).is_ok()
    }
}

#[test]
fn a_client_connects_when_it_is_told_that_a_socket_has_appeared() {
    // There are no notices on every system.
    let Ok(notices) = FileNotices::new() else { return };
    let mut waiting = Waiting::new("noticed", Some(notices.clone()));
    for _ in 0..2 {
        // The first one is gone before the client has looked.
        drop(Listener::take_over(&waiting.path, 0o600).unwrap());
        assert!(!notices.read().is_empty());
        waiting.io.files_changed(waiting.now);
        waiting.io.flush(waiting.now, &mut |_: Event<'_>| {});
    }
    let listener = Listener::take_over(&waiting.path, 0o600).unwrap();
    assert!(!waiting.has_connected(&listener));
    assert!(!notices.read().is_empty());
    waiting.io.files_changed(waiting.now);
    assert!(waiting.has_connected(&listener));
}

#[test]
fn without_notices_it_tries_again_when_its_time_has_come() {
    let mut waiting = Waiting::new("unnoticed", None);
    let listener = Listener::take_over(&waiting.path, 0o600).unwrap();
    waiting.io.files_changed(waiting.now);
    assert!(!waiting.has_connected(&listener));
    waiting.now = waiting.io.deadline().unwrap();
    waiting.io.elapsed(waiting.now, &mut |_: Event<'_>| {});
    assert!(waiting.has_connected(&listener));
}
