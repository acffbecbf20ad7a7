//! How far a client has got with its connection.

use std::time::Instant;

use crate::machine::ConnectionId;
use crate::protocol::v1::channel::Channel;
use crate::transport::Transport;

/// The state of a client's connection.
#[derive(Debug)]
pub(super) enum State {
    /// Not started.
    Idle,
    /// Waiting before the next attempt, until then.
    Waiting(Instant),
    /// The driver makes the connection.
    Connecting(ConnectionId),
    /// The handshake is under way.
    Handshake(Handshake),
    /// The server of protocol 1 takes the client, and waits for its second connection.
    Opening(Transport),
    /// Connected.
    Connected(Transport),
    /// Connected, until everything is done or the time is over.
    Closing(Transport, Instant),
    /// The last bytes are being written, until then.
    Leaving(Transport, Instant),
}

/// A handshake that is under way.
#[derive(Debug)]
pub(super) struct Handshake {
    pub(super) connection: ConnectionId,
    pub(super) channel: Channel,
    pub(super) until: Instant,
    /// When it is said that the server takes long to answer; not again after that.
    pub(super) patient_until: Option<Instant>,
}

impl State {
    /// Whether the connection stands.
    pub(super) fn is_connected(&self) -> bool {
        matches!(self, State::Connected(_) | State::Closing(..))
    }

    /// Whether frames of the server's are dealt with.
    pub(super) fn is_reading(&self) -> bool {
        matches!(self, State::Opening(_) | State::Connected(_) | State::Closing(..))
    }

    /// Whether the client closes.
    pub(super) fn is_closing(&self) -> bool {
        matches!(self, State::Closing(..) | State::Leaving(..))
    }

    /// What the client is connected by.
    pub(super) fn transport(&self) -> Option<&Transport> {
        match self {
            State::Opening(transport)
            | State::Connected(transport)
            | State::Closing(transport, _)
            | State::Leaving(transport, _) => Some(transport),
            _ => None,
        }
    }

    /// The same, to be changed.
    pub(super) fn transport_mut(&mut self) -> Option<&mut Transport> {
        match self {
            State::Opening(transport)
            | State::Connected(transport)
            | State::Closing(transport, _)
            | State::Leaving(transport, _) => Some(transport),
            _ => None,
        }
    }

    /// All connections that are open or being made.
    pub(super) fn connections(&self) -> impl Iterator<Item = ConnectionId> + use<> {
        let only = match self {
            State::Connecting(connection) => Some(*connection),
            State::Handshake(handshake) => Some(handshake.connection),
            _ => None,
        };
        only.into_iter().chain(self.transport().map(Transport::connections).into_iter().flatten())
    }
}
