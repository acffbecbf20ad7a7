//! A client on tokio.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::watch;

use super::answer::answer;
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

/// A client. Its clones are handles to the same client.
///
/// A client connects again when its server comes back. Until then, it keeps the messages that the program sends. When the
/// last clone is dropped, the connection is closed at once, and messages that were not written to it are lost. To send them
/// first, call [`Client::close`].
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

/// The result of [`Client::discover`].
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

    /// Waits until the client is connected, without a time limit. [`Client::waits_for`] and [`Client::events`] give the
    /// reason while it waits.
    ///
    /// # Errors
    /// - [`Code::NameTaken`](crate::Code::NameTaken) if another client has the name.
    /// - [`Code::NotTrusted`](crate::Code::NotTrusted) if the server or the client runs as a user that the other side does
    ///   not allow.
    /// - [`Code::System`](crate::Code::System), for example `EACCES`, if waiting does not help.
    /// - [`Code::Closed`](crate::Code::Closed) if the client was closed.
    pub async fn connected(&self) -> Result<(), Error> {
        let mut status = self.shared.status.clone();
        let status = status.wait_for(|status| !matches!(status, Status::Connecting)).await;
        match status.as_deref() {
            Ok(Status::Ended(error)) => Err(error.clone()),
            Ok(_) => Ok(()),
            Err(_) => Err(error::closed()),
        }
    }

    /// Whether the client is connected.
    pub fn is_connected(&self) -> bool {
        self.shared.instance.driver.with(|io, _, _| io.machine.is_connected())
    }

    /// Why the client is not connected. `None` if it is connected, or if no attempt to connect has failed yet.
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

    /// The messages that wait to be sent, acknowledged or answered: their number, and their size in bytes. See
    /// [`ClientBuilder::queue_limit`](crate::ClientBuilder::queue_limit).
    pub fn queued(&self) -> (usize, usize) {
        self.shared.instance.driver.with(|io, _, _| io.machine.queued())
    }

    /// The name of the client.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Adds a handler for a command, as [`ClientBuilder::handler`](crate::ClientBuilder::handler) does.
    ///
    /// A handler may hold a clone of the client. The client then lives until [`Client::close`] is called.
    ///
    /// # Errors
    /// - [`Code::HandlerExists`](crate::Code::HandlerExists) if the command has a handler.
    /// - [`Code::RestrictedCommand`](crate::Code::RestrictedCommand) if the protocol uses the command.
    pub fn add_handler<F, R, T, E>(&self, command: &str, function: F) -> Result<(), Error>
    where
        F: Fn(Message) -> R + Send + Sync + 'static,
        R: Future<Output = Result<T, E>> + Send + 'static,
        T: Content,
        E: Into<HandlerError>,
    {
        self.shared.instance.add_handler(command, &handlers::handler(function))
    }

    /// Sends a message to the server, and waits until the server has received it.
    ///
    /// The first poll of the future queues the message. Dropping the future after that does not cancel the message.
    ///
    /// # Errors
    /// - [`Code::MessageTooLarge`](crate::Code::MessageTooLarge) if the message is larger than both sides accept.
    /// - [`Code::QueueFull`](crate::Code::QueueFull) if
    ///   [`queue_limit`](crate::ClientBuilder::queue_limit) is reached. Wait for
    ///   [`ClientEvent::Drained`], or for messages that were sent before.
    /// - [`Code::RestrictedCommand`](crate::Code::RestrictedCommand) if the protocol uses the command.
    /// - [`Code::InvalidArgument`](crate::Code::InvalidArgument) if the command is too long or the data cannot be written as
    ///   JSON.
    /// - [`Code::Closed`](crate::Code::Closed) if the client was closed.
    ///
    /// ```
    /// # async fn example(client: ipcio::Client) -> Result<(), ipcio::Error> {
    /// client.send("log", "The job has started").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn send(&self, command: &str, data: impl Content) -> Result<(), Error> {
        self.one_way(Kind::Send, "", command, data).await
    }

    /// Sends a message to the client with this name, and waits until the server has received it.
    ///
    /// # Errors
    /// As [`Client::send`]. It is not an error if no client has the name.
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

    /// Sends a message to the server, and waits for the result of its handler. Dropping the future cancels the delivery;
    /// [`tokio::time::timeout`] does that too.
    ///
    /// # Errors
    /// As [`Client::send`], and:
    ///
    /// - [`Code::NoSuchCommand`](crate::Code::NoSuchCommand) if the receiver has no handler for the command.
    /// - [`Code::HandlerThrew`](crate::Code::HandlerThrew) if the handler failed. [`Error::message`] and [`Error::remote`]
    ///   describe its error. If that error has one of ipcio's own codes, the code is the same here.
    /// - [`Code::TooManyDeliveries`](crate::Code::TooManyDeliveries) if
    ///   [`max_deliveries`](crate::ServerBuilder::max_deliveries) of this client wait for answers.
    ///
    /// ```
    /// # async fn example(client: ipcio::Client) -> Result<(), ipcio::Error> {
    /// let sum: f64 = client.deliver("sum", [1, 2, 3]).await?.parse()?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn deliver(&self, command: &str, data: impl Content) -> Result<Data, Error> {
        self.request(Kind::Request, "", command, data, None).await
    }

    /// As [`Client::deliver`], with a time limit. An answer that has arrived in time counts, even if the program was too busy
    /// to read it in time.
    ///
    /// # Errors
    /// As [`Client::deliver`], and [`Code::Timeout`](crate::Code::Timeout) if no answer came in time.
    pub async fn deliver_within(&self, limit: Duration, command: &str, data: impl Content) -> Result<Data, Error> {
        self.request(Kind::Request, "", command, data, Some(limit)).await
    }

    /// As [`Client::deliver_to`], with a time limit, see [`Client::deliver_within`].
    ///
    /// # Errors
    /// As [`Client::deliver_to`], and [`Code::Timeout`](crate::Code::Timeout) if no answer came in time.
    pub async fn deliver_to_within(
        &self,
        limit: Duration,
        name: &str,
        command: &str,
        data: impl Content,
    ) -> Result<Data, Error> {
        self.request(Kind::Request, name, command, data, Some(limit)).await
    }

    /// Sends a message to the client with this name, and waits for the result of its handler.
    ///
    /// # Errors
    /// As [`Client::deliver`], and:
    ///
    /// - [`Code::NoSuchClient`](crate::Code::NoSuchClient) if no client has the name.
    /// - [`Code::ClientLeft`](crate::Code::ClientLeft) if the client leaves before it answers.
    pub async fn deliver_to(&self, name: &str, command: &str, data: impl Content) -> Result<Data, Error> {
        self.request(Kind::Request, name, command, data, None).await
    }

    /// Asks the server for the connected clients, and for the commands that it handles.
    ///
    /// # Errors
    /// [`Code::QueueFull`](crate::Code::QueueFull) and [`Code::Closed`](crate::Code::Closed), as [`Client::send`].
    pub async fn discover(&self) -> Result<Discovered, Error> {
        self.request(Kind::Discover, "", "", (), None).await?.parse()
    }

    /// Closes the client. A client that is connected first waits until its messages are acknowledged and its deliveries
    /// are answered, for at most [`close_timeout`](crate::ClientBuilder::close_timeout). Calls that are not done then fail
    /// with [`Code::Closed`](crate::Code::Closed).
    ///
    /// # Errors
    /// None at present.
    pub async fn close(&self) -> Result<(), Error> {
        let mut status = self.shared.status.clone();
        if !matches!(*status.borrow(), Status::Ended(_)) {
            self.shared.instance.driver.step(|io, now, events| io.machine.close(now, events));
            // The driver owns the sender, and this client owns the driver.
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
        answer(&self.shared.instance, &self.shared.pending, request, receiver).await
    }

    /// Queues a message, and registers its caller before the message can be settled.
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

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("name", &self.shared.name).finish_non_exhaustive()
    }
}
