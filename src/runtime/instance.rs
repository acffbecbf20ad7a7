//! The common part of a client and a server: a state machine on tokio, and the handlers of its commands.

use tokio::runtime::Handle;

use super::driver::Driver;
use super::handlers::{Calls, Handler, Handlers, HasHandlers};
use crate::error::Error;
use crate::machine::Events;

/// A state machine on tokio, and the handlers of its commands.
pub(super) struct Instance<M: HasHandlers> {
    pub(super) driver: Driver<M>,
    handlers: Handlers,
}

impl<M: HasHandlers> Instance<M> {
    /// An instance that does nothing yet. `mode` is the mode of its sockets' files. `events` makes the recorder of all
    /// events, which adds the messages for handlers to the given [`Calls`].
    ///
    /// # Errors
    /// [`Code::HandlerExists`](crate::Code::HandlerExists),
    /// [`Code::RestrictedCommand`](crate::Code::RestrictedCommand).
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub(super) fn new<E: Events + Send + 'static>(
        mut machine: M,
        mode: u32,
        handlers: Vec<(String, Handler)>,
        events: impl FnOnce(Calls) -> E,
    ) -> Result<Instance<M>, Error> {
        let kept = Handlers::default();
        for (command, handler) in handlers {
            kept.add(&mut machine, &command, &handler)?;
        }
        let runtime = Handle::current();
        let (calls, receiver) = Calls::new();
        let driver = Driver::new(machine, mode, runtime.clone(), Box::new(events(calls)));
        receiver.start(&runtime, &driver, kept.clone());
        Ok(Instance { driver, handlers: kept })
    }

    /// Adds a handler for a command.
    ///
    /// # Errors
    /// As [`Instance::new`].
    // The caller drops the handler if this fails, when nothing is locked.
    pub(super) fn add_handler(&self, command: &str, handler: &Handler) -> Result<(), Error> {
        self.driver.with(|io, _, _| self.handlers.add(&mut io.machine, command, handler))
    }

    /// Drops all handlers.
    pub(super) fn drop_handlers(&self) {
        self.handlers.clear();
    }
}
