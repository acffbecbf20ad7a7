//! How a session's connections carry its frames: as they are on one connection, or translated to protocol 1 on two.

use super::Partial;
use super::ProtocolError;
use super::frame::Frame;
use super::inbox::Inbox;
use super::outbox::Outbox;
use super::text::Text;
use super::v1::{Socket, Translation};

/// What reads and writes the frames of a session.
#[derive(Debug)]
pub enum Codec {
    /// The bytes of the queue are those of the wire. The handshake is written in front of them.
    Frames {
        /// What has been read.
        inbox: Inbox,
        /// The rest of this side's handshake.
        handshake: Text,
    },
    /// Protocol 1.
    Text(Box<Translation>),
}

impl Default for Codec {
    /// One that stands in for another.
    fn default() -> Codec {
        Codec::Frames { inbox: Inbox::new(0), handshake: Text::default() }
    }
}

impl Codec {
    /// Takes the first whole frame out of `bytes`, which were read from this socket. `None` when there is no whole one: the
    /// rest has then been kept.
    pub fn next<'a, 'b: 'a>(
        &'a mut self,
        socket: Socket,
        bytes: &mut &'b [u8],
    ) -> Result<Option<Frame<'a>>, ProtocolError> {
        match self {
            Codec::Frames { inbox, .. } => match inbox.next(bytes)? {
                Some(whole) => Ok(Some(whole.decode()?)),
                None => Ok(None),
            },
            Codec::Text(translation) => translation.next(socket, bytes),
        }
    }

    /// Where the rest of a large frame may be read to, see [`Inbox::rest`].
    pub fn rest(&mut self) -> Option<&mut Vec<u8>> {
        match self {
            Codec::Frames { inbox, .. } => inbox.rest(),
            Codec::Text(_) => None,
        }
    }

    /// What has been read of a message whose end has not.
    pub fn unfinished(&self, socket: Socket) -> Partial {
        match self {
            Codec::Frames { inbox, .. } => inbox.unfinished(),
            Codec::Text(translation) => translation.unfinished(socket),
        }
    }

    /// Takes frames out of the queue that must be translated before they are written.
    pub fn translate(&mut self, outbox: &mut Outbox) {
        if let Codec::Text(translation) = self {
            translation.translate(outbox);
        }
    }

    /// The next bytes to write to this socket.
    pub fn unwritten<'a>(&'a self, socket: Socket, outbox: &'a Outbox) -> &'a [u8] {
        match self {
            Codec::Frames { handshake, .. } if !handshake.is_written() => handshake.unwritten(),
            Codec::Frames { .. } => outbox.unwritten(),
            Codec::Text(translation) => translation.unwritten(socket),
        }
    }

    /// Notes that `count` bytes were written to this socket. Gives the number of bytes of the queue that this completes.
    pub fn written(&mut self, socket: Socket, count: usize, outbox: &mut Outbox) -> usize {
        match self {
            Codec::Frames { handshake, .. } if !handshake.is_written() => {
                handshake.advance(count);
                0
            }
            Codec::Frames { .. } => {
                outbox.advance(count);
                count
            }
            Codec::Text(translation) => translation.written(socket, count),
        }
    }

    /// How many frames have been acknowledged in all, where the peer can't say so by itself; once for each count.
    pub fn acknowledged(&mut self) -> Option<u64> {
        match self {
            Codec::Frames { .. } => None,
            Codec::Text(translation) => translation.acknowledged(),
        }
    }

    /// Whether everything has been written.
    pub fn is_written(&self, outbox: &Outbox) -> bool {
        outbox.is_written()
            && match self {
                Codec::Frames { handshake, .. } => handshake.is_written(),
                Codec::Text(translation) => translation.is_written(),
            }
    }

    /// Deliveries that the peer has asked for and whose ids wait here for the answer.
    pub fn requests(&self) -> usize {
        match self {
            Codec::Frames { .. } => 0,
            Codec::Text(translation) => translation.requests(),
        }
    }
}
