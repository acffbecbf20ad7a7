//! What a server knows of the deliveries that it asks itself, beside what it knows of all that it passes on.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::error::Error;
use crate::time_limits::TimeLimits;

/// Those of its own deliveries whose time is limited, and those that have failed.
#[derive(Debug, Default)]
pub(super) struct Questions {
    pub(super) limits: TimeLimits,
    /// By their numbers, with what a failure frame says, until the application is told.
    failures: BTreeMap<u64, Arc<Vec<u8>>>,
}

impl Questions {
    /// This one will not be answered.
    pub(super) fn fail(&mut self, request: u64, error: &Error) {
        self.fail_as(request, &Arc::new(error.to_json()));
    }

    /// The same, where many fail for one reason.
    pub(super) fn fail_as(&mut self, request: u64, failure: &Arc<Vec<u8>>) {
        self.limits.remove(request);
        self.failures.insert(request, Arc::clone(failure));
    }

    /// The application does not wait for this one any more.
    pub(super) fn cancel(&mut self, request: u64) {
        self.limits.remove(request);
        self.failures.remove(&request);
    }

    /// Takes out the next that has failed.
    pub(super) fn pop(&mut self) -> Option<(u64, Arc<Vec<u8>>)> {
        self.failures.pop_first()
    }

    /// Failures that the application has not been told of.
    pub(super) fn failed(&self) -> usize {
        self.failures.len()
    }
}
