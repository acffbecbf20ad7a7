//! What a client queues.

use super::{Client, Outgoing};
use crate::log::{log, party};
use crate::protocol::frame::{Flags, Frame};

impl Client {
    pub(super) fn queue(&mut self, frame: &Frame<'_>) {
        self.sequence.outbox.push(frame);
        self.write_soon();
    }

    /// Queues a message of the application's.
    pub(super) fn queue_message(&mut self, outgoing: &Outgoing<'_>, request: u64, payload: &[u8], flags: Flags) {
        let Outgoing { kind, name, command, .. } = *outgoing;
        log!(self.verbose, "CLIENT SEND", command, "{kind:?} to {}", party(name));
        let frame = Frame { flags, name, command, payload, ..Frame::bare(kind, request) };
        if request == 0 {
            self.queue(&frame);
        } else {
            let place = self.sequence.outbox.place(&frame);
            self.deliveries.begin(request, place);
            self.write_soon();
        }
    }

    /// Something was queued.
    fn write_soon(&mut self) {
        if self.is_connected() {
            self.schedule.write();
        }
    }
}
