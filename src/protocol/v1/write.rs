//! Frames to text.

use std::borrow::Cow;

use super::{HIGH_WATER_MARK, Request, Side, Socket, Translation, message};
use crate::protocol::frame::{self, Flags, Frame, Kind};
use crate::protocol::outbox::Outbox;

impl Translation {
    /// Takes frames out of the queue and turns them into text, until enough waits to be written.
    pub fn translate(&mut self, outbox: &mut Outbox) {
        while self.control.text.unwritten().len() < HIGH_WATER_MARK
            && self.private.text.unwritten().len() < HIGH_WATER_MARK
        {
            let bytes = outbox.unwritten();
            let Some(size) = frame::frame_size(bytes) else { return };
            if let Ok(frame) = Frame::decode_trusted(&bytes[..size]) {
                if !self.is_open && !self.answers_discovery(&frame) {
                    return;
                }
                self.translated += u64::from(frame.kind.is_sequenced());
                self.write(&frame);
            }
            self.unwritten += size;
            outbox.advance(size);
        }
    }

    /// What is to be written to this socket next.
    pub fn unwritten(&self, socket: Socket) -> &[u8] {
        self.channel(socket).text.unwritten()
    }

    /// Notes that `count` bytes were written to this socket. Gives the number of bytes of frames whose text is all written
    /// now.
    pub fn written(&mut self, socket: Socket, count: usize) -> usize {
        self.channel_mut(socket).text.advance(count);
        if self.is_written() { std::mem::take(&mut self.unwritten) } else { 0 }
    }

    /// Whether all text is written.
    pub fn is_written(&self) -> bool {
        self.control.text.is_written() && self.private.text.is_written()
    }

    /// How many frames were translated in all, once their text is written: this protocol can say no more about what becomes
    /// of them. Once for each number.
    pub fn acknowledged(&mut self) -> Option<u64> {
        let is_due = self.translated > self.acknowledged && self.is_written();
        is_due.then(|| {
            self.acknowledged = self.translated;
            self.acknowledged
        })
    }

    fn answers_discovery(&self, frame: &Frame<'_>) -> bool {
        frame.kind == Kind::Response && matches!(self.requests.get(&frame.id), Some(Request::Discovery))
    }

    fn write(&mut self, frame: &Frame<'_>) {
        let payload = if frame.flags.contains(Flags::BYTES) {
            Cow::Owned(message::bytes_as_json(frame.payload))
        } else {
            Cow::Borrowed(frame.payload)
        };
        match (frame.kind, self.side) {
            (Kind::Send, _) => {
                // Later protocols have no use for a name here: it is a delivery's id that the application gave.
                let delivery = Some(frame.name).filter(|name| !name.is_empty());
                self.write_message(frame.command, &payload, delivery);
            }
            (Kind::Emit | Kind::Broadcast, Side::Server) => self.write_message(frame.command, &payload, None),
            (Kind::Emit, Side::Client) => self.write_wrapped("emit", frame, &payload),
            (Kind::Broadcast, Side::Client) => self.write_wrapped("broadcast", frame, &payload),
            (Kind::Request, Side::Client) if !frame.name.is_empty() => self.write_wrapped("emit", frame, &payload),
            (Kind::Request, _) => {
                // A delivery without a number has no waiting caller, and an id that the application gave.
                let delivery = if frame.id == 0 { frame.name.to_owned() } else { self.delivery(frame.id) };
                self.write_message(frame.command, &payload, Some(&delivery));
            }
            (Kind::Discover, _) => {
                self.discoveries.push_back(frame.id);
                message::write(Some(&self.name), "discover", b"null", None, self.control.text.end());
            }
            (Kind::Response, _) => self.write_answer(frame.id, &payload),
            // The answer is the one for an unknown command.
            (Kind::Failure, _) => self.write_answer(frame.id, b"null"),
            (
                Kind::Void
                | Kind::Acknowledgement
                | Kind::Cancel
                | Kind::Goodbye
                | Kind::Held
                | Kind::Released
                | Kind::Padding,
                _,
            ) => {}
        }
    }

    fn write_message(&mut self, command: &str, payload: &[u8], delivery: Option<&str>) {
        message::write(None, command, payload, delivery, self.private.text.end());
    }

    /// A message that the server passes on, within one for the server.
    fn write_wrapped(&mut self, command: &str, frame: &Frame<'_>, payload: &[u8]) {
        let name = Some(frame.name).filter(|_| frame.kind != Kind::Broadcast);
        let delivery = (frame.kind == Kind::Request).then(|| self.delivery(frame.id));
        let mut inner = Vec::new();
        message::write(name, frame.command, payload, delivery.as_deref(), &mut inner);
        message::write_wrapped(&self.name, command, delivery.as_deref(), &inner, self.control.text.end());
    }

    fn write_answer(&mut self, number: u64, payload: &[u8]) {
        match self.requests.remove(&number) {
            Some(Request::Delivery(delivery)) => self.write_message("deliver", payload, Some(&delivery)),
            Some(Request::Discovery) => {
                message::write(Some(&self.name), "discover", payload, None, self.control.text.end());
            }
            None => {}
        }
    }

    /// The id of a delivery of this side's in the form of 0.6.2: 32 hex digits.
    fn delivery(&self, number: u64) -> String {
        format!("{}{number:016x}", self.prefix)
    }
}
