//! Who is connected to a server.

use std::time::{Instant, SystemTime};

use crate::machine::Credentials;
use crate::server;

/// A client, as [`Server::clients`](crate::Server::clients) lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientInfo {
    /// Its name.
    pub name: String,
    /// The id that the server gave it, 32 hex digits.
    pub uuid: String,
    /// The process behind its connection; while it is away, behind its last one.
    pub peer: Credentials,
    /// Since when it has been connected or, where it is away, since when it has been so.
    pub since: SystemTime,
    /// Whether its connection is lost and it is expected back.
    pub is_away: bool,
    /// What waits for it: messages and answers that it has not acknowledged, and the bytes that are kept for it.
    pub queued: (usize, usize),
}

impl ClientInfo {
    /// What the server says of it, by the time that is told.
    pub(super) fn at(info: server::ClientInfo, now: Instant, time: SystemTime) -> ClientInfo {
        let server::ClientInfo { name, uuid, peer, since, is_away, queued } = info;
        let since = time.checked_sub(now.saturating_duration_since(since)).unwrap_or(time);
        ClientInfo { name, uuid, peer, since, is_away, queued }
    }
}
