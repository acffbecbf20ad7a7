//! A message as a handler gets it.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::data::Data;
use crate::error::Error;

/// A message as a handler gets it.
#[derive(Clone, Debug)]
pub struct Message {
    pub(super) command: Arc<str>,
    pub(super) from: String,
    pub(super) data: Data,
    pub(super) is_delivery: bool,
    pub(super) redelivered: bool,
}

impl Message {
    /// The command that it came with.
    pub fn command(&self) -> &str {
        &self.command
    }

    /// The name of the client that sent it; empty if it was the server.
    pub fn from(&self) -> &str {
        &self.from
    }

    /// Its content.
    pub fn data(&self) -> &Data {
        &self.data
    }

    /// Its content as a value of a type of one's own.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`](crate::Code::InvalidArgument) if it has another form.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Error> {
        self.data.parse()
    }

    /// Its content as JSON of any form.
    pub fn value(&self) -> Value {
        self.data.value()
    }

    /// Whether the sender waits for the handler's result.
    pub fn is_delivery(&self) -> bool {
        self.is_delivery
    }

    /// Whether a handler may have been called for it before: the server died before it could say so.
    pub fn redelivered(&self) -> bool {
        self.redelivered
    }
}
