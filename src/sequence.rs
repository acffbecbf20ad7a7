//! One side of a session: what goes out, and how much of what came in has been dealt with.

use crate::protocol::ProtocolError;
use crate::protocol::frame::{self, Frame, Kind};
use crate::protocol::outbox::Outbox;

/// Stands for a message until its handler has been called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Receipt {
    /// Counts the epochs of a session; a receipt of an earlier one says nothing any more.
    epoch: u32,
    sequence: u64,
}

impl Receipt {
    /// The message's sequence number.
    pub fn sequence(self) -> u64 {
        self.sequence
    }
}

/// The sequence numbers of a session, both ways, and the queue of what goes out.
#[derive(Debug, Default)]
pub struct Sequence {
    /// What goes out.
    pub outbox: Outbox,
    epoch: u32,
    /// Sequenced frames that came in.
    received: u64,
    /// The last of them that was given to the application.
    given: u64,
    /// The last of them that the application has been called for.
    handled: u64,
    /// What has been acknowledged, and what of it on this connection.
    acknowledged: u64,
    reported: u64,
}

impl Sequence {
    /// Sequenced frames that came in.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Counts a frame that came in.
    pub fn count(&mut self, kind: Kind) {
        self.received += u64::from(kind.is_sequenced());
    }

    /// The frame that was counted last goes to the application.
    pub fn give(&mut self) -> Receipt {
        self.given = self.received;
        self.last()
    }

    /// Stands for the frame that was counted last.
    pub fn last(&self) -> Receipt {
        Receipt { epoch: self.epoch, sequence: self.received }
    }

    /// Whether a receipt still says something.
    pub fn is_current(&self, receipt: Receipt) -> bool {
        receipt.epoch == self.epoch
    }

    /// The application has been called for the message of this receipt, and all before it.
    pub fn handled(&mut self, receipt: Receipt) {
        if self.is_current(receipt) {
            self.handled = self.handled.max(receipt.sequence);
        }
    }

    /// Whether the application has been called for everything that it was given.
    pub fn is_handled(&self) -> bool {
        self.handled >= self.given
    }

    /// How many frames could be acknowledged that are not.
    pub fn unacknowledged(&self) -> u64 {
        self.acknowledgeable().saturating_sub(self.reported)
    }

    /// Queues an acknowledgement of everything that can be, if there is any.
    pub fn acknowledge(&mut self) -> bool {
        let count = self.acknowledgeable();
        let due = count > self.reported;
        if due {
            (self.acknowledged, self.reported) = (count, count);
            self.outbox.push(&Frame::bare(Kind::Acknowledgement, count));
        }
        due
    }

    /// Goes on with a peer that has received `count` frames of this epoch.
    pub fn resume(&mut self, count: u64) -> Result<(), ProtocolError> {
        // The last acknowledgement may have been lost.
        self.reported = 0;
        self.outbox.resume(count)
    }

    /// Starts over with a peer that knows nothing of this session: both count from 1.
    pub fn restart(&mut self) {
        self.outbox.restart();
        self.epoch += 1;
        (self.received, self.given, self.handled) = (0, 0, 0);
        (self.acknowledged, self.reported) = (0, 0);
    }

    /// Takes over the messages that still wait for a former client of the same name. Answers and deliveries
    /// belonged to that one alone. The client speaks this version of the protocol.
    pub fn inherit(&mut self, mut former: Outbox, version: u32) {
        former.restart();
        former.retain(|bytes| matches!(frame::kind_of(bytes), Kind::Emit | Kind::Broadcast));
        if version < frame::EXTENDED_SINCE {
            former.cut_extensions();
        }
        self.outbox = former;
    }

    /// Everything up to here may be acknowledged: frames that need no handler count as soon as those before
    /// them are dealt with, and do not cease to when one that needs a handler follows.
    fn acknowledgeable(&self) -> u64 {
        if self.handled >= self.given { self.received } else { self.handled.max(self.acknowledged) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_acknowledged_once_its_handler_was_called_and_not_before() {
        let mut sequence = Sequence::default();
        sequence.count(Kind::Send);
        let first = sequence.give();
        sequence.count(Kind::Emit);
        assert!(!sequence.acknowledge());
        sequence.handled(first);
        assert_eq!(sequence.unacknowledged(), 2);
        assert!(sequence.acknowledge());
        assert!(!sequence.acknowledge());
    }

    #[test]
    fn what_was_acknowledged_stays_so_while_a_later_handler_runs() {
        let mut sequence = Sequence::default();
        sequence.count(Kind::Emit);
        assert!(sequence.acknowledge());
        sequence.count(Kind::Send);
        sequence.give();
        assert_eq!(sequence.unacknowledged(), 0);
        assert!(!sequence.acknowledge());
        // Another connection is told the same anew, and no less.
        sequence.resume(0).unwrap();
        assert!(sequence.acknowledge());
        assert_eq!(sequence.reported, 1);
    }

    #[test]
    fn a_receipt_of_an_earlier_epoch_says_nothing() {
        let mut sequence = Sequence::default();
        sequence.count(Kind::Send);
        let old = sequence.give();
        sequence.restart();
        sequence.count(Kind::Send);
        sequence.give();
        sequence.handled(old);
        assert_eq!(sequence.unacknowledged(), 0);
    }
}
