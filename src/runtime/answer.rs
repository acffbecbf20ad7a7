//! The answer to a delivery, for its caller.

use tokio::sync::oneshot;

use super::data::Data;
use super::handlers::HasHandlers;
use super::instance::Instance;
use super::pending::Pending;
use crate::error::{self, Error};

/// Waits for the answer to the delivery with this number. If the future is dropped before, the delivery is withdrawn.
pub(super) async fn answer<M: HasHandlers>(
    instance: &Instance<M>,
    pending: &Pending,
    request: u64,
    receiver: oneshot::Receiver<Result<Data, Error>>,
) -> Result<Data, Error> {
    let withdrawn = WithdrawnOnDrop { instance, pending, request };
    let answer = receiver.await.unwrap_or_else(|_| Err(error::closed()));
    std::mem::forget(withdrawn);
    answer
}

struct WithdrawnOnDrop<'a, M: HasHandlers> {
    instance: &'a Instance<M>,
    pending: &'a Pending,
    request: u64,
}

impl<M: HasHandlers> Drop for WithdrawnOnDrop<'_, M> {
    fn drop(&mut self) {
        self.instance.driver.step(|io, _, _| io.machine.cancel(self.request));
        self.pending.end_delivery(self.request, Err(error::closed()));
    }
}
