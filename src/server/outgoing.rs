//! What a server queues for its clients.

use super::backlog::Broadcast;
use super::dropped::Receiver;
use super::overflowing::Overflowing;
use super::schedule::{self, Schedule};
use super::session::Session;
use super::{Connection, Options, Server, check_size};
use crate::error::{self, Error};
use crate::log::log;
use crate::machine::{ConnectionId, Event, Events, Machine, SessionId};
use crate::protocol::ProtocolError;
use crate::protocol::frame::{EXTENDED_SINCE, Frame, Kind};

impl Server {
    /// Queues a frame for a client. Its size has been checked.
    pub(super) fn push(&mut self, id: SessionId, frame: &Frame<'_>) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let frame = frame.for_version(session.version);
        if session.is_away() {
            self.away.note(id, &mut session.sequence.outbox);
            self.away.queued(id, frame.size());
        }
        session.sequence.outbox.push(&frame);
        queued(session, id, &mut self.schedule, &mut self.overflowing, &self.options);
    }

    /// Queues a frame for all clients; it is encoded once, and stored once for all that are away, and for all where it is
    /// large. Where it `may_wait`, it is not written to those who have much to read already before there is more of it, or
    /// they have dealt with some: many small writes cost both sides more.
    pub(super) fn push_to_all(&mut self, frame: &Frame<'_>, except: Option<SessionId>, may_wait: bool) {
        let broadcast = Broadcast::new(frame);
        let older = (!frame.extension.is_empty()).then(|| Broadcast::new(&Frame { extension: b"", ..*frame }));
        let mut too_large = Vec::new();
        let mut give = |id: SessionId, session: &mut Session| {
            if Some(id) == except || !session.is_connected() {
                return;
            }
            if frame.payload.len() > session.limit {
                too_large.push((id, session.name.clone()));
            } else {
                let waits = may_wait && schedule::is_behind(session);
                let older = older.as_ref().filter(|_| session.version < EXTENDED_SINCE);
                match older.unwrap_or(&broadcast) {
                    Broadcast::Small(bytes) => session.sequence.outbox.push_encoded(bytes),
                    Broadcast::Large(shared) => session.sequence.outbox.push_shared(shared),
                }
                if !waits {
                    queued(session, id, &mut self.schedule, &mut self.overflowing, &self.options);
                }
            }
        };
        if self.away.len() <= self.sessions.len() / 2 {
            self.sessions.iter_mut().for_each(|(&id, session)| give(id, session));
        } else {
            // Those that are away are not even looked at.
            let mut connected: Vec<_> = self.connections.values().filter_map(Connection::session).collect();
            connected.sort_unstable();
            connected.dedup();
            connected.into_iter().for_each(|id| {
                if let Some(session) = self.sessions.get_mut(&id) {
                    give(id, session);
                }
            });
        }
        for (id, name) in too_large {
            self.drop_message(id, name, frame.payload.len());
        }
        if !self.away.is_empty() {
            self.store(frame, &broadcast, except);
        }
    }

    /// Stores a broadcast for those that are away.
    fn store(&mut self, frame: &Frame<'_>, broadcast: &Broadcast, except: Option<SessionId>) {
        let mut others: Vec<SessionId> = self.away.limited_below(frame.payload.len()).collect();
        let is_older = |session: &Session| session.is_away() && session.version < EXTENDED_SINCE;
        if !frame.extension.is_empty() {
            others.extend(self.sessions.iter().filter(|(_, session)| is_older(session)).map(|(&id, _)| id));
        }
        others.extend(except);
        others.sort_unstable();
        others.dedup();
        for &id in &others {
            if let Some(session) = self.sessions.get_mut(&id) {
                self.away.note(id, &mut session.sequence.outbox);
            }
        }
        self.away.push(broadcast);
        for id in others {
            self.away.skip(id, frame.size());
            let Some(session) = self.sessions.get(&id).filter(|_| Some(id) != except) else { continue };
            if frame.payload.len() > session.limit {
                self.drop_message(id, session.name.clone(), frame.payload.len());
            } else if is_older(session) {
                // What is pushed to an older one has no extensions.
                self.push(id, frame);
            }
        }
    }

    /// A message is larger than its receiver takes. What a client says of itself is no mistake of the sender: it is told
    /// of by an event.
    pub(super) fn drop_message(&mut self, id: SessionId, name: String, bytes: usize) {
        self.dropped.add(id, name, bytes);
    }

    /// Tells of the messages that were dropped.
    pub(super) fn report_dropped(&mut self, events: &mut dyn Events) {
        while let Some(Receiver { name, messages, bytes }) = self.dropped.pop() {
            log!(self.verbose, "SERVER DROPPED", name, "{messages} messages that are larger than it takes");
            events.event(Event::Dropped { name: &name, messages, bytes });
        }
    }

    /// Queues an answer, or says that it is too large.
    pub(super) fn answer(&mut self, id: SessionId, frame: &Frame<'_>) {
        let Some(session) = self.sessions.get(&id) else { return };
        match check_size(frame.payload, session.limit) {
            Ok(()) => self.push(id, frame),
            Err(error) => self.push(id, &Frame { payload: &error.to_json(), ..Frame::bare(Kind::Failure, frame.id) }),
        }
    }

    /// Refuses a delivery of a client that may ask no more.
    pub(super) fn refuse(&mut self, id: SessionId, request: u64) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.refusals.add(&session.sequence.outbox);
        }
        self.answer_failure(id, request, &error::too_many_deliveries(self.options.max_deliveries));
    }

    pub(super) fn answer_failure(&mut self, id: SessionId, request: u64, error: &Error) {
        self.push(id, &Frame { payload: &error.to_json(), ..Frame::bare(Kind::Failure, request) });
    }

    /// Whether there is something to write to a connection.
    pub(super) fn has_unwritten(&mut self, connection: ConnectionId) -> bool {
        let Some(&Connection::Session(id)) = self.connections.get(&connection) else {
            return !self.unwritten(connection).is_empty();
        };
        if self.overflowing.len() > 0 {
            self.overflowing.tried(id);
        }
        let Some(session) = self.sessions.get_mut(&id) else { return false };
        let before = session.sequence.outbox.unwritten_size();
        let Some((transport, outbox)) = session.transport_mut() else { return false };
        transport.translate(outbox);
        let has_some = !transport.unwritten(connection, outbox).is_empty();
        let acknowledged = transport.acknowledged();
        session.has_written(before);
        if let Some(count) = acknowledged {
            self.acknowledge_translated(id, count);
        }
        has_some
    }

    /// Notes bytes that were written to a connection of a session.
    pub(super) fn written_to(
        &mut self,
        id: SessionId,
        connection: ConnectionId,
        count: usize,
        events: &mut dyn Events,
    ) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let before = session.sequence.outbox.unwritten_size();
        let Some((transport, outbox)) = session.transport_mut() else { return };
        let completed = transport.written(connection, count, outbox);
        let acknowledged = transport.acknowledged();
        if transport.is_written(outbox) && std::mem::take(&mut session.blocked) {
            events.event(Event::Drained { session: id });
        }
        session.has_written(before);
        if !session.holds.is_empty() {
            let held = session.holds.written(completed);
            self.release(held);
        }
        if let Some(count) = acknowledged {
            self.acknowledge_translated(id, count);
        }
    }

    /// What was translated for a client that can't acknowledge it counts as received once it is written.
    fn acknowledge_translated(&mut self, id: SessionId, count: u64) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let result = acknowledged(session, count, &mut self.schedule);
        debug_assert_eq!(result, Ok(()), "only frames that were translated are counted");
        self.may_be_done(id);
    }

    /// Something was received from a client.
    pub(super) fn acknowledge_soon(&mut self, id: SessionId) {
        if let Some(session) = self.sessions.get_mut(&id) {
            self.schedule.acknowledge(id, session);
        }
    }

    /// Queues all acknowledgements that are due.
    pub(super) fn acknowledge(&mut self) {
        for id in self.schedule.take_acknowledgements() {
            let Some(session) = self.sessions.get_mut(&id) else { continue };
            session.is_acknowledged = false;
            if session.is_connected() && session.sequence.acknowledge() {
                self.schedule.write_to(session);
            }
        }
    }
}

/// A client has received so many frames. Some that waited for that may be written now.
pub(super) fn acknowledged(session: &mut Session, count: u64, schedule: &mut Schedule) -> Result<(), ProtocolError> {
    session.sequence.outbox.acknowledge(count, |_| ())?;
    if !session.sequence.outbox.is_written() {
        schedule.write_to(session);
    }
    Ok(())
}

/// Something was queued for this session.
fn queued(session: &Session, id: SessionId, schedule: &mut Schedule, overflowing: &mut Overflowing, options: &Options) {
    schedule.write_to(session);
    if session.is_slow(options) {
        overflowing.add(id);
    }
}
