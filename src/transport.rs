//! What a session is connected by: one connection, or the two of protocol 1, and the codec between their bytes and its
//! frames.

use crate::machine::ConnectionId;
use crate::protocol::Partial;
use crate::protocol::codec::Codec;
use crate::protocol::inbox::Inbox;
use crate::protocol::outbox::Outbox;
use crate::protocol::text::Text;
use crate::protocol::v1::{Socket, Translation};

/// The connections of a session.
#[derive(Debug)]
pub(crate) struct Transport {
    control: ConnectionId,
    private: Option<ConnectionId>,
    codec: Codec,
}

impl Transport {
    /// Frames as they are, behind what is left of a handshake.
    pub(crate) fn frames(connection: ConnectionId, inbox: Inbox, handshake: Text) -> Transport {
        Transport { control: connection, private: None, codec: Codec::Frames { inbox, handshake } }
    }

    /// Protocol 1. The private connection may be known later, see [`Transport::open`].
    pub(crate) fn text(control: ConnectionId, private: Option<ConnectionId>, translation: Translation) -> Transport {
        Transport { control, private, codec: Codec::Text(Box::new(translation)) }
    }

    /// The private connection stands.
    pub(crate) fn open(&mut self, private: ConnectionId) {
        self.private = Some(private);
        if let Codec::Text(translation) = &mut self.codec {
            translation.open();
        }
    }

    /// The connections, the first one first.
    pub(crate) fn connections(&self) -> impl Iterator<Item = ConnectionId> + use<> {
        [Some(self.control), self.private].into_iter().flatten()
    }

    /// The connection that was there first.
    pub(crate) fn first(&self) -> ConnectionId {
        self.control
    }

    /// The other one, if there is one.
    pub(crate) fn second(&self) -> Option<ConnectionId> {
        self.private
    }

    /// Whether it is one of these.
    pub(crate) fn has(&self, connection: ConnectionId) -> bool {
        self.control == connection || self.private == Some(connection)
    }

    /// What reads from a connection, while its frames are dealt with: that changes the rest.
    pub(crate) fn take_codec(&mut self, connection: ConnectionId) -> (Socket, Codec) {
        (self.socket(connection), std::mem::take(&mut self.codec))
    }

    /// Puts it back.
    pub(crate) fn put_codec(&mut self, codec: Codec) {
        self.codec = codec;
    }

    /// Where the rest of a large frame may be read to.
    pub(crate) fn rest(&mut self) -> Option<&mut Vec<u8>> {
        self.codec.rest()
    }

    /// What a connection has begun to send.
    pub(crate) fn unfinished(&self, connection: ConnectionId) -> Partial {
        self.codec.unfinished(self.socket(connection))
    }

    /// Takes frames out of the queue that must be translated before they are written.
    pub(crate) fn translate(&mut self, outbox: &mut Outbox) {
        self.codec.translate(outbox);
    }

    /// What to write to a connection.
    pub(crate) fn unwritten<'a>(&'a self, connection: ConnectionId, outbox: &'a Outbox) -> &'a [u8] {
        self.codec.unwritten(self.socket(connection), outbox)
    }

    /// Notes bytes that were written to a connection. Returns the number of bytes of the queue that this completes.
    pub(crate) fn written(&mut self, connection: ConnectionId, count: usize, outbox: &mut Outbox) -> usize {
        self.codec.written(self.socket(connection), count, outbox)
    }

    /// How many frames the codec acknowledges for a peer that can't, see [`Codec::acknowledged`].
    pub(crate) fn acknowledged(&mut self) -> Option<u64> {
        self.codec.acknowledged()
    }

    /// Whether everything has been written.
    pub(crate) fn is_written(&self, outbox: &Outbox) -> bool {
        self.codec.is_written(outbox)
    }

    /// Deliveries that the codec keeps the ids of.
    pub(crate) fn requests(&self) -> usize {
        self.codec.requests()
    }

    fn socket(&self, connection: ConnectionId) -> Socket {
        if self.private == Some(connection) { Socket::Private } else { Socket::Control }
    }
}
