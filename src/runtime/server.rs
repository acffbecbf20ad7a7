//! A server on tokio.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustc_hash::FxHashMap;
use tokio::sync::watch;

use super::answer::answer;
use super::data::{Content, Data};
use super::events::{EventReceiver, Feed, ServerEvent};
use super::handlers::{self, Calls, Handler, HandlerError};
use super::instance::Instance;
use super::listing::ClientInfo;
use super::message::Message;
use super::pending::Pending;
use crate::error::{self, Error};
use crate::machine::{Credentials, Event, Events, SessionId};
use crate::server;

/// A server. Its clones are handles to the same server.
///
/// When the last clone is dropped, its sockets are closed at once, and messages that were not written to them are lost. To
/// send them first, call [`Server::close`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), ipcio::Error> {
/// # let domain = format!("doc-server-{}", std::process::id());
/// let server = ipcio::Server::builder().domain(&domain).start()?;
/// let (sender, mut greetings) = tokio::sync::mpsc::unbounded_channel();
/// let client = ipcio::Client::builder()
///     .domain(&domain)
///     .name("bob")
///     .handler("greeting", move |message: ipcio::Message| {
///         let sender = sender.clone();
///         async move { Ok::<_, ipcio::Error>(sender.send(message.parse::<String>()?).is_ok()) }
///     })
///     .connect()
///     .await?;
///
/// server.emit("bob", "greeting", "Good morning")?;
/// assert_eq!(greetings.recv().await.as_deref(), Some("Good morning"));
///
/// client.close().await?;
/// server.close().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Server {
    shared: Arc<Shared>,
}

struct Shared {
    instance: Instance<server::Server>,
    pending: Pending,
    closed: watch::Receiver<bool>,
    path: PathBuf,
    feed: Feed<ServerEvent>,
}

impl Server {
    pub(super) fn start(
        options: server::Options,
        mode: u32,
        handlers: Vec<(String, Handler)>,
    ) -> Result<Server, Error> {
        let machine = server::Server::new(options);
        let path = machine.path();
        let (sender, closed) = watch::channel(false);
        let (pending, feed) = (Pending::default(), Feed::new());
        let recorder = |calls| ServerRecorder {
            calls,
            peers: FxHashMap::default(),
            pending: pending.clone(),
            closed: sender,
            feed: feed.clone(),
        };
        let instance = Instance::new(machine, mode, handlers, recorder)?;
        instance.driver.step(|io, now, _| {
            let listener = io.machine.start(now)?;
            io.listen(listener, &path).inspect_err(|_| io.machine.start_failed())
        })?;
        Ok(Server { shared: Arc::new(Shared { instance, pending, closed, path, feed }) })
    }

    /// The path of the server's socket.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// Whether the server is running. `false` when it was closed.
    pub fn is_listening(&self) -> bool {
        self.shared.instance.driver.with(|io, _, _| io.machine.is_started())
    }

    /// Whether another file has taken the path of the server's socket, such as the socket of a server of ipcio 0.6.2.
    /// Connected clients stay connected, and no other client can connect. See [`ServerEvent::Displaced`].
    pub fn is_displaced(&self) -> bool {
        self.shared.instance.driver.with(|io, _, _| io.is_displaced())
    }

    /// Receives the server's events. It begins with a [`ServerEvent::ClientConnected`] for each client that is connected,
    /// and each change follows. [`EventReceiver::recv`] gives `None` when the server was closed.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), ipcio::Error> {
    /// # let domain = format!("doc-server-events-{}", std::process::id());
    /// use ipcio::ServerEvent;
    ///
    /// let server = ipcio::Server::builder().domain(&domain).start()?;
    /// let mut events = server.events();
    /// let log = tokio::spawn(async move {
    ///     while let Some(event) = events.recv().await {
    ///         match event {
    ///             ServerEvent::ClientConnected { name, .. } => println!("{name} is here"),
    ///             ServerEvent::ClientDisconnected { name, .. } => println!("{name} is gone"),
    ///             ServerEvent::Dropped { name, messages, .. } => println!("{name} lost {messages} messages"),
    ///             other => println!("{other:?}"),
    ///         }
    ///     }
    /// });
    /// # let client = ipcio::Client::builder().domain(&domain).connect().await?;
    /// # client.close().await?;
    ///
    /// server.close().await?;
    /// log.await.expect("it does not panic");
    /// # Ok(())
    /// # }
    /// ```
    pub fn events(&self) -> EventReceiver<ServerEvent> {
        let Shared { instance, feed, .. } = &*self.shared;
        instance.driver.with(|io, _, _| {
            let clients = io.machine.connected().map(|(name, uuid)| connected(name, uuid));
            let displaced = io.is_displaced().then_some(ServerEvent::Displaced);
            feed.subscribe(clients.chain(displaced), |events| ServerEvent::Missed { events })
        })
    }

    /// Adds a handler for a command, as [`ServerBuilder::handler`](crate::ServerBuilder::handler) does.
    ///
    /// A handler may hold a clone of the server. The server then lives until [`Server::close`] is called.
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

    /// Sends a message to the client with this name. While the client's connection is broken, the server keeps the message
    /// for it. If no client has the name, the message is discarded. If the message is too large for the client, it is
    /// dropped with [`ServerEvent::Dropped`].
    ///
    /// # Errors
    /// - [`Code::MessageTooLarge`](crate::Code::MessageTooLarge) if the message is larger than
    ///   [`max_message_size`](crate::ServerBuilder::max_message_size).
    /// - [`Code::RestrictedCommand`](crate::Code::RestrictedCommand) if the protocol uses the command.
    /// - [`Code::InvalidArgument`](crate::Code::InvalidArgument) if the command is too long or the data cannot be written as
    ///   JSON.
    /// - [`Code::Closed`](crate::Code::Closed) if the server was closed.
    ///
    /// ```
    /// # fn example(server: ipcio::Server) -> Result<(), ipcio::Error> {
    /// server.emit("bob", "greeting", "Good morning")?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn emit(&self, name: &str, command: &str, data: impl Content) -> Result<(), Error> {
        let data = data.to_data()?;
        self.step(|machine| machine.emit(name, command, data.payload(), None))
    }

    /// Sends a message to the client with this name, and waits for the result of its handler. A client whose connection broke
    /// has two seconds to return. Dropping the future cancels the delivery.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), ipcio::Error> {
    /// # let domain = format!("doc-ask-{}", std::process::id());
    /// let server = ipcio::Server::builder().domain(&domain).start()?;
    /// let client = ipcio::Client::builder()
    ///     .domain(&domain)
    ///     .name("sensor")
    ///     .handler("read", async |_| Ok::<_, ipcio::Error>(21))
    ///     .connect()
    ///     .await?;
    ///
    /// assert_eq!(server.deliver("sensor", "read", ()).await?.parse::<u32>()?, 21);
    ///
    /// client.close().await?;
    /// server.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Server::emit`], and:
    ///
    /// - [`Code::NoSuchClient`](crate::Code::NoSuchClient) if no client has the name.
    /// - [`Code::NoSuchCommand`](crate::Code::NoSuchCommand) if the client has no handler for the command.
    /// - [`Code::ClientLeft`](crate::Code::ClientLeft) if the client leaves before it answers.
    /// - [`Code::HandlerThrew`](crate::Code::HandlerThrew) if the handler failed. [`Error::message`] and [`Error::remote`]
    ///   describe its error.
    /// - [`Code::TooManyDeliveries`](crate::Code::TooManyDeliveries) if too many deliveries wait for answers.
    pub async fn deliver(&self, name: &str, command: &str, data: impl Content) -> Result<Data, Error> {
        self.ask(None, name, command, data).await
    }

    /// As [`Server::deliver`], with a time limit. An answer that has arrived in time counts, even if the program was too busy
    /// to read it in time.
    ///
    /// # Errors
    /// As [`Server::deliver`], and [`Code::Timeout`](crate::Code::Timeout) if no answer came in time.
    pub async fn deliver_within(
        &self,
        limit: Duration,
        name: &str,
        command: &str,
        data: impl Content,
    ) -> Result<Data, Error> {
        self.ask(Some(limit), name, command, data).await
    }

    /// The clients that are connected or expected back, in the order in which they first came.
    pub fn clients(&self) -> Vec<ClientInfo> {
        let (listed, now) = self.shared.instance.driver.step(|io, now, _| (io.machine.list_clients(), now));
        let time = SystemTime::now();
        listed.into_iter().map(|info| ClientInfo::at(info, now, time)).collect()
    }

    /// Sends a message to all clients.
    ///
    /// # Errors
    /// As [`Server::emit`].
    pub fn broadcast(&self, command: &str, data: impl Content) -> Result<(), Error> {
        let data = data.to_data()?;
        self.step(|machine| machine.broadcast(command, data.payload(), None))
    }

    /// Sends a message to all clients except the one with this name.
    ///
    /// # Errors
    /// As [`Server::emit`].
    pub fn broadcast_except(&self, name: &str, command: &str, data: impl Content) -> Result<(), Error> {
        let data = data.to_data()?;
        self.step(|machine| machine.broadcast(command, data.payload(), Some(name)))
    }

    /// Closes the server. It accepts no more connections, and ends each connection when the client has received its
    /// messages and has answered, or after [`close_timeout`](crate::ServerBuilder::close_timeout).
    ///
    /// # Errors
    /// None at present.
    pub async fn close(&self) -> Result<(), Error> {
        self.shared.instance.driver.step(|io, now, events| io.machine.close(now, events));
        // The driver owns the sender, and this server owns the driver.
        let _ = self.shared.closed.clone().wait_for(|&closed| closed).await;
        self.shared.instance.drop_handlers();
        Ok(())
    }

    async fn ask(&self, limit: Option<Duration>, name: &str, command: &str, data: impl Content) -> Result<Data, Error> {
        let data = data.to_data()?;
        let Shared { instance, pending, .. } = &*self.shared;
        let request = pending.next_request();
        let receiver = instance.driver.step(|io, now, _| {
            io.machine.ask(name, command, data.payload(), request, now)?;
            if let Some(end) = limit.and_then(|limit| now.checked_add(limit)) {
                io.machine.limit_time(request, end);
            }
            Ok(pending.add_delivery(request))
        })?;
        answer(instance, pending, request, receiver).await
    }

    fn step(&self, f: impl FnOnce(&mut server::Server) -> Result<(), Error>) -> Result<(), Error> {
        self.shared
            .instance
            .driver
            .step(|io, _, _| if io.machine.is_started() { f(&mut io.machine) } else { Err(error::closed()) })
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("path", &self.shared.path).finish_non_exhaustive()
    }
}

/// Takes the events of a server.
struct ServerRecorder {
    calls: Calls,
    /// The processes behind the connections of clients.
    peers: FxHashMap<SessionId, Credentials>,
    pending: Pending,
    closed: watch::Sender<bool>,
    feed: Feed<ServerEvent>,
}

impl Events for ServerRecorder {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Message(incoming) => self.calls.add(&incoming, self.peers.get(&incoming.session).copied()),
            Event::Answer { request, outcome } => self.pending.answered(request, outcome),
            Event::TimedOut { request } => self.pending.end_delivery(request, Err(error::timed_out())),
            Event::SessionConnected { session, name, uuid, peer } => {
                self.peers.insert(session, peer);
                self.feed.send(|| connected(name, uuid));
            }
            Event::SessionDisconnected { name, uuid, .. } => {
                self.feed.send(|| ServerEvent::ClientDisconnected { name: name.to_owned(), uuid: uuid.to_owned() })
            }
            Event::SessionEnded { session, name, messages, bytes } => {
                self.peers.remove(&session);
                if messages > 0 {
                    self.feed.send(|| ServerEvent::Dropped { name: name.to_owned(), messages, bytes });
                }
            }
            Event::Dropped { name, messages, bytes } => {
                self.feed.send(|| ServerEvent::Dropped { name: name.to_owned(), messages, bytes });
            }
            Event::Relistened => self.feed.send(|| ServerEvent::Relistened),
            Event::Displaced => self.feed.send(|| ServerEvent::Displaced),
            Event::Closed => {
                self.feed.end();
                self.closed.send_replace(true);
            }
            Event::Settled { .. }
            | Event::Rejected { .. }
            | Event::Connected { .. }
            | Event::Disconnected
            | Event::Waiting { .. }
            | Event::Refused { .. }
            | Event::Drained { .. } => {}
        }
    }
}

fn connected(name: &str, uuid: &str) -> ServerEvent {
    ServerEvent::ClientConnected { name: name.to_owned(), uuid: uuid.to_owned() }
}
