//! The options of a client and of a server. They have the same defaults as in JavaScript.

mod client;
mod server;

pub use client::ClientBuilder;
pub use server::ServerBuilder;

use std::time::Duration;

use super::handlers::Handler;
use crate::trust::{Others, Trust};
use crate::{domain, settings};

/// The options that clients and servers have.
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
            max_message_size: settings::MAX_MESSAGE_SIZE.default,
            close_timeout: settings::CLOSE_TIMEOUT.default_time(),
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

/// The methods that set these options.
macro_rules! common_options {
    () => {
        /// The name of the domain, which the server and its clients share. Default: `default`.
        pub fn domain(mut self, domain: impl Into<String>) -> Self {
            self.common.domain = domain.into();
            self
        }

        /// The ids of the users whose processes may be the other side, in addition to this process's user and root.
        pub fn allow_users(mut self, users: impl IntoIterator<Item = u32>) -> Self {
            self.common.users = Others::These(users.into_iter().collect());
            self
        }

        /// Allows the processes of every user to be the other side.
        pub fn allow_any_user(mut self) -> Self {
            self.common.users = Others::Any;
            self
        }

        /// The largest message, in bytes. Default: 256 MiB.
        pub fn max_message_size(mut self, bytes: usize) -> Self {
            self.common.max_message_size = bytes;
            self
        }

        /// How long `close` waits for messages that are under way. Default: 5 seconds.
        pub fn close_timeout(mut self, timeout: Duration) -> Self {
            self.common.close_timeout = timeout;
            self
        }

        /// Calls an async function for each message with this command. If the message is a delivery, the sender receives
        /// the value or the error that the function returns.
        ///
        /// Handlers are called in the order of the messages. A handler that waits does not delay the next messages:
        /// it continues in a task of its own.
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

use common_options;
