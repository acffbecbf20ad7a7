//! A connection between a client and the server.

use ipcio::driver::machine::ConnectionId;

use super::Side;

/// Both directions of a connection.
#[derive(Debug)]
pub(crate) struct Pipe {
    /// The client, and its name for the connection.
    pub(crate) client: (usize, ConnectionId),
    /// The server's name for it, once it has been accepted.
    pub(crate) server: Option<ConnectionId>,
    pub(crate) to_server: Stream,
    pub(crate) to_client: Stream,
}

/// One direction.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    /// The bytes in transit.
    pub(crate) bytes: Vec<u8>,
    /// Nothing will follow.
    pub(crate) ended: bool,
    /// The reader has closed its end.
    pub(crate) deaf: bool,
    /// The reader has paused.
    pub(crate) paused: bool,
    /// The reader does not read for now.
    pub(crate) full: bool,
    /// The writer waits for room.
    pub(crate) blocked: bool,
}

impl Pipe {
    pub(crate) fn new(client: (usize, ConnectionId)) -> Pipe {
        Pipe { client, server: None, to_server: Stream::default(), to_client: Stream::default() }
    }

    /// A side has closed its end: it reads no more, and the other one reads what was written.
    pub(crate) fn leave(&mut self, side: Side) {
        if side == Side::Server {
            self.to_server.go_deaf();
            self.to_client.ended = true;
        } else if side == Side::Client(self.client.0) {
            self.to_client.go_deaf();
            self.to_server.ended = true;
        }
    }

    /// It breaks, and bytes in transit are lost.
    pub(crate) fn cut_both(&mut self) {
        self.to_server.cut(0);
        self.to_client.cut(0);
    }

    /// Whether both sides have closed it.
    pub(crate) fn is_closed(&self) -> bool {
        self.to_client.deaf && self.to_server.deaf
    }

    /// Whether there is anything to transmit.
    pub(crate) fn is_moving(&self) -> bool {
        let waits = self.server.is_none() && !self.to_client.ended;
        waits || self.to_client.is_moving() || (self.server.is_some() && self.to_server.is_moving())
    }

    pub(crate) fn connection(&self, side: Side) -> Option<ConnectionId> {
        if side == Side::Server { self.server } else { Some(self.client.1) }
    }

    /// The direction to a side.
    pub(crate) fn stream(&mut self, to: Side) -> &mut Stream {
        if to == Side::Server { &mut self.to_server } else { &mut self.to_client }
    }

    /// The direction from a side.
    pub(crate) fn stream_from(&mut self, from: Side) -> &mut Stream {
        if from == Side::Server { &mut self.to_client } else { &mut self.to_server }
    }
}

impl Stream {
    /// All but the first `kept` bytes are lost, and nothing follows.
    pub(crate) fn cut(&mut self, kept: usize) {
        self.bytes.truncate(kept);
        self.ended = true;
    }

    /// Whether everything was read, and more may follow.
    pub(crate) fn is_quiet(&self) -> bool {
        self.bytes.is_empty() && !self.ended && !self.deaf
    }

    fn go_deaf(&mut self) {
        self.deaf = true;
        self.bytes.clear();
    }

    fn is_moving(&self) -> bool {
        !self.deaf && (self.ended || (!self.paused && !self.bytes.is_empty()))
    }
}
