//! What machines say, kept to be looked at.

use ipcio::Code;
use ipcio::driver::machine::{Event, Incoming, Payload, SessionId};
use ipcio::driver::sequence::Receipt;

/// Something that a machine said.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Said {
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

impl From<Event<'_>> for Said {
    fn from(event: Event<'_>) -> Said {
        let text = |payload: Payload<'_>| match payload {
            Payload::Json(text) | Payload::Text(text, _) => String::from_utf8(text.to_vec()).unwrap(),
            Payload::Bytes(bytes, _) => format!("{bytes:?}"),
        };
        match event {
            Event::Message(Incoming { session, from, request, redelivered, payload, receipt, .. }) => {
                Said::Message { session, from: from.into(), request, redelivered, payload: text(payload), receipt }
            }
            Event::Answer { request, outcome } => Said::Answer { request, outcome: outcome.map(text).map_err(text) },
            Event::Waiting { .. } => unreachable!("the world keeps it apart"),
            Event::TimedOut { request } => Said::TimedOut(request),
            Event::Settled { count } => Said::Settled(count),
            Event::Rejected { error } => Said::Rejected(error.code()),
            Event::Connected { .. } => Said::Connected,
            Event::Disconnected => Said::Disconnected,
            Event::Refused { error } => Said::Refused(error.code()),
            Event::SessionConnected { name, .. } => Said::SessionConnected(name.into()),
            Event::SessionDisconnected { .. } => Said::SessionDisconnected,
            Event::SessionEnded { name, messages, .. } => Said::SessionEnded { name: name.into(), messages },
            Event::Dropped { name, messages, .. } => Said::Dropped { name: name.into(), messages },
            Event::Drained { .. } => Said::Drained,
            Event::Relistened => Said::Relistened,
            Event::Displaced => Said::Displaced,
            Event::Closed => Said::Closed,
        }
    }
}
