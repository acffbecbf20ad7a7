//! What an instance is made with.

#![allow(unreachable_pub, reason = "napi-derive asks for it")]
#![allow(missing_docs, reason = "napi-derive writes items without; index.d.ts documents what users see")]

use std::time::Duration;

use napi_derive::napi;

use ipcio::Error;
use ipcio::driver::client::{self, Client};
use ipcio::driver::domain::Domain;
use ipcio::driver::protocol::handshake;
use ipcio::driver::server::{self, Server};
use ipcio::driver::settings::{self, LONGEST_TIME, Setting};
use ipcio::driver::trust::{Others, Trust};

/// How long the loop driver polls before it waits, in microseconds.
pub(crate) const BUSY_POLL: Setting = Setting { name: "busy_poll", default: 50, least: 0 };

/// Polling for longer than this would gain nothing, and cost the loop's other users.
pub(crate) const LONGEST_BUSY_POLL: Duration = Duration::from_millis(1);

/// What an instance is made with. `lib/options.js` has filled in the defaults. Times are in milliseconds.
#[napi(object, object_to_js = false)]
pub struct Options {
    pub domain: String,
    pub name: Option<String>,
    pub verbose: bool,
    /// Whether the loop driver is used.
    pub on_loop: bool,
    pub mode: u32,
    pub allow_any_user: bool,
    pub allow_users: Vec<u32>,
    pub max_message_size: f64,
    pub max_clients: f64,
    pub queue_limit: f64,
    pub handshake_timeout: f64,
    pub slow_consumer_limit: f64,
    pub unfinished_limit: f64,
    pub max_deliveries: f64,
    pub away_limit: f64,
    pub resume_timeout: f64,
    pub close_timeout: f64,
    /// In microseconds.
    pub busy_poll: f64,
}

impl Options {
    /// A server.
    pub(crate) fn server(&self) -> Result<Server, Error> {
        self.check_name()?;
        let mut server = Server::new(server::Options {
            domain: Domain::new(&self.domain)?,
            trust: self.trust(),
            limit: self.max_message_size as usize,
            max_clients: self.max_clients as usize,
            handshake_timeout: milliseconds(self.handshake_timeout),
            slow_consumer_limit: self.slow_consumer_limit as usize,
            unfinished_limit: self.unfinished_limit as usize,
            max_deliveries: self.max_deliveries as usize,
            away_limit: self.away_limit as usize,
            resume_timeout: milliseconds(self.resume_timeout),
            close_timeout: milliseconds(self.close_timeout),
            parses_texts: true,
        });
        server.verbose = self.verbose;
        Ok(server)
    }

    /// A client.
    pub(crate) fn client(&self) -> Result<Client, Error> {
        self.check_name()?;
        let mut client = Client::new(client::Options {
            name: self.name.clone().unwrap_or_else(handshake::random_hex),
            domain: Domain::new(&self.domain)?,
            trust: self.trust(),
            limit: self.max_message_size as usize,
            queue_limit: self.queue_limit as usize,
            close_timeout: milliseconds(self.close_timeout),
            parses_texts: true,
        });
        client.verbose = self.verbose;
        Ok(client)
    }

    fn check_name(&self) -> Result<(), Error> {
        self.name.as_deref().map_or(Ok(()), settings::check_name)
    }

    fn trust(&self) -> Trust {
        let others = if self.allow_any_user { Others::Any } else { Others::These(self.allow_users.clone()) };
        Trust { own: rustix::process::geteuid().as_raw(), others }
    }
}

fn milliseconds(number: f64) -> Duration {
    Duration::from_secs_f64(number.clamp(0.0, LONGEST_TIME.as_secs_f64() * 1000.0) / 1000.0)
}
