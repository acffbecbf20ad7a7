//! The few calls of Node-API that are made directly, because they are made for every message or every batch.
//! A call that fails (during termination all do) is tolerated: it gives nothing, and never panics.

mod arguments;
mod buffer;
mod callback;
mod env;
mod guard;
mod scope;

pub(crate) use arguments::Arguments;
pub(crate) use buffer::SCAVENGED;
pub(crate) use callback::Callback;
pub(crate) use env::{Env, finish_cleanup};
pub(crate) use guard::guard;
pub(crate) use scope::Scope;
