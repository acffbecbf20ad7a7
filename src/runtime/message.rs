//! A message for a handler.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::data::Data;
use crate::error::Error;
use crate::machine::Credentials;

/// A message, as a handler receives it.
#[derive(Clone, Debug)]
pub struct Message {
    pub(super) command: Arc<str>,
    pub(super) from: String,
    pub(super) peer: Option<Credentials>,
    pub(super) data: Data,
    pub(super) is_delivery: bool,
    pub(super) redelivered: bool,
}

impl Message {
    /// The command of the message.
    pub fn command(&self) -> &str {
        &self.command
    }

    /// The name of the client that sent the message; empty if the server sent it.
    pub fn from(&self) -> &str {
        &self.from
    }

    /// On a server: the process that sent the message, as the system reports it. `None` on a client.
    ///
    /// ```
    /// # async fn example() -> Result<(), ipcio::Error> {
    /// let server = ipcio::Server::builder()
    ///     .handler("who", async |message: ipcio::Message| Ok::<_, ipcio::Error>(message.peer().map(|peer| peer.pid)))
    ///     .start()?;
    /// # server.close().await
    /// # }
    /// ```
    pub fn peer(&self) -> Option<Credentials> {
        self.peer
    }

    /// The content.
    pub fn data(&self) -> &Data {
        &self.data
    }

    /// Parses the content, see [`Data::parse`].
    ///
    /// # Errors
    /// [`Code::InvalidArgument`](crate::Code::InvalidArgument) if the content does not have the form of `T`. A handler can
    /// return this error with `?`, and the sender receives it.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Error> {
        self.data.parse()
    }

    /// The content as JSON, see [`Data::value`].
    pub fn value(&self) -> Value {
        self.data.value()
    }

    /// Whether the sender waits for the handler's result.
    pub fn is_delivery(&self) -> bool {
        self.is_delivery
    }

    /// Whether a handler may have been called with this message before. That can happen if the receiver died, or the server,
    /// before the message was acknowledged.
    pub fn redelivered(&self) -> bool {
        self.redelivered
    }
}
