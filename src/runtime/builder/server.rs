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
#[must_use = "a server is only made by `start`"]
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
    /// The options of a server, with their defaults.
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

    /// The mode of the socket's file. Default: 0600.
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }

    /// The limit on clients, connected and away together. Default: 65,536. Clients that are away make room for new ones,
    /// first those that have no messages waiting.
    pub fn max_clients(mut self, clients: usize) -> Self {
        self.max_clients = clients;
        self
    }

    /// How long a client may take for the handshake. Default: 10 seconds.
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    /// The limit on messages that wait to be written to one client, in bytes. Default: 512 MiB. A client beyond the limit is
    /// dropped. Messages that were written and not acknowledged have the same limit, or 64 MiB if that is more.
    pub fn slow_consumer_limit(mut self, bytes: usize) -> Self {
        self.slow_consumer_limit = bytes;
        self
    }

    /// The limit on messages of all clients that have arrived in part, in bytes. Default: 512 MiB.
    ///
    /// Half of it is reserved for messages that handlers have just been given. Beyond the other half, only one message above
    /// 64 KiB is read at a time: the one nearest to completion. The others wait in their sockets. If that message makes no
    /// progress for two seconds while others wait, its connection is ended. The client may connect again and resume.
    pub fn unfinished_limit(mut self, bytes: usize) -> Self {
        self.unfinished_limit = bytes;
        self
    }

    /// The limit on deliveries of one client that have no answer yet. Default: 262,144. Further deliveries fail with
    /// [`Code::TooManyDeliveries`](crate::Code::TooManyDeliveries).
    pub fn max_deliveries(mut self, deliveries: usize) -> Self {
        self.max_deliveries = deliveries;
        self
    }

    /// The limit on messages that are kept for all clients together that are away, in bytes. Default: 512 MiB. A broadcast
    /// counts once. Beyond the limit, the client is dropped for which the most has waited for the longest time.
    pub fn away_limit(mut self, bytes: usize) -> Self {
        self.away_limit = bytes;
        self
    }

    /// How long the server keeps the session of a client whose connection broke. Default: 60 seconds.
    pub fn resume_timeout(mut self, timeout: Duration) -> Self {
        self.resume_timeout = timeout;
        self
    }

    /// Starts the server. Clients can connect when this returns.
    ///
    /// # Errors
    /// As [`ClientBuilder::start`](crate::ClientBuilder::start), and:
    ///
    /// - [`Code::System`](crate::Code::System) with `EADDRINUSE` if the domain has a server.
    /// - [`Code::NotASocket`](crate::Code::NotASocket) if another kind of file is at the socket's path.
    /// - [`Code::System`](crate::Code::System) with other codes if the socket cannot be created.
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
