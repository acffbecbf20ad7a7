//! For those who write a driver of their own: the state machines, their sockets, and the driver on tokio.
//!
//! A program that sends messages needs none of it: see [`Client`](crate::Client) and [`Server`](crate::Server). What is
//! here follows the machines, and changes with them in minor versions.
//!
//! A driver owns an [`io::Io`] with a machine in it ([`client::Client`] or [`server::Server`]) and a
//! [`io::Registry`] that says when sockets are ready. It calls `readable`, `writable` and `acceptable` when they are,
//! `elapsed` when the machine's deadline has passed, and `flush` after each. Events go to its [`machine::Events`].
//! [`Driver`] does that on tokio, and the crate `ipcio-node` on Node's event loop.

pub use crate::runtime::{Driver, TokioConnectionWatch, TokioFileWatch, TokioListenerWatch, TokioRegistry, WeakDriver};

/// What a client does, as a state machine.
pub mod client {
    pub use crate::client::*;
}

/// The commands that an instance handles.
pub mod commands {
    pub use crate::commands::*;
}

/// A domain, and the sockets that follow from its name.
pub mod domain {
    pub use crate::domain::*;
}

/// Carries out what a state machine wants, with sockets that never block.
pub mod io {
    pub use crate::io::*;
}

/// Sequence numbers and acknowledgements of one session, the same on both sides.
pub mod sequence {
    pub use crate::sequence::*;
}

/// What a state machine takes and gives: connections, actions, events.
pub mod machine {
    pub use crate::machine::*;
}

/// Bytes to messages and back, for all versions of the wire.
pub mod protocol {
    pub use crate::protocol::*;
}

/// What a server does, as a state machine.
pub mod server {
    pub use crate::server::*;
}

/// Options: their defaults and limits.
pub mod settings {
    pub use crate::settings::*;
}

/// Whether the process at the other end may be there.
pub mod trust {
    pub use crate::trust::*;
}
