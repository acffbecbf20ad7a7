//! What a client does with what comes in.

use std::time::Instant;

use super::{Client, SERVER, State, deliveries, held};
use crate::error;
use crate::log::{log, party};
use crate::machine::{ConnectionId, Event, Events, Incoming, Payload};
use crate::protocol::ProtocolError;
use crate::protocol::codec::Codec;
use crate::protocol::frame::{self, Flags, Frame, Kind};
use crate::protocol::v1::Socket;
use crate::sequence::Sequence;

impl Client {
    /// Tells the application what an acknowledgement settles.
    pub(super) fn settle_promises(
        &mut self,
        acknowledge: impl FnOnce(&mut Sequence, &mut dyn FnMut(&[u8])) -> Result<(), ProtocolError>,
        events: &mut dyn Events,
    ) -> Result<(), ProtocolError> {
        let (deliveries, held, retained) = (&mut self.deliveries, &mut self.held, &mut self.retained);
        let limit = self.limit;
        let mut count = 0;
        let mut sequence = self.sequence.outbox.acknowledged();
        let result = acknowledge(&mut self.sequence, &mut |bytes| {
            let kind = frame::kind_of(bytes);
            sequence += 1;
            if !held.is_empty() {
                held.acknowledged(sequence, bytes, retained);
            }
            if kind.is_one_way() {
                count += u64::from(!held::is_settled(frame::flags_of(bytes), kind));
            } else if kind == Kind::Void && frame::flags_of(bytes).contains(deliveries::REJECTED) {
                if count > 0 {
                    events.event(Event::Settled { count: std::mem::take(&mut count) });
                }
                // A void frame has no use for its id: it is the size of what was withdrawn.
                let size = Frame::decode_trusted(bytes).map_or(0, |frame| frame.id);
                let error = error::too_large(usize::try_from(size).unwrap_or(usize::MAX), limit);
                events.event(Event::Rejected { error });
            } else {
                deliveries.acknowledged(bytes, retained);
            }
        });
        if count > 0 {
            events.event(Event::Settled { count });
        }
        result
    }

    pub(super) fn frame(
        &mut self,
        frame: &Frame<'_>,
        now: Instant,
        events: &mut dyn Events,
    ) -> Result<(), ProtocolError> {
        self.sequence.count(frame.kind);
        match frame.kind {
            Kind::Void | Kind::Padding | Kind::Cancel => {}
            Kind::Acknowledgement => {
                let count = frame.id;
                self.settle_promises(|sequence, each| sequence.outbox.acknowledge(count, each), events)?;
            }
            Kind::Emit | Kind::Broadcast | Kind::Request => self.message(frame, events),
            Kind::Response => self.answer(frame.id, Ok(Payload::of(frame)), events),
            Kind::Failure => self.answer(frame.id, Err(Payload::of(frame)), events),
            Kind::Held => self.hold(frame.id)?,
            Kind::Released => self.held.released(frame.id, &mut self.retained),
            Kind::Goodbye => log!(self.verbose, "CLIENT GOODBYE", self.options.name, "the server closes"),
            Kind::Send | Kind::Discover => return Err(ProtocolError::Unexpected),
        }
        if frame.kind.is_sequenced() {
            self.schedule.acknowledge(self.sequence.unacknowledged(), now);
        }
        self.close_if_done(events);
        Ok(())
    }

    /// What was translated for a server that can't acknowledge it counts as received once it is written.
    pub(super) fn acknowledge_translated(&mut self, now: Instant, events: &mut dyn Events) {
        let (State::Connected(transport) | State::Closing(transport, _)) = &mut self.state else { return };
        if let Some(count) = transport.acknowledged() {
            let result = self.frame(&Frame::bare(Kind::Acknowledgement, count), now, events);
            debug_assert_eq!(result, Ok(()), "only frames that were translated are counted");
            if self.is_connected() && !self.sequence.outbox.is_written() {
                self.schedule.write();
            }
        }
    }

    /// The server is about to acknowledge a message that it could not hand over yet.
    fn hold(&mut self, sequence: u64) -> Result<(), ProtocolError> {
        let outbox = &self.sequence.outbox;
        // It can only be one that is not acknowledged yet.
        let is_open = sequence > outbox.acknowledged() && sequence - outbox.acknowledged() <= outbox.len();
        if !is_open {
            return Err(ProtocolError::Unexpected);
        }
        self.held.hold(sequence);
        Ok(())
    }

    /// Calls the handler, if there is one.
    pub(super) fn message(&mut self, frame: &Frame<'_>, events: &mut dyn Events) {
        let request = (frame.kind == Kind::Request).then_some(frame.id);
        let Some(command) = self.commands.find(frame.command) else {
            log!(self.verbose, "NO HANDLER", frame.command, "from {}", party(frame.name));
            if let Some(request) = request {
                let failure = error::no_such_command(frame.command).to_json();
                self.asked += 1;
                self.respond(request, Err(Payload::Json(&failure)));
            }
            return;
        };
        log!(self.verbose, "HANDLER EXEC", frame.command, "from {}", party(frame.name));
        self.asked += usize::from(request.is_some());
        events.event(Event::Message(Incoming {
            session: SERVER,
            from: frame.name,
            command,
            request,
            redelivered: frame.flags.contains(Flags::REDELIVERED),
            payload: Payload::of(frame),
            receipt: self.sequence.give(),
        }));
    }

    pub(super) fn answer(&mut self, request: u64, outcome: Result<Payload<'_>, Payload<'_>>, events: &mut dyn Events) {
        if self.deliveries.end(request, &mut self.retained).is_some() {
            events.event(Event::Answer { request, outcome });
        }
    }

    pub(super) fn read(
        &mut self,
        connection: ConnectionId,
        mut bytes: &[u8],
        now: Instant,
        events: &mut dyn Events,
    ) -> Result<(), ProtocolError> {
        while let State::Handshake(handshake) = &mut self.state {
            let Some(answer) = handshake.channel.splitter.next(&mut bytes)? else { return Ok(()) };
            self.greeted(connection, &answer, now, events)?;
        }
        if !self.state.is_reading() {
            return Ok(());
        }
        let Some(transport) = self.state.transport_mut() else { return Ok(()) };
        let (socket, mut codec) = transport.take_codec(connection);
        let result = self.read_frames(socket, &mut codec, bytes, now, events);
        if let Some(transport) = self.state.transport_mut() {
            transport.put_codec(codec);
            self.leave_if_written(events);
        }
        result
    }

    pub(super) fn read_frames(
        &mut self,
        socket: Socket,
        codec: &mut Codec,
        mut bytes: &[u8],
        now: Instant,
        events: &mut dyn Events,
    ) -> Result<(), ProtocolError> {
        while let Some(frame) = codec.next(socket, &mut bytes)? {
            self.frame(&frame, now, events)?;
            if !self.state.is_reading() {
                break;
            }
        }
        Ok(())
    }
}
