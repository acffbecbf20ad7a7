//! Inter-process communication over Unix domain sockets.
//!
//! # Layout
//!
//! The core does no I/O and knows no clock:
//!
//! - [`protocol`]: bytes to messages and back, for both protocols, and the queue of what goes out.
//! - [`client`], [`server`]: what a client and a server *do*, as state machines.
//! - [`machine`]: what a state machine takes and gives: connections, actions, events.
//! - [`link`]: sequence numbers and acknowledgements of one session, the same on both sides.
//!
//! - [`commands`], [`domain`], [`trust`], [`backoff`], [`error`]: the nouns that both sides share.
//!
//! Around it:
//!
//! - [`io`]: carries out what a state machine wants, with sockets that never block. It waits for nothing itself.
//! - [`runtime`]: the driver that waits on tokio, and [`Client`] and [`Server`], the classes of the Rust crate.
//! - `node`: the Node addon, with the feature of that name: the driver that waits on Node's event loop, and the
//!   binding. The only place with napi.

pub mod backoff;
pub mod client;
pub mod commands;
pub mod domain;
pub mod error;
pub mod io;
pub mod link;
pub mod machine;
mod narration;
#[cfg(feature = "node")]
mod node;
pub mod protocol;
pub mod runtime;
pub mod server;
pub mod trust;

pub use error::{Code, Error};
pub use runtime::{Bytes, Client, Content, Data, Message, Server};
