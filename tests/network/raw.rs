//! Peers without a machine: clients of protocol 1, and hostile peers.

use std::path::Path;

use ipcio::driver::machine::{ConnectionId, Credentials, Machine};

use super::{Network, Side};

/// A connection to the server whose other end is the test.
#[derive(Debug, Default)]
pub(crate) struct Raw {
    connection: Option<ConnectionId>,
    /// The bytes in transit to the server.
    pub(crate) to_server: Vec<u8>,
    /// What the server has written.
    pub(crate) received: Vec<u8>,
    /// Whether the peer does not read, so that the server can't write.
    pub(crate) full: bool,
}

impl Raw {
    /// Whether the connection is open.
    pub(crate) fn is_open(&self) -> bool {
        self.connection.is_some()
    }

    pub(super) fn is(&self, connection: ConnectionId) -> bool {
        self.connection == Some(connection)
    }

    pub(super) fn end(&mut self) {
        self.connection = None;
        self.to_server.clear();
    }
}

impl Network {
    /// Connects to the server's control socket, or to a private one.
    pub(crate) fn connect_raw(&mut self, path: Option<&Path>) -> Option<usize> {
        let uid = self.uid;
        let listener = match path {
            Some(path) => self.private.iter().find(|private| private.1 == path)?.0,
            None => self.control?,
        };
        let accepted = self.call_only(Side::Server, |server, now, mut events| {
            server.accepted(listener, Credentials::new(1, uid, 1), now, &mut events)
        });
        let connection = accepted.flatten()?;
        self.raws.push(Raw { connection: Some(connection), ..Raw::default() });
        self.flush(Side::Server);
        Some(self.raws.len() - 1)
    }

    /// Up to `count` bytes reach the server.
    pub(crate) fn carry_raw(&mut self, raw: usize, count: usize) {
        let stream = &mut self.raws[raw];
        let Some(connection) = stream.connection else { return };
        if self.server.as_mut().is_some_and(|server| !server.may_read(connection)) {
            return;
        }
        let bytes: Vec<u8> = stream.to_server.drain(..count.min(stream.to_server.len())).collect();
        if !bytes.is_empty() {
            self.call(Side::Server, |server, now, mut events| server.received(connection, &bytes, now, &mut events));
        }
    }

    /// Closes the test's end.
    pub(crate) fn end_raw(&mut self, raw: usize) {
        let Some(connection) = self.raws[raw].connection else { return };
        self.raws[raw].end();
        self.call(Side::Server, |server, now, mut events| server.lost(connection, now, &mut events));
    }

    /// The peer reads again.
    pub(crate) fn read_raw(&mut self, raw: usize) {
        self.raws[raw].full = false;
        if let Some(connection) = self.raws[raw].connection {
            self.write_raw(connection);
            self.flush(Side::Server);
        }
    }

    pub(super) fn write_raw(&mut self, connection: ConnectionId) {
        loop {
            let now = self.now;
            let Some(raw) = self.raws.iter_mut().find(|raw| raw.is(connection) && !raw.full) else { return };
            let Some(server) = &mut self.server else { return };
            let bytes = server.unwritten(connection).to_vec();
            if bytes.is_empty() {
                return;
            }
            raw.received.extend_from_slice(&bytes);
            let recorded = &mut self.server_recorded;
            server.written(connection, bytes.len(), now, &mut |event: ipcio::driver::machine::Event<'_>| {
                recorded.push(event.into())
            });
            if self.dies() {
                return;
            }
        }
    }
}
