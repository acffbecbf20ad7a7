//! The options of a client.

use std::future::Future;
use std::time::Duration;

use super::{Common, common_options};
use crate::domain::Domain;
use crate::error::Error;
use crate::protocol::handshake;
use crate::runtime::client::Client;
use crate::runtime::data::Content;
use crate::runtime::handlers::{self, HandlerError};
use crate::runtime::message::Message;
use crate::trust::Others;
use crate::{client, settings};

/// The options of a [`Client`].
#[must_use = "it does nothing until `connect` or `start` is called"]
pub struct ClientBuilder {
    common: Common,
    name: Option<String>,
    queue_limit: usize,
}

impl Client {
    /// The options of a client, to be filled in.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }
}

impl Default for ClientBuilder {
    fn default() -> ClientBuilder {
        ClientBuilder { common: Common::default(), name: None, queue_limit: settings::QUEUE_LIMIT.default }
    }
}

impl ClientBuilder {
    common_options!();

    /// The name under which others reach it; a random one if it is not given.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The most that is kept of what waits to be sent, acknowledged or answered, in bytes; 512 MiB if it is not given. What
    /// is sent beyond it fails with [`Code::QueueFull`](crate::Code::QueueFull), but one message is always taken.
    pub fn queue_limit(mut self, bytes: usize) -> Self {
        self.queue_limit = bytes;
        self
    }

    /// Begins to connect. What is sent is kept until there is a connection.
    ///
    /// # Errors
    /// [`Code::Domain`](crate::Code::Domain), [`Code::HandlerExists`](crate::Code::HandlerExists),
    /// [`Code::RestrictedCommand`](crate::Code::RestrictedCommand), and
    /// [`Code::InvalidArgument`](crate::Code::InvalidArgument) for an option with which nothing could work.
    ///
    /// # Panics
    /// Outside of a tokio runtime with I/O and time enabled.
    pub fn start(mut self) -> Result<Client, Error> {
        let options = client::Options {
            name: name_or_random(self.name)?,
            domain: Domain::new(&self.common.domain)?,
            trust: self.common.trust(),
            limit: settings::MAX_MESSAGE_SIZE.check(self.common.max_message_size)?,
            queue_limit: settings::QUEUE_LIMIT.check(self.queue_limit)?,
            close_timeout: settings::CLOSE_TIMEOUT.check_time(self.common.close_timeout)?,
            parses_texts: false,
        };
        Client::start(options, settings::MODE, self.common.handlers)
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

fn name_or_random(name: Option<String>) -> Result<String, Error> {
    let Some(name) = name else { return Ok(handshake::random_hex()) };
    settings::check_name(&name)?;
    Ok(name)
}
