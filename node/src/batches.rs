//! Batches of events, in the order in which they are handed over.

use std::collections::VecDeque;

use crate::batch::Batch;
use crate::event_kind::EventKind;
use ipcio::driver::machine::{Event, Events};

/// A batch of this size is closed: JavaScript strings have a limit, and large ones gain nothing.
const FULL: usize = 1024 * 1024;

/// The room for text that is kept for the next batch.
const KEPT: usize = 64 * 1024;

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
            let next = Batch::new(std::mem::take(&mut self.spare));
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
        if self.current.size() >= FULL {
            self.full.push_back(std::mem::take(&mut self.current));
        }
        &mut self.current
    }

    fn begin(&mut self, kind: EventKind) -> &mut Batch {
        let batch = self.current();
        batch.begin(kind);
        batch
    }
}

impl Events for Batches {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Message(message) => self.current().message(&message),
            Event::Answer { request, outcome } => self.current().answer(request, outcome),
            Event::TimedOut { request } => self.current().timed_out(request),
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
            Event::SessionConnected { session, name, uuid, peer } => {
                let batch = self.begin(EventKind::SessionConnected);
                batch.number(u64::from(session.0));
                batch.string(name);
                batch.string(uuid);
                [peer.pid, peer.uid, peer.gid].into_iter().for_each(|id| batch.number(u64::from(id)));
            }
            Event::SessionDisconnected { session, .. } => {
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::batch::Attachment;
    use ipcio::driver::machine::{CommandId, Credentials, Incoming, Payload, SessionId};
    use ipcio::driver::sequence::Receipt;

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
            Event::SessionConnected { session, name, uuid, peer: Credentials::new(4, 5, 6) },
            Event::SessionDisconnected { session, name, uuid },
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
