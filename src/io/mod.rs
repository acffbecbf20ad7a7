//! Carries out what a state machine wants: sockets, reads and writes. It waits for nothing itself: its driver
//! tells it what is ready, be that Node's event loop or tokio.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "it has the sockets, the clock and the threads"
)]

mod connection;
mod guard;
mod listener;
mod lock;
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
