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

use std::sync::Arc;

use crate::event_kind::{ATTACHED, EventKind, REDELIVERED};
use ipcio::driver::client::SERVER;
use ipcio::driver::machine::{CommandId, Incoming, Payload, SessionId};
use ipcio::driver::protocol::frame::Allocation;
use ipcio::driver::protocol::json;
use ipcio::driver::sequence::Receipt;

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
    /// The number that the next delivery must have; `None` if they are no deliveries.
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
    fn of(content: &[u8], memory: Allocation<'_>, is_text: bool) -> Attachment {
        match memory {
            Some(memory) => Attachment { memory: Arc::clone(memory), start: memory.len() - content.len(), is_text },
            None => Attachment { memory: Arc::new(content.to_vec()), start: 0, is_text },
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
    /// One that uses this memory.
    pub(crate) fn new(text: Vec<u8>) -> Batch {
        Batch { text, ..Batch::default() }
    }

    pub(crate) fn message(&mut self, message: &Incoming<'_>) {
        let flag = |set, flag| if set { flag } else { 0 };
        let common = Common {
            kind: EventKind::Message,
            session: message.session,
            command: message.command,
            flags: flag(message.redelivered, REDELIVERED) | flag(is_attached(message.payload), ATTACHED),
        };
        self.join_run(common, message.from, message.request);
        self.has_one_way |= message.request.is_none();
        self.payload(message.payload);
        let receipt = (message.session, message.receipt);
        match self.receipts.last_mut() {
            Some(last) if last.0 == message.session => *last = receipt,
            _ => self.receipts.push(receipt),
        }
    }

    pub(crate) fn answer(&mut self, request: u64, outcome: Result<Payload<'_>, Payload<'_>>) {
        let kind = if outcome.is_ok() { EventKind::Answer } else { EventKind::Failure };
        let (Ok(payload) | Err(payload)) = outcome;
        let flags = if is_attached(payload) { ATTACHED } else { 0 };
        self.join_run(Common { kind, session: SERVER, command: CommandId(0), flags }, "", Some(request));
        self.payload(payload);
    }

    pub(crate) fn timed_out(&mut self, request: u64) {
        // These take no room, so a run of them has no end by itself.
        if self.run.count == MOST {
            self.run.common = None;
        }
        let common = Common { kind: EventKind::TimedOut, session: SERVER, command: CommandId(0), flags: 0 };
        self.join_run(common, "", Some(request));
    }

    /// Its size in bytes, with its attachments.
    pub(crate) fn size(&self) -> usize {
        self.text.len() + self.attached
    }

    /// Whether all messages want answers.
    pub(crate) fn only_asks(&self) -> bool {
        !self.has_one_way
    }

    pub(crate) fn begin(&mut self, kind: EventKind) {
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

    pub(crate) fn number(&mut self, number: u64) {
        self.text.push(b',');
        self.raw_number(number);
    }

    pub(crate) fn string(&mut self, text: &str) {
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

    pub(crate) fn error(&mut self, error: &ipcio::Error) {
        self.string(error.code().as_str());
        self.string(error.message());
    }
}

fn is_attached(payload: Payload<'_>) -> bool {
    !matches!(payload, Payload::Json(_))
}
