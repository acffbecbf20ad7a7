//! Messages between the processes of one machine, over Unix domain sockets: fast, and none is lost.
//!
//! A [`Server`] and any number of [`Client`]s share a domain, which is a name. They send each other commands with data, and
//! `deliver` asks for an answer. Programs in Node.js take part in the same domain with the npm package `ipcio`. What is
//! guaranteed, the errors and the protocol are described in the folder `docs` of the repository.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), ipcio::Error> {
//! # let domain = format!("doc-crate-{}", std::process::id());
//! let server = ipcio::Server::builder()
//!     .domain(&domain)
//!     .handler("double", async |message: ipcio::Message| Ok::<_, ipcio::Error>(message.parse::<f64>()? * 2.0))
//!     .start()?;
//! let client = ipcio::Client::builder().domain(&domain).name("alice").connect().await?;
//! assert_eq!(client.deliver("double", 21).await?.parse::<f64>()?, 42.0);
//! # client.close().await?;
//! # server.close().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Layout
//!
//! The core does no I/O and knows no clock, which a lint checks (`clippy.toml`):
//!
//! - `protocol`: bytes to frames and back, for all versions of the protocol, and the queue of outgoing frames.
//! - `client`, `server`: what a client and a server *do*, as state machines.
//! - `machine`: the interface of a state machine: connections, actions, events.
//! - `transport`: the connections of a session: one, or the two of protocol 1.
//! - `sequence`: sequence numbers and acknowledgements of one session, the same on both sides.
//! - `commands`, `domain`, `settings`, `time_limits`, `trust`, `backoff`, `error`, `log`: what both sides
//!   share.
//!
//! Around it:
//!
//! - `io`: carries out the actions of a state machine, with sockets that never block. It does not wait itself.
//! - `runtime`: the driver that waits on tokio, and [`Client`] and [`Server`].
//! - [`driver`]: all of this for other drivers, such as those of the crate `ipcio-node`: the Node addon, in the folder
//!   `node`.

mod backoff;
mod client;
mod commands;
mod domain;
pub mod driver;
mod error;
mod io;
mod log;
mod machine;
mod protocol;
mod runtime;
mod sequence;
mod server;
mod settings;
mod time_limits;
mod transport;
mod trust;

pub use error::{Code, Error, Remote};
pub use machine::Credentials;
pub use runtime::{
    Bytes, Client, ClientBuilder, ClientEvent, ClientInfo, Content, Data, Discovered, EventReceiver, HandlerError,
    Message, Server, ServerBuilder, ServerEvent,
};
