//! Text to frames.

use super::message::Message;
use super::{Request, Side, Socket, Translation};
use crate::protocol::ProtocolError;
use crate::protocol::frame::{Frame, Kind, MAX_NAME};

/// Room for a frame that is kept for the next one, in bytes.
const KEPT: usize = 4 * 1024;

impl Translation {
    /// Takes the first whole message out of `bytes`, which were read from this socket, and gives it as a frame. `None` when
    /// there is no whole one: the rest has then been kept.
    pub fn next(&mut self, socket: Socket, bytes: &mut &[u8]) -> Result<Option<Frame<'_>>, ProtocolError> {
        self.frame.clear();
        self.frame.shrink_to(KEPT);
        while let Some(object) = self.channel_mut(socket).splitter.next(bytes)? {
            let message = Message::parse(&object)?;
            match (socket, self.side) {
                (Socket::Private, _) => self.read_private(&message)?,
                (Socket::Control, Side::Client) => self.read_answer(&message)?,
                (Socket::Control, Side::Server) => self.read_control(&message)?,
            }
            if !self.frame.is_empty() {
                return Ok(Some(Frame::decode_trusted(&self.frame)?));
            }
        }
        Ok(None)
    }

    /// A message for this side, or an answer to a delivery.
    fn read_private(&mut self, message: &Message<'_>) -> Result<(), ProtocolError> {
        message.check_size(self.limit)?;
        let payload = message.payload().as_bytes();
        if message.command() == "deliver" {
            let number = message.delivery.as_deref().and_then(|delivery| self.number_of(delivery));
            return number.map_or(Ok(()), |id| self.found(&Frame { payload, ..Frame::bare(Kind::Response, id) }));
        }
        let one_way = if self.side == Side::Server { Kind::Send } else { Kind::Emit };
        let (kind, id) = self.number(message.delivery.as_deref(), one_way);
        self.found(&Frame { command: message.command(), payload, ..Frame::bare(kind, id) })
    }

    /// What a client wants of the server.
    fn read_control(&mut self, message: &Message<'_>) -> Result<(), ProtocolError> {
        match message.command() {
            "discover" => {
                let id = self.begin(Request::Discovery);
                self.found(&Frame::bare(Kind::Discover, id))
            }
            "emit" | "broadcast" => {
                let text = message.text().ok_or(ProtocolError::InvalidMessage)?;
                let inner = Message::parse(text.as_bytes())?;
                inner.check_size(self.limit)?;
                let (command, payload) = (inner.command(), inner.payload().as_bytes());
                if message.command() == "broadcast" {
                    return self.found(&Frame { command, payload, ..Frame::bare(Kind::Broadcast, 0) });
                }
                let name = inner.id.as_deref().unwrap_or_default();
                let (kind, id) = self.number(inner.delivery.as_deref(), Kind::Emit);
                self.found(&Frame { name, command, payload, ..Frame::bare(kind, id) })
            }
            _ => Ok(()),
        }
    }

    /// What the server answers a client on the control socket.
    fn read_answer(&mut self, message: &Message<'_>) -> Result<(), ProtocolError> {
        message.check_size(self.limit)?;
        match self.discoveries.front() {
            Some(&id) if message.command() == "discover" => {
                self.discoveries.pop_front();
                self.found(&Frame { payload: message.payload().as_bytes(), ..Frame::bare(Kind::Response, id) })
            }
            _ => Ok(()),
        }
    }

    /// The kind of a message, and the number of its delivery if its sender waits for an answer.
    fn number(&mut self, delivery: Option<&str>, one_way: Kind) -> (Kind, u64) {
        match delivery {
            Some(delivery) => (Kind::Request, self.begin(Request::Delivery(delivery.to_owned()))),
            None => (one_way, 0),
        }
    }

    fn begin(&mut self, request: Request) -> u64 {
        self.last_request += 1;
        self.requests.insert(self.last_request, request);
        self.last_request
    }

    /// The number of a delivery that this side asked for.
    fn number_of(&self, delivery: &str) -> Option<u64> {
        u64::from_str_radix(delivery.strip_prefix(&self.prefix)?, 16).ok()
    }

    fn found(&mut self, frame: &Frame<'_>) -> Result<(), ProtocolError> {
        if frame.name.len() > MAX_NAME || frame.command.len() > MAX_NAME {
            return Err(ProtocolError::InvalidMessage);
        }
        frame.encode(&mut self.frame);
        Ok(())
    }
}
