//! The options of a server.

use std::future::Future;
use std::time::Duration;

use super::{Common, common_options};
use crate::domain::Domain;
use crate::error::Error;
use crate::runtime::data::Content;
use crate::runtime::handlers::{self, HandlerError};
use crate::runtime::message::Message;
use crate::runtime::server::Server;
use crate::trust::Others;
use crate::{server, settings};

/// The options of a [`Server`].
#[must_use = "it does nothing until `start` is called"]
pub struct ServerBuilder {
    common: Common,
    mode: u32,
    max_clients: usize,
    handshake_timeout: Duration,
    slow_consumer_limit: usize,
    unfinished_limit: usize,
    max_deliveries: usize,
    away_limit: usize,
    resume_timeout: Duration,
}

impl Server {
    /// The options of a server, to be filled in.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::default()
    }
}

impl Default for ServerBuilder {
    fn default() -> ServerBuilder {
        ServerBuilder {
            common: Common::default(),
            mode: settings::MODE,
            max_clients: settings::MAX_CLIENTS.default,
            handshake_timeout: settings::HANDSHAKE_TIMEOUT.default_time(),
            slow_consumer_limit: settings::SLOW_CONSUMER_LIMIT.default,
            unfinished_limit: settings::UNFINISHED_LIMIT.default,
            max_deliveries: settings::MAX_DELIVERIES.default,
            away_limit: settings::AWAY_LIMIT.default,
            resume_timeout: settings::RESUME_TIMEOUT.default_time(),
        }
    }
}

impl ServerBuilder {
    common_options!();

    /// The mode of the socket's file; 0600 if it is not given.
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }

    /// The most clients at a time, connected and away together; 65,536 if it is not given. A client that is away gives its
    /// place up to one that comes, those for which nothing waits first.
    pub fn max_clients(mut self, clients: usize) -> Self {
        self.max_clients = clients;
        self
    }

    /// How long a client may take to say who it is; 10 seconds if it is not given.
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    /// Bytes that may wait to be written to one client before it is dropped; 512 MiB if it is not given. What was written
    /// and not acknowledged may be as much again, and 64 MiB in any case.
    pub fn slow_consumer_limit(mut self, bytes: usize) -> Self {
        self.slow_consumer_limit = bytes;
        self
    }

    /// Bytes of messages that have begun to arrive and are not complete, of all connections; 512 MiB if it is not given.
    /// Half of it is kept free for what handlers have just been given. Beyond the other half, of messages above 64 KiB only
    /// the one nearest to completion is read and the others wait in their sockets; one that does not go on for two seconds
    /// while others wait loses its connection, and may resume.
    pub fn unfinished_limit(mut self, bytes: usize) -> Self {
        self.unfinished_limit = bytes;
        self
    }

    /// Deliveries of one client that nobody has answered; 262,144 if it is not given. Further ones fail with
    /// [`Code::TooManyDeliveries`](crate::Code::TooManyDeliveries).
    pub fn max_deliveries(mut self, deliveries: usize) -> Self {
        self.max_deliveries = deliveries;
        self
    }

    /// Bytes that may be kept for all clients together that are away, a broadcast counted once; 512 MiB if it is not given.
    /// Beyond it, the client for which the most has waited for the longest time is dropped.
    pub fn away_limit(mut self, bytes: usize) -> Self {
        self.away_limit = bytes;
        self
    }

    /// How long a client whose connection broke is expected back; a minute if it is not given.
    pub fn resume_timeout(mut self, timeout: Duration) -> Self {
        self.resume_timeout = timeout;
        self
    }

    /// Starts the server: clients can connect when this returns.
    ///
    /// # Errors
    /// `EADDRINUSE` if the domain has a server that lives, [`Code::NotASocket`](crate::Code::NotASocket), the system's
    /// errors, and those of [`ClientBuilder::start`](crate::ClientBuilder::start).
    ///
    /// # Panics
    /// Outside of a tokio runtime with I/O and time enabled.
    pub fn start(mut self) -> Result<Server, Error> {
        let options = server::Options {
            domain: Domain::new(&self.common.domain)?,
            trust: self.common.trust(),
            limit: settings::MAX_MESSAGE_SIZE.check(self.common.max_message_size)?,
            max_clients: settings::MAX_CLIENTS.check(self.max_clients)?,
            handshake_timeout: settings::HANDSHAKE_TIMEOUT.check_time(self.handshake_timeout)?,
            slow_consumer_limit: settings::SLOW_CONSUMER_LIMIT.check(self.slow_consumer_limit)?,
            unfinished_limit: settings::UNFINISHED_LIMIT.check(self.unfinished_limit)?,
            max_deliveries: settings::MAX_DELIVERIES.check(self.max_deliveries)?,
            away_limit: settings::AWAY_LIMIT.check(self.away_limit)?,
            resume_timeout: settings::RESUME_TIMEOUT.check_time(self.resume_timeout)?,
            close_timeout: settings::CLOSE_TIMEOUT.check_time(self.common.close_timeout)?,
            parses_texts: false,
        };
        Server::start(options, settings::check_mode(self.mode)?, self.common.handlers)
    }
}
