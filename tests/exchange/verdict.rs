//! What must be true in the end.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use ipcio::driver::protocol::frame::Kind;

use crate::applications::{Applications, CLIENTS, Note, OLD, SERVER, name, side};
use crate::network::Side;

impl Applications {
    /// All clients come back, and everything in transit arrives.
    pub(crate) fn end(&mut self) {
        self.network.mortality = None;
        self.network.capacity = usize::MAX;
        self.stopped = [false; CLIENTS];
        if self.network.server.is_none() {
            self.next_server();
        }
        self.strangers_leave();
        for _ in 0..50 {
            for client in 0..CLIENTS {
                self.network.clients[client].look_again();
                self.network.flush(Side::Client(client));
            }
            self.network.run_until_idle();
            self.listen();
            for receiver in 0..=CLIENTS {
                while !self.inboxes[receiver].is_empty() {
                    self.handle(receiver);
                }
                self.network.flush(side(receiver));
            }
            while !self.unanswered.is_empty() {
                self.answer();
            }
            self.old_client_catches_up();
            self.network.wait(Duration::from_millis(60));
            self.listen();
        }
        // Those who won't come back are forgotten.
        self.network.wait(self.network.server_options.resume_timeout + Duration::from_secs(1));
        self.listen();
        assert!(self.all_connected());
        self.nothing_is_left();
        self.nothing_came_twice_unmarked();
    }

    fn nothing_is_left(&mut self) {
        assert_eq!(self.asked, HashMap::new(), "deliveries of the server are not settled");
        for client in 0..CLIENTS {
            assert_eq!(self.promises[client], VecDeque::new(), "promises of {} are not settled", name(client));
            assert_eq!(self.deliveries[client], HashMap::new(), "deliveries of {} are not settled", name(client));
            assert_eq!(self.network.clients[client].outstanding(), [], "{} keeps something", name(client));
        }
        assert_eq!(self.network.server().outstanding(), [], "the server keeps something");
    }

    fn nothing_came_twice_unmarked(&self) {
        let mut seen: Vec<_> = self.seen.iter().collect();
        seen.sort();
        // Protocol 1 has neither acknowledgements nor marks.
        let of_now = seen.into_iter().filter(|((receiver, sender), _)| *receiver != OLD && sender != "old");
        for ((receiver, sender), notes) in of_now {
            let mut known = HashSet::new();
            let mut last = 0;
            for &(number, redelivered) in notes {
                if !known.insert(number) {
                    assert!(redelivered, "{number} came twice from {sender:?} to {receiver} without a mark");
                } else if !(redelivered && (self.drops || self.is_for_those_there(number))) {
                    assert!(number > last, "{number} came after {last} from {sender:?} to {receiver}");
                    last = number;
                }
            }
        }
    }

    /// Whether a message passes by a client that is not back yet, and may reach it when it is sent again.
    fn is_for_those_there(&self, number: u64) -> bool {
        let is_relayed = |receivers: &[usize]| receivers != [SERVER];
        self.sent.iter().any(|((_, sent), kind, receivers)| {
            *sent == number && matches!(kind, Kind::Broadcast | Kind::Request) && is_relayed(receivers)
        })
    }

    pub(crate) fn times_seen(&self, receiver: usize, note: &Note) -> usize {
        let notes = self.seen.get(&(receiver, note.0.clone()));
        notes.map_or(0, |notes| notes.iter().filter(|seen| seen.0 == note.1).count())
    }
}
