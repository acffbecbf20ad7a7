//! What a state machine takes and gives, the same for the client and the server.
//!
//! A machine does no I/O and knows no clock. A driver ([`crate::io`]) reports what happened to its
//! connections, together with the time, and carries out its [`Action`]s. The shape follows quinn-proto and
//! rustls: events in, events out.

use std::path::PathBuf;
use std::time::Instant;

use crate::error::Error;
use crate::protocol::frame::{Allocation, Flags, Frame};
use crate::sequence::Receipt;

/// A connection, named by the machine; never used again for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u32);

/// A listening socket, named by the machine; never used again for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListenerId(pub u32);

/// A client as the server sees it, through all its connections. A client has one session, 0: its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub u32);

/// The place of a command among an instance's handlers, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandId(pub u32);

/// The process at the other end of a connection, as the system reports it: the process that connected, or that listens, as it
/// was then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Credentials {
    /// The process id. It is 0 if the system cannot tell, for example for a process in another PID namespace.
    pub pid: u32,
    /// The id of its user, or [`Credentials::UNKNOWN`].
    pub uid: u32,
    /// The id of its group.
    pub gid: u32,
}

impl Credentials {
    /// A user without an id here, because the process is in another user namespace. No user has this id.
    pub const UNKNOWN: u32 = u32::MAX;

    /// The credentials of a process.
    pub fn new(pid: u32, uid: u32, gid: u32) -> Credentials {
        Credentials { pid, uid, gid }
    }
}

/// What a machine wants its driver to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// Connect to the socket at `path`.
    Connect {
        /// The connection's name from now on.
        connection: ConnectionId,
        /// Where.
        path: PathBuf,
    },
    /// Listen at `path`, for one client.
    Listen {
        /// The listener's name from now on.
        listener: ListenerId,
        /// Where.
        path: PathBuf,
    },
    /// Listen no longer, and take the socket's file away.
    StopListening(ListenerId),
    /// Close the connection. What was written reaches the other side.
    Close(ConnectionId),
    /// Read from the connection again, see [`Machine::may_read`].
    Read(ConnectionId),
    /// Call [`Machine::appeared`] when a socket appears at this path, once. Where that can't be noticed, the machine tries
    /// again by itself.
    WatchFor(PathBuf),
    /// No more is to be called for [`Action::WatchFor`].
    StopWatching,
}

/// A message's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload<'a> {
    /// JSON text in UTF-8, checked to be one value.
    Json(&'a [u8]),
    /// A large text in UTF-8 that should be JSON and was not checked to be, and its [`Allocation`]. Only for those who asked
    /// for it by an option `parses_texts`.
    Text(&'a [u8], Allocation<'a>),
    /// Raw bytes, and their [`Allocation`].
    Bytes(&'a [u8], Allocation<'a>),
}

impl<'a> Payload<'a> {
    /// The payload of a frame.
    pub(crate) fn of(frame: &Frame<'a>) -> Payload<'a> {
        if frame.flags.contains(Flags::BYTES) {
            Payload::Bytes(frame.payload, frame.memory)
        } else if frame.unchecked {
            Payload::Text(frame.payload, frame.memory)
        } else {
            Payload::Json(frame.payload)
        }
    }

    /// Whether it is raw bytes.
    pub fn is_bytes(self) -> bool {
        matches!(self, Payload::Bytes(..))
    }

    /// The text or the bytes.
    pub fn content(self) -> &'a [u8] {
        let (Payload::Json(content) | Payload::Text(content, _) | Payload::Bytes(content, _)) = self;
        content
    }

    /// How a frame says it.
    pub(crate) fn parts(self) -> (&'a [u8], Flags) {
        (self.content(), if self.is_bytes() { Flags::BYTES } else { Flags::default() })
    }
}

/// A message for a handler.
#[derive(Debug)]
pub struct Incoming<'a> {
    /// On the server, whose session it came on.
    pub session: SessionId,
    /// The name of the sender; empty for the server.
    pub from: &'a str,
    /// Which handler.
    pub command: CommandId,
    /// The delivery to answer, if the sender waits for one.
    pub request: Option<u64>,
    /// Whether it may have been seen before.
    pub redelivered: bool,
    /// Its content.
    pub payload: Payload<'a>,
    /// To be handed back once the handler has been called.
    pub receipt: Receipt,
}

/// What a machine tells the application.
#[derive(Debug)]
pub enum Event<'a> {
    /// A handler is to be called.
    Message(Incoming<'a>),
    /// A delivery is answered.
    Answer {
        /// The number that the delivery was given.
        request: u64,
        /// The handler's result, or a failure as JSON with `name`, `message` and `code`.
        outcome: Result<Payload<'a>, Payload<'a>>,
    },
    /// The time of a delivery is over, and it has no answer: see [`Client::limit_time`](crate::client::Client::limit_time).
    TimedOut {
        /// The number that the delivery was given.
        request: u64,
    },
    /// The next `count` one-way messages, in the order in which they were sent, have been received.
    Settled {
        /// How many.
        count: u64,
    },
    /// The next one-way message, in the order in which they were sent, will not be sent.
    Rejected {
        /// Why.
        error: Error,
    },
    /// The client is connected, under this id.
    Connected {
        /// The id that the server gave to the connection.
        uuid: &'a str,
    },
    /// The client has lost its server and tries to find it again.
    Disconnected,
    /// The client waits for its server, for this reason. Said when it begins to and when the reason changes.
    Waiting {
        /// Why.
        error: Error,
    },
    /// The client can't connect and has stopped trying.
    Refused {
        /// Why.
        error: Error,
    },
    /// A client has come, or come back.
    SessionConnected {
        /// Its session.
        session: SessionId,
        /// Its name.
        name: &'a str,
        /// Its id.
        uuid: &'a str,
        /// Its process.
        peer: Credentials,
    },
    /// A client's connection is gone.
    SessionDisconnected {
        /// Its session.
        session: SessionId,
        /// Its name.
        name: &'a str,
        /// Its id.
        uuid: &'a str,
    },
    /// A session will not come back.
    SessionEnded {
        /// Which.
        session: SessionId,
        /// The client's name.
        name: &'a str,
        /// Messages for the client that are not known to have arrived.
        messages: u64,
        /// Their size in bytes.
        bytes: usize,
    },
    /// Messages for a client were not sent, since they are larger than it takes. That is no mistake of their sender.
    Dropped {
        /// The client's name.
        name: &'a str,
        /// How many messages.
        messages: u64,
        /// Their size in bytes.
        bytes: usize,
    },
    /// Everything that waited for a client has been written.
    Drained {
        /// Its session.
        session: SessionId,
    },
    /// The file of the server's socket was removed, and has been made anew.
    Relistened,
    /// Something else lies in the place of the server's socket. The connected clients stay, no other one can connect.
    Displaced,
    /// Closing is complete.
    Closed,
}

/// Receives the events of a machine. A machine calls it while it works: it must not call back into it.
pub trait Events {
    /// Takes one event.
    fn event(&mut self, event: Event<'_>);
}

impl<F: FnMut(Event<'_>)> Events for F {
    fn event(&mut self, event: Event<'_>) {
        self(event);
    }
}

/// A client or a server, as its driver sees it.
pub trait Machine {
    /// The next thing to do, in order. To be asked after every call below.
    fn next_action(&mut self) -> Option<Action>;

    /// A connection that was to be made is there.
    fn opened(&mut self, connection: ConnectionId, peer: Credentials, now: Instant, events: &mut dyn Events);

    /// A peer has connected to a listener. `None`: it is to be closed at once.
    fn accepted(
        &mut self,
        listener: ListenerId,
        peer: Credentials,
        now: Instant,
        events: &mut dyn Events,
    ) -> Option<ConnectionId>;

    /// The file of a server's socket was removed, and has been made anew.
    fn relistened(&mut self, _: &mut dyn Events) {}

    /// Something else lies in the place of a server's socket.
    fn displaced(&mut self, _: &mut dyn Events) {}

    /// A socket may have appeared where [`Action::WatchFor`] says.
    fn appeared(&mut self) {}

    /// A listener could not be opened.
    fn listening_failed(&mut self, listener: ListenerId, now: Instant, events: &mut dyn Events);

    /// Whether a connection is to be read. If not, what its peer writes waits in the socket, until [`Action::Read`]: there
    /// may be no other notice of it.
    fn may_read(&mut self, _connection: ConnectionId) -> bool {
        true
    }

    /// Where the next bytes may be read to, instead of a buffer of the driver's: only its spare capacity is to be
    /// used. They are reported as none at all.
    fn read_into(&mut self, connection: ConnectionId) -> Option<&mut Vec<u8>>;

    /// Bytes were read.
    fn received(&mut self, connection: ConnectionId, bytes: &[u8], now: Instant, events: &mut dyn Events);

    /// A connection could not be made, for this reason of the system's.
    fn connect_failed(&mut self, connection: ConnectionId, error: Error, now: Instant, events: &mut dyn Events) {
        drop(error);
        self.lost(connection, now, events);
    }

    /// A connection could not be made, or has ended; not called after [`Action::Close`].
    fn lost(&mut self, connection: ConnectionId, now: Instant, events: &mut dyn Events);

    /// Deals with what calls of the application have led to. To be called before anything is written.
    fn prepare(&mut self, now: Instant, events: &mut dyn Events);

    /// The next connection that has something to write. Its bytes are to be written before this is asked
    /// again: an acknowledgement of what was passed on comes after what was passed on.
    fn next_write(&mut self) -> Option<ConnectionId>;

    /// What to write there; empty if nothing.
    fn unwritten(&self, connection: ConnectionId) -> &[u8];

    /// Notes how many of these bytes were written.
    fn written(&mut self, connection: ConnectionId, count: usize, now: Instant, events: &mut dyn Events);

    /// The application's handler has been called for this and all earlier messages of the session.
    fn handled(&mut self, session: SessionId, receipt: Receipt, now: Instant);

    /// When [`Machine::elapsed`] is to be called.
    fn deadline(&self) -> Option<Instant>;

    /// The deadline has passed.
    fn elapsed(&mut self, now: Instant, events: &mut dyn Events);
}
