//! The clients of a server.

use std::time::{Instant, SystemTime};

use crate::machine::Credentials;
use crate::server;

/// A client, as [`Server::clients`](crate::Server::clients) lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientInfo {
    /// The name of the client.
    pub name: String,
    /// The id that the server gave to the client: 32 hex digits.
    pub uuid: String,
    /// The process at the other end of the connection, or of the last connection if the client is away.
    pub peer: Credentials,
    /// When the client connected, or when its connection was lost if it is away.
    pub since: SystemTime,
    /// Whether the connection is lost and the client may still return to its session.
    pub is_away: bool,
    /// The messages and answers that the client has not acknowledged: their number, and the bytes that are kept for it.
    pub queued: (usize, usize),
}

impl ClientInfo {
    /// Converts the time of the machine into the time of the system.
    pub(super) fn at(info: server::ClientInfo, now: Instant, time: SystemTime) -> ClientInfo {
        let server::ClientInfo { name, uuid, peer, since, is_away, queued } = info;
        let since = time.checked_sub(now.saturating_duration_since(since)).unwrap_or(time);
        ClientInfo { name, uuid, peer, since, is_away, queued }
    }
}
