//! The binding to Node: the classes, the functions for the hot paths, and what drives the state machines there.
//!
//! - `classes`: `Server` and `Client`, made with napi-rs; `calls`: the raw functions beside them.
//! - `instance`, `endpoint`, `environment`: what JavaScript's objects stand for.
//! - `event_loop`, `loop_registry`, `libuv`: the loop driver; `busy_poll`, `processors`: when it polls before it waits.
//! - `thread`: the thread driver.
//! - `memory`: the allocator. `batch`: events on their way to JavaScript. `console`: what `verbose` shows. `raw`: Node-API.

mod batch;
mod busy_poll;
mod calls;
pub mod classes;
mod console;
mod endpoint;
mod environment;
mod event_loop;
mod instance;
mod libuv;
mod loop_registry;
mod memory;
mod processors;
mod raw;
mod thread;
