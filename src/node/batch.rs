//! Events on their way to JavaScript: gathered, and handed over as one text with one call.
//!
//! The text is one JSON array without inner structure: a number for the kind of event and then its parts.
//! `lib/events.js` reads it. One `JSON.parse` for everything that was read costs a fraction of one for each
//! message, and of building objects through Node-API. Payloads have been checked to be one JSON value each.

use std::collections::VecDeque;

use crate::link::Receipt;
use crate::machine::{Event, Events, Incoming, Payload, SessionId};
use crate::protocol::json;

/// A batch of this size is closed: JavaScript strings have a limit, and large texts gain nothing.
const FULL: usize = 1024 * 1024;

/// The room for text that is kept for the next batch.
const KEPT: usize = 64 * 1024;

/// Kinds of events, as `lib/events.js` knows them.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
enum Code {
    Message = 0,
    Answer = 1,
    Failure = 2,
    Settled = 3,
    Rejected = 4,
    Connected = 5,
    Disconnected = 6,
    Refused = 7,
    SessionConnected = 8,
    SessionDisconnected = 9,
    SessionEnded = 10,
    Drained = 11,
    Closed = 12,
}

/// Flags of a message.
const REDELIVERED: u8 = 1;
const BYTES: u8 = 2;

/// Events that are handed over together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// A JSON array, its closing bracket included once it is taken.
    pub(super) text: Vec<u8>,
    /// Raw payloads, to which the text refers by their index.
    pub(super) buffers: Vec<Vec<u8>>,
    /// To be given back when JavaScript has dealt with the batch: the last one of each session is enough.
    pub(super) receipts: Vec<(SessionId, Receipt)>,
    /// Whether the last event says that nothing more will come.
    pub(super) closed: bool,
}

/// Batches in the order in which they are handed over.
#[derive(Debug, Default)]
pub(super) struct Batches {
    full: VecDeque<Batch>,
    current: Batch,
    /// The text of a batch that was handed over, to be used again.
    spare: Vec<u8>,
}

impl Batches {
    /// Whether there is nothing to hand over.
    pub(super) fn is_empty(&self) -> bool {
        self.full.is_empty() && self.current.text.is_empty()
    }

    /// The next batch.
    pub(super) fn take(&mut self) -> Option<Batch> {
        if self.is_empty() {
            return None;
        }
        let mut batch = self.full.pop_front().unwrap_or_else(|| {
            let next = Batch { text: std::mem::take(&mut self.spare), ..Batch::default() };
            std::mem::replace(&mut self.current, next)
        });
        batch.text.push(b']');
        Some(batch)
    }

    /// Takes a text back whose batch was dealt with.
    pub(super) fn recycle(&mut self, mut text: Vec<u8>) {
        if text.capacity() <= KEPT.max(self.spare.capacity()) || self.spare.capacity() == 0 {
            text.clear();
            text.shrink_to(KEPT);
            self.spare = text;
        }
    }

    fn begin(&mut self, code: Code) -> &mut Batch {
        if self.current.text.len() >= FULL {
            self.full.push_back(std::mem::take(&mut self.current));
        }
        let batch = &mut self.current;
        batch.text.push(if batch.text.is_empty() { b'[' } else { b',' });
        batch.raw_number(u64::from(code as u8));
        batch
    }

    fn message(&mut self, message: &Incoming<'_>) {
        let batch = self.begin(Code::Message);
        batch.number(u64::from(message.session.0));
        batch.number(u64::from(message.command.0));
        batch.number(message.request.unwrap_or(0));
        let bytes = matches!(message.payload, Payload::Bytes(_));
        let flags = if message.redelivered { REDELIVERED } else { 0 } | if bytes { BYTES } else { 0 };
        batch.number(u64::from(flags));
        batch.string(message.from);
        batch.payload(message.payload);
        let receipt = (message.session, message.receipt);
        match batch.receipts.last_mut() {
            Some(last) if last.0 == message.session => *last = receipt,
            _ => batch.receipts.push(receipt),
        }
    }
}

impl Events for Batches {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Message(message) => self.message(&message),
            Event::Answer { request, outcome } => {
                let (code, payload) = match outcome {
                    Ok(payload) => (Code::Answer, payload),
                    Err(payload) => (Code::Failure, payload),
                };
                let batch = self.begin(code);
                batch.number(request);
                batch.number(u64::from(if matches!(payload, Payload::Bytes(_)) { BYTES } else { 0 }));
                batch.payload(payload);
            }
            Event::Settled { count } => self.begin(Code::Settled).number(count),
            Event::Rejected { error } => self.begin(Code::Rejected).error(&error),
            Event::Connected { uuid } => self.begin(Code::Connected).string(uuid),
            Event::Disconnected => {
                self.begin(Code::Disconnected);
            }
            Event::Refused { error } => {
                let batch = self.begin(Code::Refused);
                batch.error(&error);
                batch.closed = true;
            }
            Event::SessionConnected { session, name, uuid } => {
                let batch = self.begin(Code::SessionConnected);
                batch.number(u64::from(session.0));
                batch.string(name);
                batch.string(uuid);
            }
            Event::SessionDisconnected { session } => {
                self.begin(Code::SessionDisconnected).number(u64::from(session.0));
            }
            Event::SessionEnded { session, name, messages, bytes } => {
                let batch = self.begin(Code::SessionEnded);
                batch.number(u64::from(session.0));
                batch.string(name);
                batch.number(messages);
                batch.number(bytes as u64);
            }
            Event::Drained { session } => self.begin(Code::Drained).number(u64::from(session.0)),
            Event::Closed => self.begin(Code::Closed).closed = true,
        }
    }
}

impl Batch {
    fn raw_number(&mut self, number: u64) {
        self.text.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    }

    fn number(&mut self, number: u64) {
        self.text.push(b',');
        self.raw_number(number);
    }

    fn string(&mut self, text: &str) {
        self.text.push(b',');
        json::write_string(text, &mut self.text);
    }

    fn payload(&mut self, payload: Payload<'_>) {
        match payload {
            Payload::Json(text) => {
                self.text.push(b',');
                self.text.extend_from_slice(text);
            }
            Payload::Bytes(bytes) => {
                self.number(self.buffers.len() as u64);
                self.buffers.push(bytes.to_vec());
            }
        }
    }

    fn error(&mut self, error: &crate::error::Error) {
        self.string(error.code().as_str());
        self.string(error.message());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::CommandId;

    fn message(payload: Payload<'_>) -> Event<'_> {
        Event::Message(Incoming {
            session: SessionId(3),
            from: "b\"ob",
            command: CommandId(12),
            request: Some(7),
            redelivered: true,
            payload,
            receipt: Receipt::default(),
        })
    }

    #[test]
    fn a_batch_is_one_flat_array() {
        let mut batches = Batches::default();
        batches.event(message(Payload::Json(b"{\"a\":1}")));
        batches.event(message(Payload::Bytes(&[1, 2])));
        batches.event(Event::Settled { count: 12 });
        batches.event(Event::Closed);
        let batch = batches.take().unwrap();
        assert_eq!(
            String::from_utf8(batch.text).unwrap(),
            r#"[0,3,12,7,1,"b\"ob",{"a":1},0,3,12,7,3,"b\"ob",0,3,12,12]"#
        );
        assert_eq!((batch.buffers, batch.receipts.len(), batch.closed), (vec![vec![1, 2]], 1, true));
        assert!(batches.take().is_none());
    }

    #[test]
    fn a_large_batch_is_followed_by_another() {
        let mut batches = Batches::default();
        let large = format!("\"{}\"", "x".repeat(FULL));
        batches.event(message(Payload::Json(large.as_bytes())));
        batches.event(Event::Disconnected);
        let sizes: Vec<_> = std::iter::from_fn(|| batches.take().map(|batch| batch.text.len())).collect();
        assert!(sizes.len() == 2 && sizes[0] > FULL && sizes[1] == 3, "{sizes:?}");
    }
}
