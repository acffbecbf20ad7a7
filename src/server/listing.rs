//! Who is connected to a server, for those who want to see it.

use std::time::Instant;

use super::Server;
use super::session::Session;
use crate::machine::Credentials;

/// A client as a server sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientInfo {
    /// Its name.
    pub name: String,
    /// The id of its session.
    pub uuid: String,
    /// The process behind its connection, or its last one.
    pub peer: Credentials,
    /// Since when it has been connected, or away.
    pub since: Instant,
    /// Whether its connection is lost and it is expected back.
    pub is_away: bool,
    /// Messages for it that it has not acknowledged, and bytes that are kept for it.
    pub queued: (usize, usize),
}

impl Server {
    /// The clients that are connected or expected back, in the order in which they first came.
    pub fn list_clients(&self) -> Vec<ClientInfo> {
        let mut listed: Vec<_> = self.sessions.iter().filter(|(_, session)| session.takes_messages()).collect();
        listed.sort_unstable_by_key(|&(id, _)| *id);
        let info = |session: &Session, missed: (u64, usize)| ClientInfo {
            name: session.name.clone(),
            uuid: session.uuid.clone(),
            peer: session.peer,
            since: session.since,
            is_away: session.is_away(),
            queued: ((session.sequence.outbox.len() + missed.0) as usize, session.sequence.outbox.size() + missed.1),
        };
        listed.into_iter().map(|(&id, session)| info(session, self.away.missed(id))).collect()
    }
}
