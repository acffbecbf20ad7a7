//! Carries out the actions of a state machine: sockets, reads and writes. It never waits. Its driver tells it which sockets
//! are ready.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this module uses sockets, files and the clock"
)]

mod connection;
mod listener;
mod lock;
mod monitor;
mod notices;
mod registry;
mod socket;
mod sockets;
mod users;

pub use notices::{Change, FileNotices, FileWatch};
pub use registry::{ConnectionWatch, Progress, Registry};
pub use sockets::{Io, READ_BUFFER};

#[cfg(test)]
mod tests;
