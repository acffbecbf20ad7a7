//! What a client keeps, for the tests: nothing once everything is settled.

use super::{Client, State};
use crate::transport::Transport;

impl Client {
    /// What it keeps that is not its connection's or its handlers': of what kind, and how much of it. Kinds of which there is
    /// none are left out.
    #[doc(hidden)]
    pub fn outstanding(&self) -> Vec<(&'static str, usize)> {
        let text = match &self.state {
            State::Handshake(handshake) => handshake.channel.text.unwritten().len(),
            _ => 0,
        };
        let requests = self.state.transport().map_or(0, Transport::requests);
        let mut kept = vec![
            ("frames that go out", self.sequence.outbox.len() as usize),
            ("bytes that go out", self.sequence.outbox.size()),
            ("bytes of a handshake", text),
            ("deliveries without an answer", self.deliveries.len()),
            ("time limits", self.deliveries.limits().len()),
            ("messages that the server holds", self.held.len()),
            ("bytes that the server has acknowledged", self.retained.size()),
            ("deliveries that no handler has answered", self.asked),
            ("deliveries of protocol 1", requests),
            ("actions", self.actions.len()),
        ];
        kept.retain(|&(_, count)| count > 0);
        kept
    }
}
