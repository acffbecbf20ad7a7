//! The handlers of commands, and the task that calls them.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::data::{Content, Data};
use super::driver::{Driver, WeakDriver};
use super::message::Message;
use crate::commands::Commands;
use crate::error::{Code, Error, Failure};
use crate::machine::{CommandId, Credentials, Incoming, Machine, Payload, SessionId};
use crate::sequence::Receipt;
use crate::{client, server};

/// How many handlers are called before the machine is told that their messages were handled.
const BATCH: usize = 256;

/// The error of a handler: any error, or a text.
pub type HandlerError = Box<dyn std::error::Error + Send + Sync>;

/// A handler in the form in which it is stored.
pub(super) type Handler = Arc<dyn Fn(Message) -> Answer + Send + Sync>;

type Answer = Pin<Box<dyn Future<Output = Result<Data, HandlerError>> + Send>>;

/// The handlers of an instance, by their [`CommandId`]s.
#[derive(Clone, Default)]
pub(super) struct Handlers(Arc<Mutex<Vec<Named>>>);

type Named = (Arc<str>, Handler);

/// Queues messages for the task that calls the handlers.
pub(super) struct Calls(mpsc::UnboundedSender<Call>);

/// The other end of [`Calls`].
pub(super) struct Receiver(mpsc::UnboundedReceiver<Call>);

/// A message whose handler is to be called.
struct Call {
    command: CommandId,
    session: SessionId,
    request: Option<u64>,
    receipt: Receipt,
    from: String,
    peer: Option<Credentials>,
    redelivered: bool,
    data: Data,
}

/// A machine that has handlers and makes deliveries.
pub(super) trait HasHandlers: Machine + Send + 'static {
    /// See [`client::Client::commands`] and [`server::Server::commands`].
    fn commands(&mut self) -> &mut Commands;

    /// See [`client::Client::respond`] and [`server::Server::respond`].
    fn respond(&mut self, session: SessionId, request: u64, outcome: Result<Payload<'_>, Payload<'_>>);

    /// See [`client::Client::cancel`] and [`server::Server::cancel`].
    fn cancel(&mut self, request: u64);
}

impl HasHandlers for client::Client {
    fn commands(&mut self) -> &mut Commands {
        self.commands()
    }

    fn respond(&mut self, _: SessionId, request: u64, outcome: Result<Payload<'_>, Payload<'_>>) {
        self.respond(request, outcome);
    }

    fn cancel(&mut self, request: u64) {
        self.cancel(request);
    }
}

impl HasHandlers for server::Server {
    fn commands(&mut self) -> &mut Commands {
        self.commands()
    }

    fn respond(&mut self, session: SessionId, request: u64, outcome: Result<Payload<'_>, Payload<'_>>) {
        self.respond(session, request, outcome);
    }

    fn cancel(&mut self, request: u64) {
        self.cancel(request);
    }
}

/// Converts a function of the application into a [`Handler`].
pub(super) fn handler<F, R, T, E>(function: F) -> Handler
where
    F: Fn(Message) -> R + Send + Sync + 'static,
    R: Future<Output = Result<T, E>> + Send + 'static,
    T: Content,
    E: Into<HandlerError>,
{
    let function = Arc::new(function);
    Arc::new(move |message| {
        let function = function.clone();
        Box::pin(async move {
            let result = function(message).await.map_err(Into::into)?;
            Ok(result.to_data()?)
        })
    })
}

impl Handlers {
    /// Adds a handler, and its command to the machine.
    ///
    /// # Errors
    /// [`Code::HandlerExists`], [`Code::RestrictedCommand`].
    pub(super) fn add<M: HasHandlers>(&self, machine: &mut M, command: &str, handler: &Handler) -> Result<(), Error> {
        machine.commands().add(&[command.to_owned()])?;
        self.lock().push((command.into(), Arc::clone(handler)));
        Ok(())
    }

    /// Drops all handlers.
    pub(super) fn clear(&self) {
        // They belong to the application, which may run any code when they are dropped: so nothing is locked then.
        let handlers = std::mem::take(&mut *self.lock());
        drop(handlers);
    }

    fn find(&self, command: CommandId) -> Option<Named> {
        self.lock().get(command.0 as usize).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Named>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Calls {
    /// A queue, and its receiving end for [`Receiver::start`].
    pub(super) fn new() -> (Calls, Receiver) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Calls(sender), Receiver(receiver))
    }

    /// Queues a message. On a server, `peer` is the process that it came from.
    pub(super) fn add(&self, incoming: &Incoming<'_>, peer: Option<Credentials>) {
        // This fails when the runtime has ended.
        let _ = self.0.send(Call {
            command: incoming.command,
            session: incoming.session,
            request: incoming.request,
            receipt: incoming.receipt,
            from: incoming.from.to_owned(),
            peer,
            redelivered: incoming.redelivered,
            data: incoming.payload.into(),
        });
    }
}

impl Receiver {
    /// Spawns the task that calls the handlers. It ends when the driver is dropped.
    pub(super) fn start<M: HasHandlers>(self, runtime: &Handle, driver: &Driver<M>, handlers: Handlers) {
        runtime.spawn(call_all(driver.downgrade(), handlers, self.0));
    }
}

async fn call_all<M: HasHandlers>(
    driver: WeakDriver<M>,
    handlers: Handlers,
    mut receiver: mpsc::UnboundedReceiver<Call>,
) {
    let mut calls = Vec::new();
    while receiver.recv_many(&mut calls, BATCH).await > 0 {
        let mut done = Vec::with_capacity(calls.len());
        for call in calls.drain(..) {
            let Call { session, request, receipt, .. } = call;
            let result = self::call(&driver, &handlers, call).await;
            done.push((session, request, receipt, result));
        }
        let Some(driver) = driver.upgrade() else { return };
        driver.step(|io, now, _| {
            for (session, request, receipt, result) in done {
                io.machine.handled(session, receipt, now);
                if let (Some(request), Some(result)) = (request, result) {
                    respond(&mut io.machine, session, request, &result);
                }
            }
        });
    }
}

/// Calls a handler, and returns its result if the handler is done at once. Otherwise the handler continues in a task of its
/// own, so that later messages do not wait for it.
async fn call<M: HasHandlers>(
    driver: &WeakDriver<M>,
    handlers: &Handlers,
    call: Call,
) -> Option<Result<Data, Vec<u8>>> {
    let (command, handler) = handlers.find(call.command)?;
    let Call { session, request, from, peer, redelivered, data, .. } = call;
    let message = Message { command: command.clone(), from, peer, data, is_delivery: request.is_some(), redelivered };
    let mut guarded = Guarded(handler(message));
    let at_once = std::future::poll_fn(|context| match Pin::new(&mut guarded).poll(context) {
        Poll::Ready(result) => Poll::Ready(Some(result)),
        Poll::Pending => Poll::Ready(None),
    });
    if let Some(result) = at_once.await {
        return Some(outcome(&command, request, result));
    }
    let driver = driver.clone();
    tokio::spawn(async move {
        let result = outcome(&command, request, guarded.await);
        if let (Some(request), Some(driver)) = (request, driver.upgrade()) {
            driver.step(|io, _, _| respond(&mut io.machine, session, request, &result));
        }
    });
    None
}

fn respond<M: HasHandlers>(machine: &mut M, session: SessionId, request: u64, result: &Result<Data, Vec<u8>>) {
    let outcome = match result {
        Ok(data) => Ok(data.payload()),
        Err(failure) => Err(Payload::Json(failure)),
    };
    machine.respond(session, request, outcome);
}

/// The answer. If the sender does not wait for one, a failure is logged.
fn outcome(command: &str, request: Option<u64>, result: Result<Data, HandlerError>) -> Result<Data, Vec<u8>> {
    result.map_err(|error| {
        if request.is_none() {
            tracing::warn!(target: "ipcio", "The handler of {command:?} has failed: {error}");
        }
        failure(&error)
    })
}

fn failure(error: &HandlerError) -> Vec<u8> {
    let text;
    let failure = match error.downcast_ref::<Error>() {
        Some(error) => Failure {
            remote: true,
            name: error.remote().map_or("Error", |remote| &remote.name),
            message: error.message(),
            code: match error.remote() {
                Some(remote) => remote.code.as_deref(),
                None => Some(error.code().as_str()),
            },
        },
        None => {
            text = error.to_string();
            Failure { name: "Error", message: &text, code: None, remote: true }
        }
    };
    failure.to_json()
}

/// A handler whose panic becomes an error.
struct Guarded(Answer);

impl Future for Guarded {
    type Output = Result<Data, HandlerError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = std::panic::catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(context)));
        polled.unwrap_or_else(|_| {
            let error =
                Error::new(Code::HandlerThrew, "The handler panicked; read the message that it printed to stderr.");
            Poll::Ready(Err(error.into()))
        })
    }
}
