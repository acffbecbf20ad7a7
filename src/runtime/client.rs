//! A client on tokio.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::watch;

use super::data::{Content, Data};
use super::events::{ClientEvent, EventReceiver, Feed};
use super::handlers::{self, Handler, HandlerError};
use super::instance::Instance;
use super::message::Message;
use super::pending::{ClientRecorder, Pending, Status};
use crate::client::{self, Outgoing};
use crate::error::{self, Error};
use crate::machine::Payload;
use crate::protocol::frame::Kind;

/// A client, shared by its clones. It connects again whenever its server comes back, and keeps what is sent
/// meanwhile. What has not been sent when the last clone is dropped is lost: see [`Client::close`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), ipcio::Error> {
/// # let domain = format!("doc-client-{}", std::process::id());
/// let server = ipcio::Server::builder()
///     .domain(&domain)
///     .handler("double", async |message: ipcio::Message| Ok::<_, ipcio::Error>(message.parse::<f64>()? * 2.0))
///     .start()?;
///
/// let client = ipcio::Client::builder().domain(&domain).name("alice").connect().await?;
/// let answer = client.deliver("double", 21).await?;
/// assert_eq!(answer.parse::<f64>()?, 42.0);
///
/// client.close().await?;
/// server.close().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    instance: Instance<client::Client>,
    pending: Pending,
    status: watch::Receiver<Status>,
    name: String,
    path: PathBuf,
    feed: Feed<ClientEvent>,
}

/// Who is there, and what the server handles.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Discovered {
    /// The names of the clients that are connected.
    pub clients: Vec<String>,
    /// The commands that the server handles.
    pub command_handlers: Vec<String>,
}

impl Client {
    pub(super) fn start(machine: client::Client, mode: u32, handlers: Vec<(String, Handler)>) -> Result<Client, Error> {
        let (name, path) = (machine.name().to_owned(), machine.path());
        let feed = Feed::new();
        let pending = Pending::default();
        let (sender, status) = watch::channel(Status::Connecting);
        let recorder = |calls| ClientRecorder {
            calls,
            pending: pending.clone(),
            status: sender,
            feed: feed.clone(),
            path: path.clone(),
        };
        let instance = Instance::new(machine, mode, handlers, recorder)?;
        instance.driver.step(|io, _, _| io.machine.connect())?;
        Ok(Client { shared: Arc::new(Shared { instance, pending, status, name, path, feed }) })
    }

    /// Waits until it is connected, however long that takes.
    ///
    /// # Errors
    /// [`Code::NameTaken`](crate::Code::NameTaken), [`Code::NotTrusted`](crate::Code::NotTrusted), the system's where it
    /// would wait in vain, as `EACCES`, and
    /// [`Code::Closed`](crate::Code::Closed) once it has been closed.
    pub async fn connected(&self) -> Result<(), Error> {
        let mut status = self.shared.status.clone();
        let status = status.wait_for(|status| !matches!(status, Status::Connecting)).await;
        match status.as_deref() {
            Ok(Status::Ended(error)) => Err(error.clone()),
            Ok(_) => Ok(()),
            Err(_) => Err(error::closed()),
        }
    }

    /// Whether the connection stands.
    pub fn is_connected(&self) -> bool {
        self.shared.instance.driver.with(|io, _, _| io.machine.is_connected())
    }

    /// What keeps it from being connected, as far as it has noticed; `None` once it is.
    pub fn waits_for(&self) -> Option<Error> {
        self.shared.instance.driver.with(|io, _, _| io.machine.waits_for().cloned())
    }

    /// Receives the client's events. It begins with its state, [`ClientEvent::Connected`] or [`ClientEvent::Waiting`], and
    /// each change follows. [`EventReceiver::recv`] gives `None` when the client was closed or could not connect at all;
    /// [`Client::connected`] gives the reason then.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), ipcio::Error> {
    /// # let domain = format!("doc-client-events-{}", std::process::id());
    /// use ipcio::ClientEvent;
    ///
    /// let client = ipcio::Client::builder().domain(&domain).name("alice").start()?;
    /// let mut events = client.events();
    /// if let Some(ClientEvent::Waiting { path, reason, .. }) = events.recv().await {
    ///     eprintln!("{}: {reason}", path.display());
    /// }
    ///
    /// let server = ipcio::Server::builder().domain(&domain).start()?;
    /// assert_eq!(events.recv().await, Some(ClientEvent::Connected));
    ///
    /// client.close().await?;
    /// assert_eq!(events.recv().await, Some(ClientEvent::Disconnected));
    /// assert_eq!(events.recv().await, None);
    /// # server.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn events(&self) -> EventReceiver<ClientEvent> {
        let Shared { instance, status, path, feed, .. } = &*self.shared;
        instance.driver.with(|io, _, _| {
            let first = match &*status.borrow() {
                Status::Connected => Some(ClientEvent::Connected),
                _ => io
                    .machine
                    .waits_for()
                    .map(|reason| ClientEvent::Waiting { path: path.clone(), reason: reason.clone() }),
            };
            feed.subscribe(first, |events| ClientEvent::Missed { events })
        })
    }

    /// What waits to be sent, acknowledged or answered: how many messages, and their size in bytes. See
    /// [`ClientBuilder::queue_limit`](crate::ClientBuilder::queue_limit).
    pub fn queued(&self) -> (usize, usize) {
        self.shared.instance.driver.with(|io, _, _| io.machine.queued())
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Adds a handler for a command, as [`ClientBuilder::handler`](crate::ClientBuilder::handler) does. A handler that holds a clone of the
    /// client keeps it until it is closed.
    ///
    /// # Errors
    /// [`Code::HandlerExists`](crate::Code::HandlerExists),
    /// [`Code::RestrictedCommand`](crate::Code::RestrictedCommand).
    pub fn add_handler<F, R, T, E>(&self, command: &str, function: F) -> Result<(), Error>
    where
        F: Fn(Message) -> R + Send + Sync + 'static,
        R: Future<Output = Result<T, E>> + Send + 'static,
        T: Content,
        E: Into<HandlerError>,
    {
        self.shared.instance.add_handler(command, &handlers::handler(function))
    }

    /// Sends a message to the server, and waits until it has been received.
    ///
    /// As with all messages, it is on its way as soon as the future is polled, and stays so when the future is
    /// dropped.
    ///
    /// # Errors
    /// [`Code::MessageTooLarge`](crate::Code::MessageTooLarge), [`Code::QueueFull`](crate::Code::QueueFull),
    /// [`Code::RestrictedCommand`](crate::Code::RestrictedCommand),
    /// [`Code::InvalidArgument`](crate::Code::InvalidArgument), [`Code::Closed`](crate::Code::Closed).
    pub async fn send(&self, command: &str, data: impl Content) -> Result<(), Error> {
        self.one_way(Kind::Send, "", command, data).await
    }

    /// Sends a message to the client of a name, and waits until the server has received it.
    ///
    /// # Errors
    /// As [`Client::send`]. A name that nobody has is none.
    pub async fn emit(&self, name: &str, command: &str, data: impl Content) -> Result<(), Error> {
        self.one_way(Kind::Emit, name, command, data).await
    }

    /// Sends a message to all other clients, and waits until the server has received it.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn broadcast(&self, command: &str, data: impl Content) -> Result<(), Error> {
        self.one_way(Kind::Broadcast, "", command, data).await
    }

    /// Sends a message to the server, and waits for what its handler returns. Dropping the future, as
    /// [`tokio::time::timeout`] does, withdraws the question.
    ///
    /// # Errors
    /// As [`Client::send`], [`Code::NoSuchCommand`](crate::Code::NoSuchCommand), and
    /// [`Code::HandlerThrew`](crate::Code::HandlerThrew) with [`Error::remote`] if the handler failed.
    pub async fn deliver(&self, command: &str, data: impl Content) -> Result<Data, Error> {
        self.request(Kind::Request, "", command, data, None).await
    }

    /// As [`Client::deliver`], for at most this long. An answer that has come by then counts, however late it is read.
    ///
    /// # Errors
    /// As [`Client::deliver`], and [`Code::Timeout`](crate::Code::Timeout).
    pub async fn deliver_within(&self, limit: Duration, command: &str, data: impl Content) -> Result<Data, Error> {
        self.request(Kind::Request, "", command, data, Some(limit)).await
    }

    /// As [`Client::deliver_to`], for at most this long.
    ///
    /// # Errors
    /// As [`Client::deliver_to`], and [`Code::Timeout`](crate::Code::Timeout).
    pub async fn deliver_to_within(
        &self,
        limit: Duration,
        name: &str,
        command: &str,
        data: impl Content,
    ) -> Result<Data, Error> {
        self.request(Kind::Request, name, command, data, Some(limit)).await
    }

    /// Sends a message to the client of a name, and waits for what its handler returns.
    ///
    /// # Errors
    /// As [`Client::deliver`], [`Code::NoSuchClient`](crate::Code::NoSuchClient), and
    /// [`Code::ClientLeft`](crate::Code::ClientLeft) if it goes before it has answered.
    pub async fn deliver_to(&self, name: &str, command: &str, data: impl Content) -> Result<Data, Error> {
        self.request(Kind::Request, name, command, data, None).await
    }

    /// Asks the server who is there, and what it handles.
    ///
    /// # Errors
    /// [`Code::Closed`](crate::Code::Closed).
    pub async fn discover(&self) -> Result<Discovered, Error> {
        self.request(Kind::Discover, "", "", (), None).await?.parse()
    }

    /// Leaves. While the connection stands it first waits, for as long as
    /// [`close_timeout`](crate::ClientBuilder::close_timeout) says, for what is under way; whatever is left after that
    /// fails with [`Code::Closed`](crate::Code::Closed).
    ///
    /// # Errors
    /// None at present.
    pub async fn close(&self) -> Result<(), Error> {
        let mut status = self.shared.status.clone();
        if !matches!(*status.borrow(), Status::Ended(_)) {
            self.shared.instance.driver.step(|io, now, events| io.machine.close(now, events));
            // The sender goes with the driver, which this has.
            let _ = status.wait_for(|status| matches!(status, Status::Ended(_))).await;
        }
        self.shared.instance.drop_handlers();
        Ok(())
    }

    async fn one_way(&self, kind: Kind, name: &str, command: &str, data: impl Content) -> Result<(), Error> {
        let data = data.to_data()?;
        let outgoing = Outgoing { kind, name, command, payload: data.payload(), request: 0 };
        let receiver = self.push(&outgoing, None, Pending::add_message)?;
        receiver.await.unwrap_or_else(|_| Err(error::closed()))
    }

    async fn request(
        &self,
        kind: Kind,
        name: &str,
        command: &str,
        data: impl Content,
        limit: Option<Duration>,
    ) -> Result<Data, Error> {
        let data = data.to_data()?;
        let request = self.shared.pending.next_request();
        let payload = if kind == Kind::Discover { Payload::Json(b"") } else { data.payload() };
        let outgoing = Outgoing { kind, name, command, payload, request };
        let receiver = self.push(&outgoing, limit, |pending| pending.add_delivery(request))?;
        let withdrawn = WithdrawnOnDrop { shared: &self.shared, request };
        let answer = receiver.await.unwrap_or_else(|_| Err(error::closed()));
        std::mem::forget(withdrawn);
        answer
    }

    /// Queues a message, and notes who waits for it before it can be settled.
    fn push<T>(
        &self,
        outgoing: &Outgoing<'_>,
        limit: Option<Duration>,
        note: impl FnOnce(&Pending) -> T,
    ) -> Result<T, Error> {
        self.shared.instance.driver.step(|io, now, _| {
            if !io.machine.is_started() {
                return Err(error::closed());
            }
            io.machine.push(outgoing)?;
            if let Some(end) = limit.and_then(|limit| now.checked_add(limit)) {
                io.machine.limit_time(outgoing.request, end);
            }
            Ok(note(&self.shared.pending))
        })
    }
}

/// A delivery that is withdrawn when its future is dropped before the answer has come.
struct WithdrawnOnDrop<'a> {
    shared: &'a Shared,
    request: u64,
}

impl Drop for WithdrawnOnDrop<'_> {
    fn drop(&mut self) {
        self.shared.instance.driver.step(|io, _, _| io.machine.cancel(self.request));
        self.shared.pending.end_delivery(self.request, Err(error::closed()));
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("name", &self.shared.name).finish_non_exhaustive()
    }
}
