//! The parts of a driver: the state machines, their sockets, and the driver on tokio.
//!
//! Programs that send messages use [`Client`](crate::Client) and [`Server`](crate::Server) instead. This module is for
//! another driver, such as the one in the crate `ipcio-node`. It may change in minor versions.
//!
//! A driver owns an [`io::Io`], which contains a machine ([`client::Client`] or [`server::Server`]) and the driver's
//! [`io::Registry`]. The registry watches sockets. When a socket is ready, the driver calls [`io::Io::readable`],
//! [`io::Io::writable`] or [`io::Io::acceptable`]. When the deadline has passed, it calls [`io::Io::elapsed`]. After each of
//! these, it calls [`io::Io::flush`]. Events go to the driver's [`machine::Events`]. [`Driver`] does this on tokio.

pub use crate::runtime::{Driver, TokioConnectionWatch, TokioFileWatch, TokioListenerWatch, TokioRegistry, WeakDriver};

/// A client, as a state machine.
pub mod client {
    pub use crate::client::*;
}

/// The commands that an instance handles.
pub mod commands {
    pub use crate::commands::*;
}

/// A domain, and the paths of its sockets.
pub mod domain {
    pub use crate::domain::*;
}

/// Carries out the actions of a state machine, with sockets that do not block.
pub mod io {
    pub use crate::io::*;
}

/// Sequence numbers and acknowledgements of one session, the same on both sides.
pub mod sequence {
    pub use crate::sequence::*;
}

/// The interface of a state machine: connections, actions, events.
pub mod machine {
    pub use crate::machine::*;
}

/// Bytes to messages and back, for all versions of the protocol.
pub mod protocol {
    pub use crate::protocol::*;
}

/// A server, as a state machine.
pub mod server {
    pub use crate::server::*;
}

/// The options: their defaults and limits.
pub mod settings {
    pub use crate::settings::*;
}

/// Which users the other side of a connection may run as.
pub mod trust {
    pub use crate::trust::*;
}
