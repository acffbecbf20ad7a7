//! Hostile peers in the same network: nothing that they write affects honest clients.

use ipcio::driver::protocol::frame::{Flags, Frame, Kind};

use crate::applications::{Applications, SERVER, name};
use crate::network::COMMAND;

/// The beginning of their names.
pub(crate) const NAME: &str = "mallory";

/// The most at a time. More show nothing new.
const MOST: usize = 3;

const KINDS: [Kind; 14] = [
    Kind::Void,
    Kind::Acknowledgement,
    Kind::Send,
    Kind::Emit,
    Kind::Broadcast,
    Kind::Request,
    Kind::Response,
    Kind::Failure,
    Kind::Discover,
    Kind::Cancel,
    Kind::Goodbye,
    Kind::Held,
    Kind::Released,
    Kind::Padding,
];

impl Applications {
    /// One of them does something.
    pub(crate) fn a_stranger_acts(&mut self) {
        self.strangers.retain(|&raw| self.network.raws[raw].is_open());
        if self.strangers.is_empty() || (self.strangers.len() < MOST && self.network.random.one_in(8)) {
            self.a_stranger_comes();
            return;
        }
        let raw = self.strangers[self.network.random.below(self.strangers.len())];
        match self.network.random.below(24) {
            0 => self.network.end_raw(raw),
            1 => self.network.raws[raw].full = true,
            2 => self.network.read_raw(raw),
            3 => {
                let garbage: Vec<u8> = (0..40).map(|_| self.network.random.below(256) as u8).collect();
                self.network.raws[raw].to_server.extend_from_slice(&garbage);
            }
            // A frame that never ends.
            4 => {
                let length = (self.network.random.below(1 << 20) as u32).to_le_bytes();
                self.network.raws[raw].to_server.extend_from_slice(&length);
            }
            _ => self.a_stranger_writes(raw),
        }
        let count = [usize::MAX, usize::MAX, 7][self.network.random.below(3)];
        self.network.carry_raw(raw, count);
    }

    pub(super) fn strangers_leave(&mut self) {
        for raw in std::mem::take(&mut self.strangers) {
            self.network.end_raw(raw);
        }
    }

    fn a_stranger_comes(&mut self) {
        let Some(raw) = self.network.connect_raw(None) else { return };
        self.strangers.push(raw);
        let number = self.network.random.below(MOST);
        let (version, session) = (self.network.random.below(5), self.network.random.below(2));
        let (attempt, received) = (self.network.random.below(4), self.network.random.below(3));
        let limit = [1 << 20, 1, 10, usize::MAX][self.network.random.below(4)];
        let server = ["null", "\"another\""][self.network.random.below(2)];
        let text = format!(
            "{{\"id\":null,\"command\":\"handshake\",\"data\":\"{NAME}-{number}\",\"delivery\":null,\"ipcio\":{{\
             \"version\":{version},\"session\":\"{session}\",\"attempt\":{attempt},\"server\":{server},\
             \"received\":{received},\"limit\":{limit}}}}}"
        );
        self.network.raws[raw].to_server.extend_from_slice(text.as_bytes());
        self.network.carry_raw(raw, usize::MAX);
    }

    /// A frame of any kind. It knows the names of all, and the numbers of the deliveries that are under way.
    fn a_stranger_writes(&mut self, raw: usize) {
        let kind = KINDS[self.network.random.below(KINDS.len())];
        let asked: Vec<u64> = self.unanswered.iter().map(|&(_, _, request, _)| request).collect();
        let waiting: Vec<u64> = {
            let mut waiting: Vec<u64> = self.deliveries.iter().flat_map(|waiting| waiting.keys().copied()).collect();
            waiting.sort_unstable();
            waiting
        };
        let known = if self.network.random.one_in(2) { asked } else { waiting };
        let id = match known.len() {
            0 => self.network.random.below(5) as u64,
            count => known[self.network.random.below(count)],
        };
        let flags = Flags([0, 0, 1, 2, 3, 4, 64][self.network.random.below(7)]);
        let target = name(self.network.random.below(SERVER + 2));
        let frame = Frame { flags, name: &target, command: COMMAND, payload: b"[0,\"\"]", ..Frame::bare(kind, id) };
        frame.encode(&mut self.network.raws[raw].to_server);
    }
}
