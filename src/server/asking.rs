//! What a server asks its clients. It stands among those whose deliveries it passes on, so that the client that is asked
//! sees no difference, whatever its version.

use std::time::Instant;

use super::{Server, check_size};
use crate::commands;
use crate::error::{self, Error};
use crate::log::log;
use crate::machine::{Event, Events, Payload, SessionId};
use crate::protocol::frame::{Frame, Kind};
use crate::time_limits::EXPIRED_AT_ONCE;

/// The server itself, where otherwise a client's session stands: these are numbered from 1.
pub const ITSELF: SessionId = SessionId(0);

impl Server {
    /// Asks the client of a name, under a number that was not used before. [`Event::Answer`] follows, unless the delivery is
    /// [cancelled](Server::cancel) or its [time](Server::limit_time) is over.
    ///
    /// # Errors
    /// [`Code::NoSuchClient`], [`Code::ClientLeft`], [`Code::MessageTooLarge`], [`Code::TooManyDeliveries`],
    /// [`Code::RestrictedCommand`], [`Code::InvalidArgument`], and [`Code::Closed`] unless it is started; nothing is asked then.
    ///
    /// [`Code::ClientLeft`]: crate::error::Code::ClientLeft
    /// [`Code::Closed`]: crate::error::Code::Closed
    /// [`Code::InvalidArgument`]: crate::error::Code::InvalidArgument
    /// [`Code::MessageTooLarge`]: crate::error::Code::MessageTooLarge
    /// [`Code::NoSuchClient`]: crate::error::Code::NoSuchClient
    /// [`Code::RestrictedCommand`]: crate::error::Code::RestrictedCommand
    /// [`Code::TooManyDeliveries`]: crate::error::Code::TooManyDeliveries
    pub fn ask(
        &mut self,
        name: &str,
        command: &str,
        payload: Payload<'_>,
        request: u64,
        now: Instant,
    ) -> Result<(), Error> {
        commands::check(command)?;
        commands::check_length(name)?;
        let (payload, flags) = payload.parts();
        check_size(payload, self.options.limit)?;
        if !self.is_started() {
            return Err(error::closed());
        }
        if self.asks_too_much(ITSELF) {
            return Err(error::too_many_deliveries_of_server(self.options.max_deliveries));
        }
        log!(self.verbose, "SERVER DELIVER", command, "to {name}");
        self.pass_request(
            ITSELF,
            "",
            &Frame { flags, name, command, payload, ..Frame::bare(Kind::Request, request) },
            now,
        )
    }

    /// The time of a delivery that was just asked is over then: [`Event::TimedOut`] follows where it has no answer by then.
    pub fn limit_time(&mut self, request: u64, end: Instant) {
        if self.relays.is_asked(ITSELF, request) {
            self.questions.limits.add(request, end);
        }
    }

    /// The answer to this delivery of the server is no longer needed.
    pub fn cancel(&mut self, request: u64) {
        self.relays.cancel(ITSELF, request);
        self.questions.cancel(request);
    }

    /// A client has answered.
    pub(super) fn answered(&mut self, request: u64, frame: &Frame<'_>, events: &mut dyn Events) {
        self.questions.limits.remove(request);
        let payload = Payload::of(frame);
        let outcome = if frame.kind == Kind::Response { Ok(payload) } else { Err(payload) };
        events.event(Event::Answer { request, outcome });
    }

    /// Ends deliveries whose time is over, and not so many that other work is delayed.
    pub(super) fn expire_questions(&mut self, now: Instant, events: &mut dyn Events) {
        for _ in 0..EXPIRED_AT_ONCE {
            let Some(request) = self.questions.limits.due(now) else { return };
            self.cancel(request);
            events.event(Event::TimedOut { request });
        }
    }

    /// Tells the application which of its deliveries have failed.
    pub(super) fn report_failed(&mut self, events: &mut dyn Events) {
        while let Some((request, failure)) = self.questions.pop() {
            events.event(Event::Answer { request, outcome: Err(Payload::Json(&failure)) });
        }
    }

    /// Waits for no answer any more.
    pub(super) fn abandon_questions(&mut self) {
        for relay in self.relays.forget(ITSELF) {
            self.questions.fail(relay.request, &error::closed());
        }
    }
}
