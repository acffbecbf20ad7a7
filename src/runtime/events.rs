//! The events of a client and of a server, and how a program receives them.

use std::collections::VecDeque;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use crate::error::Error;

/// How many events are kept for the slowest receiver.
const CAPACITY: usize = 1024;

/// An event of a [`Server`](crate::Server), see [`Server::events`](crate::Server::events).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerEvent {
    /// A client has connected, for the first time or again.
    #[non_exhaustive]
    ClientConnected {
        /// The client's name.
        name: String,
        /// The id that the server gave to the client: 32 hex digits.
        uuid: String,
    },
    /// A client's connection has ended: the client was closed, its process ended, or the connection broke.
    #[non_exhaustive]
    ClientDisconnected {
        /// The client's name.
        name: String,
        /// The id that the server gave to the client: 32 hex digits.
        uuid: String,
    },
    /// Messages for a client were given up. The client did not return within
    /// [`resume_timeout`](crate::ServerBuilder::resume_timeout), it made room for others
    /// ([`away_limit`](crate::ServerBuilder::away_limit), [`max_clients`](crate::ServerBuilder::max_clients)), it read too
    /// slowly ([`slow_consumer_limit`](crate::ServerBuilder::slow_consumer_limit)), or it does not accept messages of this
    /// size.
    #[non_exhaustive]
    Dropped {
        /// The client's name.
        name: String,
        /// How many messages.
        messages: u64,
        /// Their size in bytes.
        bytes: usize,
    },
    /// The file of the socket was removed, as programs that clean `/tmp` do. The server has created it again at
    /// [`Server::path`](crate::Server::path).
    Relistened,
    /// Another file has taken the path of the socket, such as the socket of a server of ipcio 0.6.2. Connected clients stay
    /// connected, and no other client can connect. When the path is free, the server listens there again and sends
    /// [`ServerEvent::Relistened`].
    Displaced,
    /// This receiver was too slow and has missed events, the oldest ones. [`Server::events`](crate::Server::events) gives a
    /// new receiver, which begins with the clients that are connected then.
    #[non_exhaustive]
    Missed {
        /// How many events.
        events: u64,
    },
}

/// An event of a [`Client`](crate::Client), see [`Client::events`](crate::Client::events).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientEvent {
    /// The client has connected, for the first time or again.
    Connected,
    /// The connection has ended. The client tries to connect again, unless it was closed.
    Disconnected,
    /// The client has no connection and keeps trying. This event comes when the client begins to wait and when the reason
    /// changes, not for each attempt.
    #[non_exhaustive]
    Waiting {
        /// The path of the server's socket.
        path: PathBuf,
        /// Why the client is not connected: `ENOENT` and `ECONNREFUSED` if no server is running,
        /// [`Code::Timeout`](crate::Code::Timeout) if the server does not answer the handshake,
        /// [`Code::NameTaken`](crate::Code::NameTaken) if another client took the name in the meantime, and others.
        reason: Error,
    },
    /// Messages failed with [`Code::QueueFull`](crate::Code::QueueFull), and there is room again: at most half of
    /// [`queue_limit`](crate::ClientBuilder::queue_limit) is used.
    Drained,
    /// This receiver was too slow and has missed events, the oldest ones. [`Client::events`](crate::Client::events) gives a
    /// new receiver, which begins with the state of the client.
    #[non_exhaustive]
    Missed {
        /// How many events.
        events: u64,
    },
}

/// Receives the events of a [`Server`](crate::Server) or a [`Client`](crate::Client). It does not keep them from being
/// dropped.
///
/// Up to 1,024 events wait for a receiver. If there are more, it misses the oldest ones, and receives
/// [`ServerEvent::Missed`] or [`ClientEvent::Missed`] in their place.
pub struct EventReceiver<E> {
    /// The state at the time of the subscription, as events.
    first: VecDeque<E>,
    receiver: broadcast::Receiver<E>,
    missed: fn(u64) -> E,
}

/// Sends events to their receivers. Its clones share them. It is only locked while the driver is.
pub(super) struct Feed<E>(Arc<Mutex<State<E>>>);

enum State<E> {
    /// There was no receiver yet, so there is no buffer.
    Unused,
    Open(broadcast::Sender<E>),
    Ended,
}

impl<E: Clone> EventReceiver<E> {
    /// Waits for the next event. Gives `None` when the server or the client was closed or dropped.
    ///
    /// This may be used in [`tokio::select!`]: if the future is dropped, no event is lost.
    pub async fn recv(&mut self) -> Option<E> {
        if let Some(event) = self.first.pop_front() {
            return Some(event);
        }
        match self.receiver.recv().await {
            Ok(event) => Some(event),
            Err(RecvError::Lagged(count)) => Some((self.missed)(count)),
            Err(RecvError::Closed) => None,
        }
    }
}

impl<E: Clone> Feed<E> {
    pub(super) fn new() -> Feed<E> {
        Feed(Arc::new(Mutex::new(State::Unused)))
    }

    /// A receiver of `first`, and then of all events from now on. `missed` makes the event that says how many were missed.
    pub(super) fn subscribe(&self, first: impl IntoIterator<Item = E>, missed: fn(u64) -> E) -> EventReceiver<E> {
        let mut state = self.lock();
        let receiver = match &*state {
            State::Open(sender) => sender.subscribe(),
            State::Ended => broadcast::channel(1).1,
            State::Unused => {
                let (sender, receiver) = broadcast::channel(CAPACITY);
                *state = State::Open(sender);
                receiver
            }
        };
        let first = if matches!(*state, State::Ended) { VecDeque::new() } else { first.into_iter().collect() };
        EventReceiver { first, receiver, missed }
    }

    /// Sends an event, which is only made if there is a receiver.
    pub(super) fn send(&self, event: impl FnOnce() -> E) {
        if let State::Open(sender) = &*self.lock()
            && sender.receiver_count() > 0
        {
            // It fails only without receivers.
            let _ = sender.send(event());
        }
    }

    /// There will be no more events.
    pub(super) fn end(&self) {
        *self.lock() = State::Ended;
    }

    fn lock(&self) -> MutexGuard<'_, State<E>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<E> Clone for Feed<E> {
    fn clone(&self) -> Feed<E> {
        Feed(Arc::clone(&self.0))
    }
}

impl<E> fmt::Debug for EventReceiver<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventReceiver").finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "in a test it is an assertion")]
mod tests {
    use super::*;

    fn missed(events: u64) -> ServerEvent {
        ServerEvent::Missed { events }
    }

    fn dropped(messages: u64) -> ServerEvent {
        ServerEvent::Dropped { name: "bob".to_owned(), messages, bytes: 1 }
    }

    #[test]
    fn an_event_that_has_no_receiver_is_not_made() {
        let feed = Feed::<ServerEvent>::new();
        feed.send(|| panic!("it is made"));
        drop(feed.subscribe([], missed));
        feed.send(|| panic!("it is made"));
        feed.end();
        feed.send(|| panic!("it is made"));
    }

    #[tokio::test]
    async fn a_receiver_that_is_too_slow_is_told_how_many_events_it_missed() {
        let feed = Feed::new();
        let mut slow = feed.subscribe([ServerEvent::Displaced], missed);
        let last = CAPACITY as u64 + 5;
        for messages in 0..last {
            feed.send(|| dropped(messages));
        }
        let mut late = feed.subscribe([], missed);
        feed.end();
        assert_eq!(slow.recv().await, Some(ServerEvent::Displaced));
        assert_eq!(slow.recv().await, Some(missed(5)));
        for messages in 5..last {
            assert_eq!(slow.recv().await, Some(dropped(messages)));
        }
        assert_eq!((slow.recv().await, late.recv().await), (None, None));
    }
}
