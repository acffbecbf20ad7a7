//! What is made of sockets whose other end is a test's.

use std::io::Write;

use super::*;
use crate::link::Receipt;
use crate::machine::{Credentials, Event, SessionId};

/// The only connection.
const CONNECTION: ConnectionId = ConnectionId(1);

/// Writes what it is told to, and notes what happens.
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

    fn settle(&mut self, _: Instant, _: &mut dyn Events) {}

    fn next_dirty(&mut self) -> Option<ConnectionId> {
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

/// Watches nothing: the test knows what is ready.
#[derive(Debug, Default)]
struct Unwatched;

impl Registry for Unwatched {
    fn watch_connection(&mut self, _: ConnectionId, _: &Arc<UnixStream>) -> io::Result<()> {
        Ok(())
    }

    fn watch_listener(&mut self, _: ListenerId, _: &Arc<UnixListener>) -> io::Result<()> {
        Ok(())
    }

    fn watch_writable(&mut self, _: ConnectionId, _: &Arc<UnixStream>) -> io::Result<()> {
        Ok(())
    }

    fn read_again(&mut self, _: ConnectionId) {}

    fn forget_connection(&mut self, _: ConnectionId, _: &Arc<UnixStream>) {}

    fn forget_listener(&mut self, _: ListenerId, _: &Arc<UnixListener>) {}

    fn watch_files(&mut self, _: &Arc<OwnedFd>) -> io::Result<()> {
        Ok(())
    }

    fn forget_files(&mut self, _: &Arc<OwnedFd>) {}
}

/// The answer lies in the socket and its sender is gone when something is to be written. `unread`: what the sender has not
/// read, which makes the error another one.
fn write_to_one_that_has_answered_and_gone(unread: &[u8]) -> Vec<String> {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    (&ours).write_all(unread).unwrap();
    theirs.write_all(b"answer").unwrap();
    drop(theirs);
    let mut io = Io::new(Recorder::default(), Unwatched, 0o600);
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
