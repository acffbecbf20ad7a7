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
//! Around it:
//!
//! - [`runtime`]: the state machines on tokio, and the classes of the Rust crate.

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
