//! Protocol 1, that of ipcio 0.6.2: a translation from text on two sockets to frames and back, the same for both sides.
//!
//! To a state machine, a peer of protocol 1 is one that sends and takes frames. The translation says for it what the
//! protocol has no words for, and leaves out what the peer would not understand:
//!
//! - Frames are acknowledged when their text has been written to the sockets. Acknowledgements of the machine's, what it
//!   cancels, and its goodbye are not written.
//! - Deliveries have numbers here and texts there. The peer's own are numbered as they come; the machine's become texts
//!   that begin with the id of its session, so that answers to other ones are recognized.
//! - A failure becomes the answer `null`, raw bytes what `Buffer.prototype.toJSON` gives. The names of senders are lost.

pub mod channel;
pub mod message;
mod read;
pub mod splitter;
mod write;

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use super::Partial;
use channel::Channel;

/// How many digits of a session's id the ids of its deliveries begin with.
const PREFIX: usize = 16;

/// Text of this size waits at most before more frames are translated.
const HIGH_WATER_MARK: usize = 256 * 1024;

/// Which side this process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// It has connected.
    Client,
    /// It was connected to.
    Server,
}

/// One of the two sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Socket {
    /// The one that every client connects to first.
    Control,
    /// The client's own.
    Private,
}

/// Both sockets of a client of protocol 1, or of one that is connected to a server of protocol 1.
#[derive(Debug)]
pub struct Translation {
    side: Side,
    /// The client's name.
    name: String,
    /// What the ids of this side's deliveries begin with.
    prefix: String,
    /// The largest payload that is taken, in bytes.
    limit: usize,
    control: Channel,
    private: Channel,
    /// Whether the private socket is connected.
    is_open: bool,
    /// The frame that was read last.
    frame: Vec<u8>,
    /// What the peer has asked for, by the numbers that this side gave it.
    requests: FxHashMap<u64, Request>,
    last_request: u64,
    /// This side's questions who is there. Their answers carry no id, and come in the same order.
    discoveries: VecDeque<u64>,
    /// Sequenced frames that have been translated, and those that have been acknowledged.
    translated: u64,
    acknowledged: u64,
    /// Bytes of frames whose text has not been written to its end.
    unwritten: usize,
}

/// Something that the peer waits for.
#[derive(Debug)]
enum Request {
    /// A delivery, under the peer's own id.
    Delivery(String),
    /// Who is there.
    Discovery,
}

impl Translation {
    /// Goes on behind the handshake on the `control` socket. The client has that name, this side's session or server that
    /// id, and payloads have at most `limit` bytes.
    pub fn new(side: Side, name: &str, id: &str, control: Channel, limit: usize) -> Translation {
        Translation {
            side,
            name: name.to_owned(),
            prefix: id.chars().take(PREFIX).collect(),
            limit,
            control: control.for_wrapped_messages(limit),
            private: Channel::for_messages(limit),
            is_open: false,
            frame: Vec::new(),
            requests: FxHashMap::default(),
            last_request: 0,
            discoveries: VecDeque::new(),
            translated: 0,
            acknowledged: 0,
            unwritten: 0,
        }
    }

    /// The private socket is connected.
    pub fn open(&mut self) {
        self.is_open = true;
    }

    /// What has been read of a message whose end has not.
    pub fn unfinished(&self, socket: Socket) -> Partial {
        self.channel(socket).splitter.unfinished()
    }

    /// What the peer has asked for and was not answered.
    pub fn requests(&self) -> usize {
        self.requests.len()
    }

    fn channel(&self, socket: Socket) -> &Channel {
        if socket == Socket::Control { &self.control } else { &self.private }
    }

    fn channel_mut(&mut self, socket: Socket) -> &mut Channel {
        if socket == Socket::Control { &mut self.control } else { &mut self.private }
    }
}

#[cfg(test)]
mod tests;
