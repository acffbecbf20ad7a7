//! The binding to Node: the classes, the functions for the hot paths, and what drives the state machines there.
//!
//! From the bottom up; no file needs one that needs it:
//!
//! - `memory`: the allocator. `event_kind`, `batch`, `batches`: events on their way to JavaScript. `raw`: Node-API.
//!   `libuv`: the part of it that is needed. `console`: what `verbose` prints.
//! - `thread`: the thread driver. `event_loop`: the loop driver, which serves sources. `processors`: whether polling is
//!   of use. Both drivers call a `dispatch`.
//! - `loop_registry`, `loop_endpoint`: a state machine's sockets under the loop driver, and the machine itself.
//!   `endpoint`: a machine with either driver.
//! - `cork`: when queued messages are written. `role`: a client or a server. `instance`: the native side of a Client or
//!   Server object.
//! - `environment`: the instances of each environment of Node.
//! - `functions`: the functions that JavaScript calls for every message. `options`, `native`, `classes`: `Server` and `Client`, made
//!   with napi-rs. `constants`: the facts that JavaScript shares.

mod batch;
mod batches;
pub mod classes;
mod console;
pub mod constants;
mod cork;
mod dispatch;
mod endpoint;
mod environment;
mod event_kind;
mod event_loop;
mod functions;
mod instance;
mod libuv;
mod loop_endpoint;
mod loop_registry;
mod memory;
mod native;
mod options;
mod processors;
mod raw;
mod role;
mod thread;
