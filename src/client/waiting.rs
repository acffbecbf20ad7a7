//! What a client waits for: it is said once, and again when it changes.

use std::time::Instant;

use super::Client;
use crate::error::{self, Code, Error};
use crate::log::log;
use crate::machine::{ConnectionId, Event, Events};
use crate::protocol::ProtocolError;

impl Client {
    /// The client waits for its server, for this reason.
    pub(super) fn waits(&mut self, error: Error, events: &mut dyn Events) {
        if !self.is_started() || self.reason.as_ref() == Some(&error) {
            return;
        }
        log!(self.verbose, "CLIENT WAITS", self.options.name, "{error}");
        self.reason = Some(error.clone());
        events.event(Event::Waiting { error });
    }

    /// No connection could be made.
    pub(super) fn not_connected(
        &mut self,
        connection: ConnectionId,
        error: Error,
        now: Instant,
        events: &mut dyn Events,
    ) {
        if error::is_lasting(&error) {
            self.refuse(connection, error, now, events);
        } else {
            self.disconnected(connection, now, events);
            self.waits(error, events);
        }
    }

    /// The server took the connection and says nothing.
    pub(super) fn not_answered(&self) -> Error {
        let path = self.path();
        let message = format!(
            "The server at {} has not answered the handshake yet; check whether its process hangs.",
            path.display()
        );
        Error::new(Code::Timeout, message)
    }

    /// The server took the connection and ended it.
    pub(super) fn turned_away(&self) -> Error {
        let path = self.path();
        let message = format!(
            "The process that listens at {} closed the connection before it answered the handshake; check whether it is an ipcio server.",
            path.display()
        );
        Error::new(Code::System("ECONNRESET"), message)
    }

    /// The server has as many clients as it takes.
    pub(super) fn no_room(&self) -> Error {
        let path = self.path();
        let message =
            format!("The server at {} accepts no more clients for now; raise its option maxClients.", path.display());
        Error::new(Code::System("EAGAIN"), message)
    }

    /// The server does not follow the protocol.
    pub(super) fn not_understood(&self, error: &ProtocolError) -> Error {
        let path = self.path();
        let message = format!(
            "The process that listens at {} sent {error}; check whether it is an ipcio server.",
            path.display()
        );
        Error::new(Code::System("EPROTO"), message)
    }
}
