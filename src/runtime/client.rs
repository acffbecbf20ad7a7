//! A client on tokio.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustc_hash::FxHashMap;
use serde::Deserialize;
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};

use super::data::{Content, Data};
use super::driver::Driver;
use super::handlers::{self, Calls, Handler, HandlerError, Handlers};
use super::message::Message;
use super::options::{ClientBuilder, closed};
use crate::client::{self, Outgoing};
use crate::error::{self, Error};
use crate::machine::{Event, Events, Payload};
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
    driver: Driver<client::Client>,
    waiting: Arc<Mutex<Waiting>>,
    status: watch::Receiver<Status>,
    handlers: Handlers,
    name: String,
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

/// Who waits for what. It is only locked while the driver is, or for itself.
#[derive(Default)]
struct Waiting {
    /// One-way messages, in the order in which they were sent.
    promises: VecDeque<oneshot::Sender<Result<(), Error>>>,
    deliveries: FxHashMap<u64, oneshot::Sender<Result<Data, Error>>>,
    deliveries_so_far: u64,
}

#[derive(Clone, Debug)]
enum Status {
    Connecting,
    Connected,
    Ended(Error),
}

impl Client {
    /// The options of a client, to be filled in.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    pub(super) fn start(
        options: client::Options,
        mode: u32,
        handlers: Vec<(String, Handler)>,
    ) -> Result<Client, Error> {
        let runtime = Handle::current();
        let mut machine = client::Client::new(options);
        let name = machine.name().to_owned();
        let kept = Handlers::default();
        for (command, handler) in handlers {
            machine.commands().add(std::slice::from_ref(&command))?;
            kept.add(&command, handler);
        }
        let (calls, receiver) = Calls::new();
        let waiting = Arc::<Mutex<Waiting>>::default();
        let (sender, status) = watch::channel(Status::Connecting);
        let recorder = Recorder { calls, waiting: waiting.clone(), status: sender };
        let driver = Driver::new(machine, mode, runtime.clone(), Box::new(recorder));
        receiver.start(&runtime, &driver, kept.clone());
        driver.step(|io, _, _| io.machine.connect())?;
        Ok(Client { shared: Arc::new(Shared { driver, waiting, status, handlers: kept, name }) })
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
            Err(_) => Err(closed()),
        }
    }

    /// Whether the connection stands.
    pub fn is_connected(&self) -> bool {
        self.shared.driver.with(|io, _, _| io.machine.is_connected())
    }

    /// What keeps it from being connected, as far as it has noticed; `None` once it is.
    pub fn waits_for(&self) -> Option<Error> {
        self.shared.driver.with(|io, _, _| io.machine.waits_for().cloned())
    }

    /// What waits to be sent, acknowledged or answered: how many messages, and their size in bytes. See
    /// [`ClientBuilder::queue_limit`].
    pub fn queued(&self) -> (usize, usize) {
        self.shared.driver.with(|io, _, _| io.machine.queued())
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Adds a handler for a command, as [`ClientBuilder::handler`] does. A handler that holds a clone of the
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
        let handler = handlers::handler(function);
        self.shared.driver.with(|io, _, _| {
            io.machine.commands().add(&[command.to_owned()])?;
            // What is refused is dropped when nothing is locked: it is the application's.
            self.shared.handlers.add(command, handler.clone());
            Ok(())
        })
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
    /// [`close_timeout`](ClientBuilder::close_timeout) says, for what is under way; whatever is left after that
    /// fails with [`Code::Closed`](crate::Code::Closed).
    ///
    /// # Errors
    /// None at present.
    pub async fn close(&self) -> Result<(), Error> {
        let mut status = self.shared.status.clone();
        if !matches!(*status.borrow(), Status::Ended(_)) {
            self.shared.driver.step(|io, now, events| io.machine.close(now, events));
            // The sender goes with the driver, which this has.
            let _ = status.wait_for(|status| matches!(status, Status::Ended(_))).await;
        }
        self.shared.handlers.clear();
        Ok(())
    }

    async fn one_way(&self, kind: Kind, name: &str, command: &str, data: impl Content) -> Result<(), Error> {
        let data = data.to_data()?;
        let (sender, receiver) = oneshot::channel();
        self.push(kind, name, command, &data, (0, None), |waiting| waiting.promises.push_back(sender))?;
        receiver.await.unwrap_or_else(|_| Err(closed()))
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
        let request = {
            let mut waiting = self.shared.waiting();
            waiting.deliveries_so_far += 1;
            waiting.deliveries_so_far
        };
        let (sender, receiver) = oneshot::channel();
        self.push(kind, name, command, &data, (request, limit), |waiting| {
            waiting.deliveries.insert(request, sender);
        })?;
        let question = Question { shared: &self.shared, request };
        let answer = receiver.await.unwrap_or_else(|_| Err(closed()));
        std::mem::forget(question);
        answer
    }

    /// Queues a message, and notes who waits for it before it can be settled.
    fn push(
        &self,
        kind: Kind,
        name: &str,
        command: &str,
        data: &Data,
        (request, limit): (u64, Option<Duration>),
        note: impl FnOnce(&mut Waiting),
    ) -> Result<(), Error> {
        let payload = if kind == Kind::Discover { Payload::Json(b"") } else { data.payload() };
        self.shared.driver.step(|io, now, _| {
            if !io.machine.is_started() {
                return Err(closed());
            }
            io.machine.push(&Outgoing { kind, name, command, payload, request })?;
            if let Some(end) = limit.and_then(|limit| now.checked_add(limit)) {
                io.machine.limit_time(request, end);
            }
            note(&mut self.shared.waiting());
            Ok(())
        })
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("name", &self.shared.name).finish_non_exhaustive()
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A delivery that is withdrawn when nobody waits for it any more.
struct Question<'a> {
    shared: &'a Shared,
    request: u64,
}

impl Drop for Question<'_> {
    fn drop(&mut self) {
        self.shared.driver.step(|io, _, _| io.machine.cancel(self.request));
        self.shared.waiting().deliveries.remove(&self.request);
    }
}

/// Settles what is waited for.
struct Recorder {
    calls: Calls,
    waiting: Arc<Mutex<Waiting>>,
    status: watch::Sender<Status>,
}

impl Recorder {
    /// Nothing that is still waited for will come.
    fn end(&self, error: &Error) {
        let waiting = std::mem::take(&mut *self.waiting());
        // Whoever does not wait any longer needs no answer.
        waiting.promises.into_iter().for_each(|promise| drop(promise.send(Err(error.clone()))));
        waiting.deliveries.into_values().for_each(|delivery| drop(delivery.send(Err(error.clone()))));
        self.status.send_replace(Status::Ended(error.clone()));
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Events for Recorder {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Message(incoming) => self.calls.add(&incoming),
            Event::Answer { request, outcome } => {
                if let Some(delivery) = self.waiting().deliveries.remove(&request) {
                    let answer = match outcome {
                        Ok(payload) => Ok(payload.into()),
                        Err(failure) => Err(Error::from_json(failure.content())),
                    };
                    drop(delivery.send(answer));
                }
            }
            Event::TimedOut { request } => {
                if let Some(delivery) = self.waiting().deliveries.remove(&request) {
                    drop(delivery.send(Err(error::timed_out())));
                }
            }
            Event::Settled { count } => {
                let mut waiting = self.waiting();
                let count = usize::try_from(count).unwrap_or(usize::MAX).min(waiting.promises.len());
                waiting.promises.drain(..count).for_each(|promise| drop(promise.send(Ok(()))));
            }
            Event::Rejected { error } => {
                if let Some(promise) = self.waiting().promises.pop_front() {
                    drop(promise.send(Err(error)));
                }
            }
            Event::Connected { .. } => drop(self.status.send_replace(Status::Connected)),
            Event::Disconnected => drop(self.status.send_replace(Status::Connecting)),
            Event::Refused { error } => self.end(&error),
            Event::Closed => self.end(&closed()),
            Event::SessionConnected { .. }
            | Event::SessionDisconnected { .. }
            | Event::SessionEnded { .. }
            | Event::Dropped { .. }
            | Event::Relistened
            | Event::Displaced
            | Event::Waiting { .. }
            | Event::Drained { .. } => {}
        }
    }
}
