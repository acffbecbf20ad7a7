//! The deliveries that a server has passed on, found by those who end them: the client that answers, the one that asked, and
//! the end of either. Each looks at its own only, however many there are in all.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;

use crate::machine::SessionId;

/// The capacity that is kept when there are fewer.
const KEPT: usize = 1024;

/// A delivery on its way through the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Relay {
    pub(super) origin: SessionId,
    /// The number that it has at its origin.
    pub(super) request: u64,
    /// The client that answers; none yet while the delivery is held.
    pub(super) target: Option<SessionId>,
}

/// All of them, by the numbers that the server gave them.
#[derive(Debug, Default)]
pub(super) struct Relays {
    last: u64,
    all: FxHashMap<u64, Relay>,
    parties: FxHashMap<SessionId, Party>,
}

/// The deliveries of one client, in both directions.
#[derive(Debug, Default)]
struct Party {
    /// What it asked, by its own numbers. Peers choose them, so that a hash of them could be slow.
    asked: BTreeMap<u64, u64>,
    /// What it must answer, in the order in which it was asked.
    answers: BTreeSet<u64>,
}

impl Relays {
    /// Numbers begin behind `last`.
    pub(super) fn number_from(&mut self, last: u64) {
        self.last = last;
    }

    /// The number of a new one. An older one that has the same number at its origin is forgotten.
    pub(super) fn begin(&mut self, relay: Relay) -> u64 {
        self.last += 1;
        let number = self.last;
        let former = self.parties.entry(relay.origin).or_default().asked.insert(relay.request, number);
        if let Some(former) = former
            && let Some(target) = self.all.remove(&former).and_then(|former| former.target)
            && let Some(party) = self.parties.get_mut(&target)
        {
            party.answers.remove(&former);
        }
        self.all.insert(number, relay);
        if let Some(target) = relay.target {
            self.parties.entry(target).or_default().answers.insert(number);
        }
        number
    }

    /// A client has come that answers one that was held.
    pub(super) fn assign(&mut self, number: u64, target: SessionId) {
        if let Some(relay) = self.all.get_mut(&number) {
            relay.target = Some(target);
            self.parties.entry(target).or_default().answers.insert(number);
        }
    }

    /// Takes out what `target`, and no other client, answers.
    pub(super) fn answered(&mut self, number: u64, target: SessionId) -> Option<Relay> {
        self.all.get(&number).filter(|relay| relay.target == Some(target))?;
        self.take(number)
    }

    /// Takes out what its origin waits for no longer.
    pub(super) fn cancel(&mut self, origin: SessionId, request: u64) {
        let number = self.parties.get(&origin).and_then(|party| party.asked.get(&request)).copied();
        number.and_then(|number| self.take(number));
    }

    /// Takes one out.
    pub(super) fn take(&mut self, number: u64) -> Option<Relay> {
        let relay = self.all.remove(&number)?;
        if let Some(party) = self.parties.get_mut(&relay.origin) {
            party.asked.remove(&relay.request);
        }
        if let Some(party) = relay.target.and_then(|target| self.parties.get_mut(&target)) {
            party.answers.remove(&number);
        }
        if self.all.capacity() > KEPT && self.all.len() < self.all.capacity() / 8 {
            self.all.shrink_to(self.all.len() * 2);
        }
        Some(relay)
    }

    /// Takes out what a client must answer, in the order in which it was asked.
    pub(super) fn unanswered(&mut self, target: SessionId) -> Vec<Relay> {
        let party = self.parties.get_mut(&target);
        let numbers = party.map(|party| std::mem::take(&mut party.answers)).unwrap_or_default();
        numbers.into_iter().filter_map(|number| self.take(number)).collect()
    }

    /// Takes out the deliveries of a client that no longer waits for their answers.
    pub(super) fn forget(&mut self, id: SessionId) -> Vec<Relay> {
        let party = self.parties.remove(&id).unwrap_or_default();
        party.asked.into_values().filter_map(|number| self.take(number)).collect()
    }

    /// Whether the answer to the delivery that has this number at its origin is awaited.
    pub(super) fn is_asked(&self, origin: SessionId, request: u64) -> bool {
        self.parties.get(&origin).is_some_and(|party| party.asked.contains_key(&request))
    }

    /// How many a client has asked.
    pub(super) fn asked_by(&self, origin: SessionId) -> usize {
        if self.all.is_empty() { 0 } else { self.parties.get(&origin).map_or(0, |party| party.asked.len()) }
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// How many entries lead to them; with none outstanding there are none.
    pub(super) fn links(&self) -> usize {
        self.parties.values().map(|party| party.asked.len() + party.answers.len()).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(super) fn clear(&mut self) {
        *self = Relays { last: self.last, ..Relays::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: SessionId = SessionId(1);
    const BOB: SessionId = SessionId(2);
    const CAROL: SessionId = SessionId(3);

    fn asked(relays: &mut Relays, request: u64) -> u64 {
        relays.begin(Relay { origin: ALICE, request, target: Some(BOB) })
    }

    #[test]
    fn the_client_that_was_asked_answers_once_and_no_other_one_does() {
        let mut relays = Relays::default();
        let number = asked(&mut relays, 7);
        assert_eq!((relays.answered(number, CAROL), relays.answered(number, ALICE)), (None, None));
        assert_eq!(relays.answered(number, BOB).map(|relay| relay.request), Some(7));
        assert_eq!((relays.answered(number, BOB), relays.len(), relays.links()), (None, 0, 0));
    }

    #[test]
    fn what_is_cancelled_leaves_nothing_behind() {
        let mut relays = Relays::default();
        let numbers = [1, 2, 3].map(|request| asked(&mut relays, request));
        relays.cancel(BOB, 2);
        relays.cancel(ALICE, 2);
        relays.cancel(ALICE, 2);
        assert_eq!((relays.len(), relays.links(), relays.asked_by(ALICE)), (2, 4, 2));
        assert_eq!(relays.answered(numbers[1], BOB), None);
    }

    #[test]
    fn a_number_that_its_origin_uses_again_means_the_later_one() {
        let mut relays = Relays::default();
        let first = asked(&mut relays, 1);
        let second = asked(&mut relays, 1);
        assert_eq!((relays.len(), relays.links(), relays.answered(first, BOB)), (1, 2, None));
        assert!(relays.answered(second, BOB).is_some());
    }

    #[test]
    fn the_end_of_a_client_ends_what_it_asked_and_what_it_was_asked() {
        let mut relays = Relays::default();
        for request in 1..=3 {
            asked(&mut relays, request);
            relays.begin(Relay { origin: BOB, request, target: Some(CAROL) });
        }
        let held = relays.begin(Relay { origin: BOB, request: 9, target: None });
        relays.assign(held, CAROL);
        let unanswered: Vec<u64> = relays.unanswered(BOB).iter().map(|relay| relay.request).collect();
        assert_eq!((unanswered, relays.len()), (vec![1, 2, 3], 4));
        relays.forget(BOB);
        assert_eq!((relays.len(), relays.links(), relays.answered(held, CAROL)), (0, 0, None));
    }

    #[test]
    fn room_for_many_is_given_back() {
        let mut relays = Relays::default();
        for request in 0..100_000 {
            asked(&mut relays, request);
        }
        (0..100_000).for_each(|request| relays.cancel(ALICE, request));
        assert!(relays.all.capacity() <= KEPT * 2, "{}", relays.all.capacity());
    }
}
