//! The driver on tokio, and the crate's [`Client`] and [`Server`].
//!
//! [`Driver`] runs any state machine. The other modules are the API for Rust programs.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the runtime uses sockets, the clock and threads"
)]

mod answer;
mod builder;
mod client;
mod data;
mod driver;
mod events;
mod files;
mod handlers;
mod instance;
mod listing;
mod message;
mod pending;
mod registry;
mod server;
mod task;

pub use builder::{ClientBuilder, ServerBuilder};
pub use client::{Client, Discovered};
pub use data::{Bytes, Content, Data};
pub use driver::{Driver, WeakDriver};
pub use events::{ClientEvent, EventReceiver, ServerEvent};
pub use files::TokioFileWatch;
pub use handlers::HandlerError;
pub use listing::ClientInfo;
pub use message::Message;
pub use registry::{TokioConnectionWatch, TokioListenerWatch, TokioRegistry};
pub use server::Server;
