//! What waits in a server's first moments: messages that were sent while there was none, for clients that may be on
//! their way as well.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

use rustc_hash::FxHashSet;

use super::holds::Hold;
use crate::protocol::frame::Frame;

/// The messages that wait for clients which may be on their way. Together they may take as many bytes as those for one
/// slow client.
#[derive(Debug, Default)]
pub(super) struct HeldMessages {
    /// By the client that they are for. Names come from peers: this hash withstands chosen ones.
    named: HashMap<Box<str>, Vec<HeldMessage>>,
    pub(super) for_all: Vec<HeldMessage>,
    /// Counts all messages: the order in which they came.
    next: u64,
    count: usize,
    bytes: usize,
    /// Hashes of names whose clients have left: one that comes again may have seen the broadcasts that wait.
    left: FxHashSet<u64>,
}

#[derive(Debug)]
pub(super) struct HeldMessage {
    pub(super) number: u64,
    /// Under what number the delivery is known here, or 0.
    pub(super) relay: u64,
    pub(super) hold: Option<Hold>,
    pub(super) frame: Vec<u8>,
}

impl HeldMessage {
    fn size(&self) -> usize {
        size_of::<HeldMessage>() + self.frame.len()
    }
}

impl HeldMessages {
    pub(super) fn push(&mut self, target: Option<&str>, relay: u64, hold: Option<Hold>, frame: &Frame<'_>) {
        let mut bytes = Vec::with_capacity(frame.size());
        frame.encode(&mut bytes);
        self.next += 1;
        let message = HeldMessage { number: self.next, relay, hold, frame: bytes };
        self.count += 1;
        self.bytes += message.size();
        match target {
            Some(name) => match self.named.get_mut(name) {
                Some(messages) => messages.push(message),
                None => {
                    self.named.insert(name.into(), vec![message]);
                }
            },
            None => self.for_all.push(message),
        }
    }

    pub(super) fn take(&mut self, name: &str) -> Vec<HeldMessage> {
        let found = self.named.remove(name).unwrap_or_default();
        self.count -= found.len();
        self.bytes -= found.iter().map(HeldMessage::size).sum::<usize>();
        found
    }

    /// A client of this name has left.
    pub(super) fn has_left(&mut self, name: &str) {
        if !self.for_all.is_empty() {
            self.left.insert(hash(name));
        }
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    pub(super) fn is_for(&self, name: &str) -> bool {
        self.named.contains_key(name)
    }

    /// Whether a client of this name has left.
    pub(super) fn left(&self, name: &str) -> bool {
        self.left.contains(&hash(name))
    }

    /// The bytes that they take.
    pub(super) fn size(&self) -> usize {
        self.bytes
    }

    /// Takes those for clients by name, in the order in which they came.
    pub(super) fn into_named(self) -> Vec<(Rc<str>, HeldMessage)> {
        let mut all = Vec::with_capacity(self.count);
        for (name, messages) in self.named {
            let name = Rc::from(name);
            all.extend(messages.into_iter().map(|message| (Rc::clone(&name), message)));
        }
        all.sort_unstable_by_key(|(_, message)| message.number);
        all
    }
}

fn hash(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}
