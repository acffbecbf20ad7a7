//! The events of machines, recorded for assertions.

use ipcio::Code;
use ipcio::driver::machine::{Event, Incoming, Payload, SessionId};
use ipcio::driver::sequence::Receipt;

/// An event of a machine.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Recorded {
    Message {
        session: SessionId,
        from: String,
        request: Option<u64>,
        redelivered: bool,
        payload: String,
        receipt: Receipt,
    },
    Answer {
        request: u64,
        outcome: Result<String, String>,
    },
    TimedOut(u64),
    Settled(u64),
    Rejected(Code),
    Connected,
    Disconnected,
    Refused(Code),
    SessionConnected(String),
    SessionDisconnected,
    SessionEnded {
        name: String,
        messages: u64,
    },
    Dropped {
        name: String,
        messages: u64,
    },
    Drained,
    Relistened,
    Displaced,
    Closed,
}

impl From<Event<'_>> for Recorded {
    fn from(event: Event<'_>) -> Recorded {
        let text = |payload: Payload<'_>| match payload {
            Payload::Json(text) | Payload::Text(text, _) => String::from_utf8(text.to_vec()).unwrap(),
            Payload::Bytes(bytes, _) => format!("{bytes:?}"),
        };
        match event {
            Event::Message(Incoming { session, from, request, redelivered, payload, receipt, .. }) => {
                Recorded::Message { session, from: from.into(), request, redelivered, payload: text(payload), receipt }
            }
            Event::Answer { request, outcome } => {
                Recorded::Answer { request, outcome: outcome.map(text).map_err(text) }
            }
            Event::Waiting { .. } => unreachable!("the network records it separately"),
            Event::TimedOut { request } => Recorded::TimedOut(request),
            Event::Settled { count } => Recorded::Settled(count),
            Event::Rejected { error } => Recorded::Rejected(error.code()),
            Event::Connected { .. } => Recorded::Connected,
            Event::Disconnected => Recorded::Disconnected,
            Event::Refused { error } => Recorded::Refused(error.code()),
            Event::SessionConnected { name, .. } => Recorded::SessionConnected(name.into()),
            Event::SessionDisconnected { .. } => Recorded::SessionDisconnected,
            Event::SessionEnded { name, messages, .. } => Recorded::SessionEnded { name: name.into(), messages },
            Event::Dropped { name, messages, .. } => Recorded::Dropped { name: name.into(), messages },
            Event::Drained { .. } => Recorded::Drained,
            Event::Relistened => Recorded::Relistened,
            Event::Displaced => Recorded::Displaced,
            Event::Closed => Recorded::Closed,
        }
    }
}
