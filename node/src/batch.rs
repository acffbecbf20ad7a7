//! Events on their way to JavaScript: gathered, and handed over as one text with one call.
//!
//! The text is one JSON array without inner structure: a number for the kind of event and then what belongs to it.
//! `lib/core.js` reads it. One `JSON.parse` for everything that was read costs a fraction of one for each
//! message, and of building objects through Node-API. Payloads have been checked to be one JSON value each. A large one
//! is attached, as raw bytes are: parsing it by itself costs no more, and saves the check.
//!
//! Messages and answers, which come in crowds, stand in runs: what they have in common once, with the number of the
//! first delivery and their count, and then the payload of each. Their numbers follow each other. Payloads that stand
//! side by side are parsed faster than with anything in between: V8 expects each object to be like the one before.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::event_kind::{ATTACHED, EventKind, REDELIVERED};
use ipcio::driver::client::SERVER;
use ipcio::driver::link::Receipt;
use ipcio::driver::machine::{CommandId, Event, Events, Incoming, Payload, SessionId};
use ipcio::driver::protocol::frame::Memory;
use ipcio::driver::protocol::json;

/// A batch of this size is closed: JavaScript strings have a limit, and large ones gain nothing.
const FULL: usize = 1024 * 1024;

/// The room for text that is kept for the next batch.
const KEPT: usize = 64 * 1024;

/// The room for the count of a run, which is filled from the right: JSON allows blanks in front of a number. A batch
/// has no room for more events than that.
const COUNT: usize = 6;
const MOST: usize = 999_999;

/// Events that are handed over together.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// A JSON array, its closing bracket included once it is taken.
    pub(crate) text: Vec<u8>,
    /// Payloads that are not in the text.
    pub(crate) attachments: Vec<Attachment>,
    /// Their size in bytes.
    attached: usize,
    /// To be given back when JavaScript has dealt with the batch: the last one of each session is enough.
    pub(crate) receipts: Vec<(SessionId, Receipt)>,
    /// Whether the last event says that nothing more will come.
    pub(crate) closed: bool,
    /// Whether there is a message that wants no answer, but an acknowledgement.
    has_one_way: bool,
    /// The run that the last event belongs to.
    run: Run,
}

/// Events that stand together.
#[derive(Debug, Default)]
struct Run {
    /// `None` if the last event stands alone.
    common: Option<Common>,
    /// The name of the sender.
    from: String,
    /// The number that the next delivery has to have; `None` where they are none.
    next: Option<u64>,
    /// Where the count ends in the text.
    counted: usize,
    count: usize,
}

/// What the events of a run have in common, beside the sender's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Common {
    kind: EventKind,
    session: SessionId,
    command: CommandId,
    flags: u8,
}

/// A payload outside the text: what is in this memory from `start` on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Attachment {
    pub(crate) memory: Arc<Vec<u8>>,
    pub(crate) start: usize,
    /// A text that may be JSON; otherwise raw bytes.
    pub(crate) is_text: bool,
}

impl Attachment {
    /// The text or the bytes.
    pub(crate) fn content(&self) -> &[u8] {
        &self.memory[self.start..]
    }

    /// The end of `memory`, or a copy.
    fn of(content: &[u8], memory: Memory<'_>, is_text: bool) -> Attachment {
        match memory {
            Some(memory) => Attachment { memory: Arc::clone(memory), start: memory.len() - content.len(), is_text },
            None => Attachment { memory: Arc::new(content.to_vec()), start: 0, is_text },
        }
    }
}

/// Batches in the order in which they are handed over.
#[derive(Debug, Default)]
pub(crate) struct Batches {
    full: VecDeque<Batch>,
    current: Batch,
    /// The text of a batch that was handed over, to be used again.
    spare: Vec<u8>,
}

impl Batches {
    /// Whether there is nothing to hand over.
    pub(crate) fn is_empty(&self) -> bool {
        self.full.is_empty() && self.current.text.is_empty()
    }

    /// The next batch.
    pub(crate) fn take(&mut self) -> Option<Batch> {
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
    pub(crate) fn recycle(&mut self, mut text: Vec<u8>) {
        if text.capacity() <= KEPT.max(self.spare.capacity()) || self.spare.capacity() == 0 {
            text.clear();
            text.shrink_to(KEPT);
            self.spare = text;
        }
    }

    /// The batch that an event goes to.
    fn current(&mut self) -> &mut Batch {
        if self.current.text.len() + self.current.attached >= FULL {
            self.full.push_back(std::mem::take(&mut self.current));
        }
        &mut self.current
    }

    fn begin(&mut self, kind: EventKind) -> &mut Batch {
        let batch = self.current();
        batch.begin(kind);
        batch
    }

    fn message(&mut self, message: &Incoming<'_>) {
        let batch = self.current();
        let flag = |set, flag| if set { flag } else { 0 };
        let common = Common {
            kind: EventKind::Message,
            session: message.session,
            command: message.command,
            flags: flag(message.redelivered, REDELIVERED) | flag(is_attached(message.payload), ATTACHED),
        };
        batch.join_run(common, message.from, message.request);
        batch.has_one_way |= message.request.is_none();
        batch.payload(message.payload);
        let receipt = (message.session, message.receipt);
        match batch.receipts.last_mut() {
            Some(last) if last.0 == message.session => *last = receipt,
            _ => batch.receipts.push(receipt),
        }
    }

    fn answer(&mut self, request: u64, outcome: Result<Payload<'_>, Payload<'_>>) {
        let batch = self.current();
        let kind = if outcome.is_ok() { EventKind::Answer } else { EventKind::Failure };
        let (Ok(payload) | Err(payload)) = outcome;
        let flags = if is_attached(payload) { ATTACHED } else { 0 };
        batch.join_run(Common { kind, session: SERVER, command: CommandId(0), flags }, "", Some(request));
        batch.payload(payload);
    }
}

impl Batches {
    fn timed_out(&mut self, request: u64) {
        let batch = self.current();
        // These take no room, so a run of them has no end by itself.
        if batch.run.count == MOST {
            batch.run.common = None;
        }
        let common = Common { kind: EventKind::TimedOut, session: SERVER, command: CommandId(0), flags: 0 };
        batch.join_run(common, "", Some(request));
    }
}

impl Events for Batches {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Message(message) => self.message(&message),
            Event::Answer { request, outcome } => self.answer(request, outcome),
            Event::TimedOut { request } => self.timed_out(request),
            Event::Settled { count } => self.begin(EventKind::Settled).number(count),
            Event::Rejected { error } => self.begin(EventKind::Rejected).error(&error),
            Event::Connected { uuid } => self.begin(EventKind::Connected).string(uuid),
            Event::Disconnected => {
                self.begin(EventKind::Disconnected);
            }
            Event::Waiting { error } => self.begin(EventKind::Waiting).error(&error),
            Event::Refused { error } => {
                let batch = self.begin(EventKind::Refused);
                batch.error(&error);
                batch.closed = true;
            }
            Event::SessionConnected { session, name, uuid } => {
                let batch = self.begin(EventKind::SessionConnected);
                batch.number(u64::from(session.0));
                batch.string(name);
                batch.string(uuid);
            }
            Event::SessionDisconnected { session } => {
                self.begin(EventKind::SessionDisconnected).number(u64::from(session.0));
            }
            Event::SessionEnded { session, name, messages, bytes } => {
                let batch = self.begin(EventKind::SessionEnded);
                batch.number(u64::from(session.0));
                // Only the loss is told under the name.
                batch.string(if messages > 0 { name } else { "" });
                batch.number(messages);
                batch.number(bytes as u64);
            }
            Event::Dropped { name, messages, bytes } => {
                let batch = self.begin(EventKind::Dropped);
                batch.string(name);
                batch.number(messages);
                batch.number(bytes as u64);
            }
            Event::Drained { session } => self.begin(EventKind::Drained).number(u64::from(session.0)),
            Event::Relistened => drop(self.begin(EventKind::Relistened)),
            Event::Displaced => drop(self.begin(EventKind::Displaced)),
            Event::Closed => self.begin(EventKind::Closed).closed = true,
        }
    }
}

impl Run {
    /// Whether the events are of that sender. Most are of the server, whose name is empty, and texts without bytes are
    /// not to be compared: their addresses may be invalid, and where `memcmp` is made of AVX-512's masked loads, these
    /// take 100 ns to find out that they are to load nothing from there.
    fn is_from(&self, from: &str) -> bool {
        self.from.len() == from.len() && (from.is_empty() || self.from == from)
    }
}

impl Batch {
    /// Its size in bytes, with its attachments.
    pub(crate) fn size(&self) -> usize {
        self.text.len() + self.attached
    }

    /// Whether all messages want answers.
    pub(crate) fn only_asks(&self) -> bool {
        !self.has_one_way
    }

    fn begin(&mut self, kind: EventKind) {
        self.run.common = None;
        self.text.push(if self.text.is_empty() { b'[' } else { b',' });
        self.raw_number(u64::from(kind as u8));
    }

    /// Counts one more event of the run, or begins another one.
    fn join_run(&mut self, common: Common, from: &str, number: Option<u64>) {
        if self.run.common != Some(common) || self.run.next != number || !self.run.is_from(from) {
            self.begin_run(common, from, number);
        }
        self.run.next = number.map(|number| number + 1);
        self.run.count += 1;
        let mut buffer = itoa::Buffer::new();
        let digits = buffer.format(self.run.count).as_bytes();
        let end = self.run.counted;
        self.text[end - digits.len()..end].copy_from_slice(digits);
    }

    fn begin_run(&mut self, common: Common, from: &str, number: Option<u64>) {
        self.begin(common.kind);
        if common.kind == EventKind::Message {
            self.number(u64::from(common.session.0));
            self.number(u64::from(common.command.0));
            self.string(from);
        }
        self.number(u64::from(common.flags));
        // No delivery has the number 0.
        self.number(number.unwrap_or_default());
        self.text.push(b',');
        self.text.extend_from_slice(&[b' '; COUNT]);
        self.run.from.clear();
        self.run.from.push_str(from);
        self.run.common = Some(common);
        self.run.counted = self.text.len();
        self.run.count = 0;
    }

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
            Payload::Text(text, memory) => self.attach(Attachment::of(text, memory, true)),
            Payload::Bytes(bytes, memory) => self.attach(Attachment::of(bytes, memory, false)),
        }
    }

    fn attach(&mut self, attachment: Attachment) {
        self.number(self.attachments.len() as u64);
        self.attached += attachment.content().len();
        self.attachments.push(attachment);
    }

    fn error(&mut self, error: &ipcio::Error) {
        self.string(error.code().as_str());
        self.string(error.message());
    }
}

fn is_attached(payload: Payload<'_>) -> bool {
    !matches!(payload, Payload::Json(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(request: u64, payload: Payload<'_>) -> Event<'_> {
        Event::Message(Incoming {
            session: SessionId(3),
            from: "b\"ob",
            command: CommandId(12),
            request: Some(request),
            redelivered: true,
            payload,
            receipt: Receipt::default(),
        })
    }

    #[test]
    fn a_batch_is_one_flat_array() {
        let mut batches = Batches::default();
        batches.event(message(7, Payload::Json(b"{\"a\":1}")));
        batches.event(message(8, Payload::Bytes(&[1, 2], None)));
        batches.event(message(9, Payload::Bytes(&[3], None)));
        batches.event(Event::Answer { request: 8, outcome: Ok(Payload::Json(b"\"x\"")) });
        batches.event(Event::Answer { request: 9, outcome: Ok(Payload::Json(b"\"y\"")) });
        batches.event(Event::Answer { request: 11, outcome: Ok(Payload::Json(b"\"z\"")) });
        batches.event(Event::TimedOut { request: 20 });
        batches.event(Event::TimedOut { request: 21 });
        batches.event(Event::Settled { count: 12 });
        batches.event(Event::Closed);
        let batch = batches.take().unwrap();
        assert_eq!(
            String::from_utf8(batch.text).unwrap(),
            concat!(
                r#"[0,3,12,"b\"ob",1,7,     1,{"a":1},0,3,12,"b\"ob",3,8,     2,0,1,"#,
                r#"1,0,8,     2,"x","y",1,0,11,     1,"z",16,0,20,     2,3,12,12]"#
            )
        );
        assert_eq!(
            (batch.attachments, batch.receipts.len(), batch.closed),
            (
                [vec![1, 2], vec![3]]
                    .map(|bytes| Attachment { memory: Arc::new(bytes), start: 0, is_text: false })
                    .into(),
                1,
                true
            )
        );
        assert!(batches.take().is_none());
    }

    #[test]
    fn every_event_is_as_long_as_its_kind_says() {
        let error = ipcio::Error::new(ipcio::Code::Closed, "gone");
        let payload = Payload::Json(b"1");
        let (session, name, uuid, messages, bytes) = (SessionId(3), "bob", "0a", 1, 2);
        let events = [
            message(7, payload),
            Event::Answer { request: 8, outcome: Ok(payload) },
            Event::Answer { request: 8, outcome: Err(payload) },
            Event::Settled { count: 12 },
            Event::Rejected { error: error.clone() },
            Event::Connected { uuid },
            Event::Disconnected,
            Event::Refused { error: error.clone() },
            Event::SessionConnected { session, name, uuid },
            Event::SessionDisconnected { session },
            Event::SessionEnded { session, name, messages, bytes },
            Event::Drained { session },
            Event::Closed,
            Event::Dropped { name, messages, bytes },
            Event::Relistened,
            Event::Displaced,
            Event::TimedOut { request: 8 },
            Event::Waiting { error },
        ];
        assert_eq!(events.len(), EventKind::ALL.len());
        for (event, &kind) in events.into_iter().zip(EventKind::ALL) {
            let mut batches = Batches::default();
            batches.event(event);
            let text = String::from_utf8(batches.take().unwrap().text).unwrap();
            let payloads = usize::from(matches!(kind, EventKind::Message | EventKind::Answer | EventKind::Failure));
            // None of the texts has a comma in it.
            assert_eq!(text.split(',').count(), kind.length() as usize + payloads, "{kind:?}: {text}");
            assert!(text[1..].starts_with(&(kind as u8).to_string()), "{kind:?}: {text}");
        }
    }

    #[test]
    fn a_large_batch_is_followed_by_another() {
        let mut batches = Batches::default();
        let large = format!("\"{}\"", "x".repeat(FULL));
        batches.event(message(7, Payload::Json(large.as_bytes())));
        batches.event(Event::Disconnected);
        let sizes: Vec<_> = std::iter::from_fn(|| batches.take().map(|batch| batch.text.len())).collect();
        assert!(sizes.len() == 2 && sizes[0] > FULL && sizes[1] == 3, "{sizes:?}");

        batches.event(message(7, Payload::Bytes(&vec![0; FULL], None)));
        batches.event(Event::Disconnected);
        assert_eq!(std::iter::from_fn(|| batches.take()).count(), 2);
    }
}
