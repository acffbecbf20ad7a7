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
#[must_use = "a client is only made by `connect` or `start`"]
pub struct ClientBuilder {
    common: Common,
    name: Option<String>,
    queue_limit: usize,
}

impl Client {
    /// The options of a client, with their defaults.
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

    /// The name of the client, under which others reach it: at most 65,535 bytes as JSON. Default: a random name.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The limit on messages that wait to be sent, acknowledged or answered, in bytes. Default: 512 MiB. Messages beyond the
    /// limit fail with [`Code::QueueFull`](crate::Code::QueueFull). An empty queue takes one message, even if it is larger.
    pub fn queue_limit(mut self, bytes: usize) -> Self {
        self.queue_limit = bytes;
        self
    }

    /// Starts to connect, and returns at once. The client keeps messages until it is connected.
    ///
    /// # Errors
    /// - [`Code::Domain`](crate::Code::Domain) if the domain cannot be the name of a socket.
    /// - [`Code::HandlerExists`](crate::Code::HandlerExists) if a command has two handlers.
    /// - [`Code::RestrictedCommand`](crate::Code::RestrictedCommand) if the protocol uses a command.
    /// - [`Code::InvalidArgument`](crate::Code::InvalidArgument) if an option has an invalid value.
    ///
    /// # Panics
    /// Outside of a tokio runtime with I/O and time enabled.
    pub fn start(mut self) -> Result<Client, Error> {
        let machine = client::Client::new(self.options()?);
        Client::start(machine, settings::MODE, self.common.handlers)
    }

    /// [`ClientBuilder::start`], then [`Client::connected`].
    ///
    /// # Errors
    /// As for both.
    ///
    /// # Panics
    /// As [`ClientBuilder::start`].
    pub async fn connect(self) -> Result<Client, Error> {
        let client = self.start()?;
        client.connected().await?;
        Ok(client)
    }

    fn options(&mut self) -> Result<client::Options, Error> {
        Ok(client::Options {
            name: name_or_random(self.name.take())?,
            domain: Domain::new(&self.common.domain)?,
            trust: self.common.trust(),
            limit: settings::MAX_MESSAGE_SIZE.check(self.common.max_message_size)?,
            queue_limit: settings::QUEUE_LIMIT.check(self.queue_limit)?,
            close_timeout: settings::CLOSE_TIMEOUT.check_time(self.common.close_timeout)?,
            parses_texts: false,
        })
    }
}

fn name_or_random(name: Option<String>) -> Result<String, Error> {
    let Some(name) = name else { return Ok(handshake::random_hex()) };
    settings::check_name(&name)?;
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backoff::Backoff;
    use crate::runtime::server::Server;

    /// Whatever takes longer than this does not come.
    const SOON: Duration = Duration::from_secs(20);

    /// Longer than any test takes.
    const LONG: Duration = Duration::from_secs(3600);

    /// A client that tries to connect once, and again only where something makes it.
    fn patient(domain: &str, name: &str) -> Client {
        let mut builder = Client::builder().domain(domain).name(name);
        let mut machine = client::Client::new(builder.options().unwrap());
        machine.set_backoff(Backoff::constant(LONG));
        Client::start(machine, settings::MODE, builder.common.handlers).unwrap()
    }

    #[tokio::test]
    async fn clients_that_wait_are_connected_as_soon_as_their_server_starts() {
        let domain = format!("waiting-{}", std::process::id());
        let clients: Vec<Client> = (0..200).map(|number| patient(&domain, &format!("client-{number}"))).collect();
        assert!(clients.iter().all(|client| client.waits_for().is_some()));
        // A closed client watches for no socket.
        clients[0].close().await.unwrap();
        for _ in 0..2 {
            let server = Server::builder().domain(&domain).start().unwrap();
            for client in &clients[1..] {
                tokio::time::timeout(SOON, client.connected()).await.expect("it notices").unwrap();
            }
            assert_eq!(clients[1].discover().await.unwrap().clients.len(), clients.len() - 1);
            // It ends as one that is killed.
            drop(server);
            for client in &clients[1..] {
                while client.is_connected() {
                    tokio::task::yield_now().await;
                }
            }
        }
        for client in clients {
            client.close().await.unwrap();
        }
    }
}
