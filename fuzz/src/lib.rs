//! What the fuzz targets have in common: how bytes become decisions, and frames that come close to valid ones.

mod input;
mod pieces;
mod place;
mod wire;

pub use input::Input;
pub use pieces::in_pieces;
pub use place::Place;
pub use wire::{COMMANDS, NAMES, frame, hello, payload, welcome};

#[path = "../../tests/network/mod.rs"]
mod network;

/// A server's options, and a client's, as the tests have them.
pub fn server_options() -> ipcio::driver::server::Options {
    network::server_options()
}

/// See [`server_options`].
pub fn client_options(name: &str) -> ipcio::driver::client::Options {
    network::client_options(name)
}

/// Whom a machine believes to be at the other end.
pub fn peer() -> ipcio::driver::machine::Credentials {
    network::credentials()
}
