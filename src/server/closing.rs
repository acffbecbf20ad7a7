//! How far a server has got with closing.

use crate::machine::SessionId;

/// A server that closes.
#[derive(Debug, Default)]
pub(super) struct Closing {
    /// Whether clients still owe answers to each other or to the server. Until they don't, the server leaves no client.
    pub(super) owes: bool,
    /// Clients to which something happened that the server may have waited for.
    pub(super) candidates: Vec<SessionId>,
}
