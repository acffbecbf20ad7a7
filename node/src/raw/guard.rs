//! Where C calls Rust.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `body` at the boundary to C, which no panic may cross.
pub(crate) fn guard<T>(fallback: T, body: impl FnOnce() -> T) -> T {
    // A panic is a defect of this addon. Its message has been printed by the panic hook.
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(fallback)
}
