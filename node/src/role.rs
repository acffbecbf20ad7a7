//! What an instance is: a client or a server.

use std::path::PathBuf;
use std::time::Instant;

use crate::cork::Limits;
use crate::endpoint::Endpoint;
use ipcio::driver::client::Client;
use ipcio::driver::commands::Commands;
use ipcio::driver::machine::{Events, Machine, Payload, SessionId};
use ipcio::driver::server::Server;

/// A client or a server, under either driver.
#[derive(Debug)]
pub(crate) enum Role {
    Client(Endpoint<Client>),
    Server(Endpoint<Server>),
}

/// What the state machines of both classes can do.
pub(crate) trait Class: Machine + Send + Sized + 'static {
    fn role(endpoint: Endpoint<Self>) -> Role;

    /// The endpoint, if the role is of this class.
    fn of(role: &Role) -> Option<&Endpoint<Self>>;

    /// Where the server listens.
    fn path(&self) -> PathBuf;

    fn is_started(&self) -> bool;

    /// Whether it keeps the process alive.
    fn is_active(&self) -> bool;

    fn set_verbose(&mut self, verbose: bool);

    fn commands(&mut self) -> &mut Commands;

    /// What may be gathered of its messages.
    fn limits(&self) -> Limits;

    /// Answers a delivery that came on this session.
    fn respond(&mut self, session: SessionId, request: u64, outcome: Result<Payload<'_>, Payload<'_>>);

    /// The answer to the delivery with this number is no longer needed.
    fn cancel(&mut self, request: u64);

    /// Stops; an event says when that is done.
    fn close(&mut self, now: Instant, events: &mut dyn Events);
}

impl Class for Client {
    fn role(endpoint: Endpoint<Client>) -> Role {
        Role::Client(endpoint)
    }

    fn of(role: &Role) -> Option<&Endpoint<Client>> {
        match role {
            Role::Client(client) => Some(client),
            Role::Server(_) => None,
        }
    }

    fn path(&self) -> PathBuf {
        Client::path(self)
    }

    fn is_started(&self) -> bool {
        Client::is_started(self)
    }

    fn is_active(&self) -> bool {
        Client::is_active(self)
    }

    fn set_verbose(&mut self, verbose: bool) {
        self.verbose = verbose;
    }

    fn commands(&mut self) -> &mut Commands {
        Client::commands(self)
    }

    fn limits(&self) -> Limits {
        Limits { verbose: self.verbose, message: self.limit(), queue: self.queue_space() }
    }

    fn respond(&mut self, _: SessionId, request: u64, outcome: Result<Payload<'_>, Payload<'_>>) {
        Client::respond(self, request, outcome);
    }

    fn cancel(&mut self, request: u64) {
        Client::cancel(self, request);
    }

    fn close(&mut self, now: Instant, events: &mut dyn Events) {
        Client::close(self, now, events);
    }
}

impl Class for Server {
    fn role(endpoint: Endpoint<Server>) -> Role {
        Role::Server(endpoint)
    }

    fn of(role: &Role) -> Option<&Endpoint<Server>> {
        match role {
            Role::Server(server) => Some(server),
            Role::Client(_) => None,
        }
    }

    fn path(&self) -> PathBuf {
        Server::path(self)
    }

    fn is_started(&self) -> bool {
        Server::is_started(self)
    }

    fn is_active(&self) -> bool {
        Server::is_started(self) || self.is_closing()
    }

    fn set_verbose(&mut self, verbose: bool) {
        self.verbose = verbose;
    }

    fn commands(&mut self) -> &mut Commands {
        Server::commands(self)
    }

    fn limits(&self) -> Limits {
        Limits { verbose: self.verbose, message: usize::MAX, queue: usize::MAX }
    }

    fn respond(&mut self, session: SessionId, request: u64, outcome: Result<Payload<'_>, Payload<'_>>) {
        Server::respond(self, session, request, outcome);
    }

    fn cancel(&mut self, request: u64) {
        Server::cancel(self, request);
    }

    fn close(&mut self, now: Instant, events: &mut dyn Events) {
        Server::close(self, now, events);
    }
}
