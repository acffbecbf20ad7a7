//! The options of a client and of a server, with the same defaults as in JavaScript.

use std::future::Future;
use std::time::Duration;

use super::client::Client;
use super::data::Content;
use super::handlers::{self, Handler, HandlerError};
use super::message::Message;
use super::server::Server;
use crate::domain::{self, Domain};
use crate::error::{Code, Error};
use crate::protocol::{frame, json, message};
use crate::trust::{Others, Trust};
use crate::{client, server};

/// The mode of a socket's file: nobody but its owner.
const MODE: u32 = 0o600;

const MEBIBYTE: usize = 1024 * 1024;

/// Stands for "without end": later times overflow on some systems.
const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The options of a [`Client`].
#[derive(Default)]
#[must_use = "it does nothing until `connect` or `start` is called"]
pub struct ClientBuilder {
    common: Common,
    name: Option<String>,
    queue_limit: Option<usize>,
}

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

struct Common {
    domain: String,
    users: Others,
    max_message_size: usize,
    close_timeout: Duration,
    handlers: Vec<(String, Handler)>,
}

impl Default for Common {
    fn default() -> Common {
        Common {
            domain: domain::DEFAULT.to_owned(),
            users: Others::These(Vec::new()),
            max_message_size: 256 * MEBIBYTE,
            close_timeout: Duration::from_secs(5),
            handlers: Vec::new(),
        }
    }
}

impl Common {
    fn trust(&mut self) -> Trust {
        let others = std::mem::replace(&mut self.users, Others::Any);
        Trust { own: rustix::process::geteuid().as_raw(), others }
    }
}

/// The options that both have.
macro_rules! common_options {
    () => {
        /// The domain, `default` if it is not given.
        pub fn domain(mut self, domain: impl Into<String>) -> Self {
            self.common.domain = domain.into();
            self
        }

        /// Users, beside one's own and root, whose processes may be the other side.
        pub fn allow_users(mut self, users: impl IntoIterator<Item = u32>) -> Self {
            self.common.users = Others::These(users.into_iter().collect());
            self
        }

        /// Lets every user's processes be the other side.
        pub fn allow_any_user(mut self) -> Self {
            self.common.users = Others::Any;
            self
        }

        /// The largest message, in bytes; 256 MiB if it is not given.
        pub fn max_message_size(mut self, bytes: usize) -> Self {
            self.common.max_message_size = bytes;
            self
        }

        /// How long closing waits for what is under way; 5 seconds if it is not given.
        pub fn close_timeout(mut self, timeout: Duration) -> Self {
            self.common.close_timeout = timeout;
            self
        }

        /// Calls an async function for each message with this command. What it returns answers a delivery,
        /// and so does an error. Handlers are called in the order of the messages, and run side by side from
        /// where they first wait.
        pub fn handler<F, R, T, E>(mut self, command: impl Into<String>, function: F) -> Self
        where
            F: Fn(Message) -> R + Send + Sync + 'static,
            R: Future<Output = Result<T, E>> + Send + 'static,
            T: Content,
            E: Into<HandlerError>,
        {
            self.common.handlers.push((command.into(), handlers::handler(function)));
            self
        }
    };
}

impl ClientBuilder {
    common_options!();

    /// The name under which others reach it; a random one if it is not given.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The most that is kept of what waits to be sent, acknowledged or answered, in bytes; 512 MiB if it is not given. What
    /// is sent beyond it fails with [`Code::QueueFull`], but one message is always taken.
    pub fn queue_limit(mut self, bytes: usize) -> Self {
        self.queue_limit = Some(bytes);
        self
    }

    /// Begins to connect. What is sent is kept until there is a connection.
    ///
    /// # Errors
    /// [`Code::Domain`], [`Code::HandlerExists`], [`Code::RestrictedCommand`], and [`Code::InvalidArgument`] for an
    /// option with which nothing could work.
    ///
    /// # Panics
    /// Outside of a tokio runtime with I/O and time enabled.
    pub fn start(mut self) -> Result<Client, Error> {
        let options = client::Options {
            name: self.name.map_or_else(|| Ok(message::random_hex()), checked_name)?,
            domain: Domain::new(&self.common.domain)?,
            trust: self.common.trust(),
            limit: at_least_one("max_message_size", self.common.max_message_size)?,
            queue_limit: at_least_one("queue_limit", self.queue_limit.unwrap_or(512 * MEBIBYTE))?,
            close_timeout: self.common.close_timeout.min(YEAR),
            parses_texts: false,
        };
        Client::start(options, MODE, self.common.handlers)
    }

    /// [`ClientBuilder::start`], then [`Client::connected`].
    ///
    /// # Errors
    /// Those of both.
    ///
    /// # Panics
    /// As [`ClientBuilder::start`].
    pub async fn connect(self) -> Result<Client, Error> {
        let client = self.start()?;
        client.connected().await?;
        Ok(client)
    }
}

impl Default for ServerBuilder {
    fn default() -> ServerBuilder {
        ServerBuilder {
            common: Common::default(),
            mode: MODE,
            max_clients: 65_536,
            handshake_timeout: Duration::from_secs(10),
            slow_consumer_limit: 512 * MEBIBYTE,
            unfinished_limit: 512 * MEBIBYTE,
            max_deliveries: 262_144,
            away_limit: 512 * MEBIBYTE,
            resume_timeout: Duration::from_secs(60),
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
    /// [`Code::TooManyDeliveries`].
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

    /// Starts it: clients can connect when this returns.
    ///
    /// # Errors
    /// `EADDRINUSE` if the domain has a server that lives, [`Code::NotASocket`], the system's errors, and those
    /// of [`ClientBuilder::start`].
    ///
    /// # Panics
    /// Outside of a tokio runtime with I/O and time enabled.
    pub fn start(mut self) -> Result<Server, Error> {
        let options = server::Options {
            domain: Domain::new(&self.common.domain)?,
            trust: self.common.trust(),
            limit: at_least_one("max_message_size", self.common.max_message_size)?,
            max_clients: at_least_one("max_clients", self.max_clients)?,
            handshake_timeout: checked_handshake_timeout(self.handshake_timeout)?,
            slow_consumer_limit: self.slow_consumer_limit,
            unfinished_limit: self.unfinished_limit,
            max_deliveries: at_least_one("max_deliveries", self.max_deliveries)?,
            away_limit: self.away_limit,
            resume_timeout: self.resume_timeout.min(YEAR),
            close_timeout: self.common.close_timeout.min(YEAR),
            parses_texts: false,
        };
        Server::start(options, checked_mode(self.mode)?, self.common.handlers)
    }
}

fn at_least_one(option: &str, value: usize) -> Result<usize, Error> {
    if value == 0 {
        return Err(invalid(format!("{option} must be 1 or more, not 0.")));
    }
    Ok(value)
}

fn checked_name(name: String) -> Result<String, Error> {
    let longest = frame::MAX_NAME;
    // Quotes and control characters take more as JSON, which a handshake has room for.
    let mut text = Vec::new();
    json::write_string(&name, &mut text);
    match text.len() - 2 {
        0 => Err(invalid("The name must not be empty; leave it out for a random one.".into())),
        bytes if bytes > longest => Err(invalid(format!(
            "The name has {bytes} bytes as JSON; use at most {longest}, or leave it out for a random one."
        ))),
        _ => Ok(name),
    }
}

fn checked_handshake_timeout(timeout: Duration) -> Result<Duration, Error> {
    if timeout < Duration::from_millis(1) {
        return Err(invalid(format!("handshake_timeout must be a millisecond or more, not {timeout:?}.")));
    }
    Ok(timeout.min(YEAR))
}

fn checked_mode(mode: u32) -> Result<u32, Error> {
    if mode > 0o777 {
        return Err(invalid(format!("mode must be a file mode from 0 to 0o777, not {mode:#o}.")));
    }
    Ok(mode)
}

fn invalid(message: String) -> Error {
    Error::new(Code::InvalidArgument, message)
}

/// What fails because of [`Client::close`] or [`Server::close`].
pub(super) fn closed() -> Error {
    Error::new(Code::Closed, "This was closed before the call was done; start or connect again, and repeat the call.")
}
