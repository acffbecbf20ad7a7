//! What the drivers call when events have gathered.

/// Hands events to JavaScript.
pub(crate) trait Dispatch {
    /// Hands over all events, and writes what that leads to.
    fn dispatch(&self);
}
