//! The state machines on tokio.

mod driver;
mod registry;

pub use driver::Driver;
pub use registry::TokioRegistry;
