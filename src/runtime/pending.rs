//! The callers that wait for the messages of a client or a server, and the events that settle them.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustc_hash::FxHashMap;
use tokio::sync::{oneshot, watch};

use super::data::Data;
use super::events::{ClientEvent, Feed};
use super::handlers::Calls;
use crate::error::{self, Error};
use crate::machine::{Event, Events, Payload};

/// The callers that wait for the messages of a client or a server. Its clones share them. The lock is taken last, after the driver's.
#[derive(Clone, Default)]
pub(super) struct Pending(Arc<Mutex<Waiters>>);

#[derive(Default)]
struct Waiters {
    /// The callers of one-way messages, in the order of sending.
    messages: VecDeque<oneshot::Sender<Result<(), Error>>>,
    /// The callers of deliveries, by the numbers of the deliveries.
    deliveries: FxHashMap<u64, oneshot::Sender<Result<Data, Error>>>,
    deliveries_so_far: u64,
}

/// Whether a client is connected.
#[derive(Clone, Debug)]
pub(super) enum Status {
    Connecting,
    Connected,
    Ended(Error),
}

impl Pending {
    /// The number of the next delivery.
    pub(super) fn next_request(&self) -> u64 {
        let mut waiters = self.lock();
        waiters.deliveries_so_far += 1;
        waiters.deliveries_so_far
    }

    /// Registers the caller of a one-way message. Calls must come in the order in which the messages are sent.
    pub(super) fn add_message(&self) -> oneshot::Receiver<Result<(), Error>> {
        let (sender, receiver) = oneshot::channel();
        self.lock().messages.push_back(sender);
        receiver
    }

    /// Registers the caller of the delivery with this number.
    pub(super) fn add_delivery(&self, request: u64) -> oneshot::Receiver<Result<Data, Error>> {
        let (sender, receiver) = oneshot::channel();
        self.lock().deliveries.insert(request, sender);
        receiver
    }

    /// Settles a delivery, unless it was settled before.
    pub(super) fn end_delivery(&self, request: u64, answer: Result<Data, Error>) {
        if let Some(waiter) = self.lock().deliveries.remove(&request) {
            drop(waiter.send(answer));
        }
    }

    /// A delivery is answered.
    pub(super) fn answered(&self, request: u64, outcome: Result<Payload<'_>, Payload<'_>>) {
        let answer = match outcome {
            Ok(payload) => Ok(payload.into()),
            Err(failure) => Err(Error::from_json(failure.content())),
        };
        self.end_delivery(request, answer);
    }

    /// Settles the next `count` one-way messages: they were received.
    fn received(&self, count: u64) {
        let mut waiters = self.lock();
        let count = usize::try_from(count).unwrap_or(usize::MAX).min(waiters.messages.len());
        waiters.messages.drain(..count).for_each(|waiter| drop(waiter.send(Ok(()))));
    }

    /// Settles the next one-way message: it will not be sent.
    fn rejected(&self, error: Error) {
        if let Some(waiter) = self.lock().messages.pop_front() {
            drop(waiter.send(Err(error)));
        }
    }

    /// Settles everything else with this error.
    fn end(&self, error: &Error) {
        let waiters = std::mem::take(&mut *self.lock());
        waiters.messages.into_iter().for_each(|waiter| drop(waiter.send(Err(error.clone()))));
        waiters.deliveries.into_values().for_each(|waiter| drop(waiter.send(Err(error.clone()))));
    }

    fn lock(&self) -> MutexGuard<'_, Waiters> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes the events of a client.
pub(super) struct ClientRecorder {
    pub(super) calls: Calls,
    pub(super) pending: Pending,
    pub(super) status: watch::Sender<Status>,
    pub(super) feed: Feed<ClientEvent>,
    /// The path of the server's socket.
    pub(super) path: PathBuf,
}

impl ClientRecorder {
    fn connected(&self) {
        self.status.send_replace(Status::Connected);
        self.feed.send(|| ClientEvent::Connected);
    }

    /// Changes the status, and reports the end of the connection if there was one.
    fn disconnected(&self, status: Status) {
        if matches!(self.status.send_replace(status), Status::Connected) {
            self.feed.send(|| ClientEvent::Disconnected);
        }
    }

    fn end(&self, error: Error) {
        self.pending.end(&error);
        self.disconnected(Status::Ended(error));
        self.feed.end();
    }
}

impl Events for ClientRecorder {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Message(incoming) => self.calls.add(&incoming, None),
            Event::Answer { request, outcome } => self.pending.answered(request, outcome),
            Event::TimedOut { request } => self.pending.end_delivery(request, Err(error::timed_out())),
            Event::Settled { count } => self.pending.received(count),
            Event::Rejected { error } => self.pending.rejected(error),
            Event::Connected { .. } => self.connected(),
            Event::Disconnected => self.disconnected(Status::Connecting),
            Event::Waiting { error } => {
                self.feed.send(|| ClientEvent::Waiting { path: self.path.clone(), reason: error });
            }
            Event::Drained { .. } => self.feed.send(|| ClientEvent::Drained),
            Event::Refused { error } => self.end(error),
            Event::Closed => self.end(error::closed()),
            Event::SessionConnected { .. }
            | Event::SessionDisconnected { .. }
            | Event::SessionEnded { .. }
            | Event::Dropped { .. }
            | Event::Relistened
            | Event::Displaced => {}
        }
    }
}
