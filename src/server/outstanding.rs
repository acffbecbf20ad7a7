//! What a server keeps, for the tests: nothing once everything is settled.

use super::session::Session;
use super::{Connection, Server};

impl Server {
    /// What it keeps beside its clients, their connections and its handlers: of what kind, and how much of it. Kinds of which
    /// there is none are left out.
    #[doc(hidden)]
    pub fn outstanding(&self) -> Vec<(&'static str, usize)> {
        let sessions = || self.sessions.values();
        let connections = |is_one: fn(&Connection) -> bool| self.connections.values().filter(|one| is_one(one)).count();
        let away = sessions().filter(|session| session.is_away()).count();
        let (to_write, to_acknowledge) = self.schedule.outstanding();
        let (begun, waiting) = self.unfinished.outstanding();
        let mut kept = vec![
            ("frames that go out", sessions().map(|session| session.sequence.outbox.len() as usize).sum()),
            ("bytes that go out", sessions().map(|session| session.sequence.outbox.size()).sum()),
            ("deliveries that no handler has answered", sessions().map(|session| session.asked).sum()),
            ("deliveries of protocol 1", sessions().map(Session::translated_requests).sum()),
            ("deliveries that no client has answered", self.relays.len()),
            ("entries that lead to deliveries", self.relays.links()),
            ("time limits of the server's deliveries", self.questions.limits.len()),
            ("deliveries of the server's that have failed", self.questions.failed()),
            ("messages for clients on their way", self.held_messages.len()),
            ("messages that their senders keep", sessions().map(|session| session.holds.len()).sum()),
            ("clients that are away", away),
            ("broadcasts for clients that are away", self.away.broadcasts() as usize),
            ("names without a client", self.names.len().abs_diff(self.sessions.len())),
            (
                "connections that have not said who they are",
                connections(|one| matches!(one, Connection::Handshake { .. })),
            ),
            ("connections that are ending", connections(|one| matches!(one, Connection::Ending(_)))),
            ("bytes of messages that have begun", begun),
            ("connections that wait to be read", waiting),
            ("connections that want a name", self.claims.len()),
            ("private sockets", self.listeners.len()),
            ("acknowledgements that are due", to_acknowledge),
            ("clients that are too slow", self.overflowing.len()),
            ("bytes that come when a client has read", self.overflowing.unheard()),
            ("clients that messages were too large for", self.dropped.len()),
            ("connections to write to", to_write),
            ("timers", self.timers.len()),
            ("actions", self.actions.len()),
        ];
        kept.retain(|&(_, count)| count > 0);
        kept
    }
}
