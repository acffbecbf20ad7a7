//! A machine and its connections, and what moves on these.

use std::time::Instant;

use ipcio::driver::machine::{ConnectionId, Events, Machine};

use crate::input::Input;
use crate::pieces::in_pieces;

/// Where a machine is driven.
pub trait Place {
    /// What is driven.
    type Machine: Machine;

    /// The machine, the time, and what takes the machine's events.
    fn parts(&mut self) -> (&mut Self::Machine, Instant, &mut dyn Events);

    /// The connections that are open.
    fn connections(&self) -> &[ConnectionId];

    /// Does what the machine wants.
    fn carry_out(&mut self);

    /// One of the connections.
    fn any_connection(&self, input: &mut Input<'_>) -> Option<ConnectionId> {
        let connections = self.connections();
        (!connections.is_empty()).then(|| connections[input.below(connections.len())])
    }

    /// Bytes come in on one of the connections, in pieces, for as long as the machine reads them.
    fn receive(&mut self, input: &mut Input<'_>, bytes: &[u8]) {
        let Some(connection) = self.any_connection(input) else { return };
        for piece in in_pieces(bytes, input.byte()) {
            let (machine, now, events) = self.parts();
            if !machine.may_read(connection) {
                return;
            }
            machine.received(connection, piece, now, events);
            self.carry_out();
            if !self.connections().contains(&connection) {
                return;
            }
        }
    }

    /// Writes a little, as sockets that are full at times take it.
    fn write(&mut self, input: &mut Input<'_>) {
        let (machine, now, events) = self.parts();
        machine.prepare(now, events);
        for _ in 0..1 + input.below(8) {
            self.carry_out();
            let (machine, now, events) = self.parts();
            let Some(connection) = machine.next_write() else { return };
            let count = machine.unwritten(connection).len();
            let count = if input.below(4) == 0 { count.min(1 + input.below(100)) } else { count };
            machine.written(connection, count, now, events);
        }
    }
}
