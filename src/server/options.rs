//! What a server is made with.

use std::time::Duration;

use crate::domain::Domain;
use crate::trust::Trust;

/// What a server is made with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens.
    pub domain: Domain,
    /// Whom it takes for a client.
    pub trust: Trust,
    /// The largest payload, in bytes; no more than [`LARGEST_PAYLOAD`](crate::protocol::frame::LARGEST_PAYLOAD) counts.
    pub limit: usize,
    /// The most clients at a time, those included that are away.
    pub max_clients: usize,
    /// How long a client may take to say who it is.
    pub handshake_timeout: Duration,
    /// Bytes that may wait to be written to one client before it is dropped.
    pub slow_consumer_limit: usize,
    /// Bytes of messages that have begun to arrive and are not complete, of all connections. Beyond it, large ones are read
    /// one after the other.
    pub unfinished_limit: usize,
    /// The most deliveries of one client without an answer.
    pub max_deliveries: usize,
    /// Bytes that may be kept for all clients together that are away: messages, names and ids. A broadcast counts once.
    pub away_limit: usize,
    /// How long a client whose connection broke is expected back.
    pub resume_timeout: Duration,
    /// How long [`Server::close`](super::Server::close) waits for clients to read.
    pub close_timeout: Duration,
    /// Whether the application parses each large JSON text by itself, and calls [`Server::reject_payload`](super::Server::reject_payload) where it can't. If so, it
    /// gets these unchecked, as [`Payload::Text`](crate::machine::Payload::Text).
    pub parses_texts: bool,
}
