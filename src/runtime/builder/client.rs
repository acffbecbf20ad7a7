//! The options of a client.

use std::future::Future;
use std::time::Duration;

use super::{Common, MEBIBYTE, MODE, YEAR, at_least_one, common_options, invalid};
use crate::client;
use crate::domain::Domain;
use crate::error::Error;
use crate::protocol::{frame, json, message};
use crate::runtime::client::Client;
use crate::runtime::data::Content;
use crate::runtime::handlers::{self, HandlerError};
use crate::runtime::message::Message;
use crate::trust::Others;

/// The options of a [`Client`].
#[derive(Default)]
#[must_use = "it does nothing until `connect` or `start` is called"]
pub struct ClientBuilder {
    common: Common,
    name: Option<String>,
    queue_limit: Option<usize>,
}

impl Client {
    /// The options of a client, to be filled in.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
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
        self.queue_limit = Some(bytes);
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
