//! A client of protocol 1 among the others: text on two connections, and no acknowledgements.

use std::collections::HashMap;

use ipcio::driver::protocol::frame::Kind;
use ipcio::driver::protocol::handshake::{self, Hello};
use ipcio::driver::protocol::v1::message::{self, Message};
use ipcio::driver::protocol::v1::splitter::Splitter;

use crate::applications::{Applications, CLIENTS, OLD, SERVER, name, number_of};
use crate::network::COMMAND;

const LIMIT: usize = 1 << 24;

/// What its process knows.
#[derive(Default)]
pub(crate) struct OldClient {
    control: Option<Socket>,
    private: Option<Socket>,
    /// Deliveries without an answer, and what the answer should be.
    deliveries: HashMap<String, String>,
}

struct Socket {
    raw: usize,
    splitter: Splitter,
}

impl Socket {
    fn new(raw: usize) -> Socket {
        Socket { raw, splitter: Splitter::new(LIMIT) }
    }
}

impl Applications {
    /// It connects, sends, reads, or does not.
    pub(super) fn old_client_acts(&mut self) {
        let is_gone =
            |socket: &Option<Socket>| socket.as_ref().is_some_and(|socket| !self.network.raws[socket.raw].is_open());
        if is_gone(&self.old.control) || is_gone(&self.old.private) {
            self.old_client_leaves();
        }
        match (&self.old.control, &self.old.private) {
            (None, _) => self.old_client_comes(),
            (Some(_), None) => self.old_client_reads(),
            (Some(control), Some(private)) => {
                let sockets = [control.raw, private.raw];
                let socket = sockets[self.network.random.below(2)];
                let count = [usize::MAX, 50, 5][self.network.random.below(3)];
                match self.network.random.below(8) {
                    0..=2 if !self.quiet => self.old_client_sends(sockets),
                    0..=4 => self.network.carry_raw(socket, count),
                    5 => self.network.raws[socket].full = true,
                    _ => {
                        self.network.read_raw(socket);
                        self.old_client_reads();
                    }
                }
            }
        }
    }

    /// It connects if it has not, and everything for it and from it arrives.
    pub(super) fn old_client_catches_up(&mut self) {
        for _ in 0..3 {
            self.old_client_reads();
            for socket in [&self.old.control, &self.old.private].map(|socket| socket.as_ref().map(|socket| socket.raw))
            {
                let Some(raw) = socket else { continue };
                self.network.read_raw(raw);
                self.network.carry_raw(raw, usize::MAX);
            }
            if self.old.control.is_none() {
                self.old_client_comes();
            }
        }
        self.old_client_reads();
    }

    fn old_client_comes(&mut self) {
        self.old = OldClient::default();
        let Some(raw) = self.network.connect_raw(None) else { return };
        let to_server = &mut self.network.raws[raw].to_server;
        handshake::write(None, &name(OLD), None::<&Hello>, to_server);
        self.old.control = Some(Socket::new(raw));
        self.network.carry_raw(raw, usize::MAX);
    }

    fn old_client_leaves(&mut self) {
        let old = std::mem::take(&mut self.old);
        for socket in [old.control, old.private].into_iter().flatten() {
            self.network.end_raw(socket.raw);
        }
    }

    fn old_client_sends(&mut self, [control, private]: [usize; 2]) {
        let (number, text) = self.next_message();
        let target = self.network.random.below(CLIENTS);
        let (kind, receivers) = match self.network.random.below(8) {
            0 | 1 => (Kind::Send, vec![SERVER]),
            2 | 3 => (Kind::Emit, vec![target]),
            4 => (Kind::Broadcast, (0..CLIENTS).collect()),
            5 | 6 => (Kind::Request, vec![SERVER]),
            _ => (Kind::Request, vec![target]),
        };
        let delivery = (kind == Kind::Request).then(|| format!("delivery-{number}"));
        let (delivery_id, mut inner) = (delivery.as_deref(), Vec::new());
        if receivers == [SERVER] {
            message::write(None, COMMAND, text.as_bytes(), delivery_id, &mut self.network.raws[private].to_server);
        } else {
            let (id, command) =
                if kind == Kind::Broadcast { (None, "broadcast") } else { (Some(name(target)), "emit") };
            message::write(id.as_deref(), COMMAND, text.as_bytes(), delivery_id, &mut inner);
            let to_server = &mut self.network.raws[control].to_server;
            message::write_wrapped(&name(OLD), command, delivery_id, &inner, to_server);
        }
        if let Some(delivery) = delivery {
            self.old.deliveries.insert(delivery, text);
        }
        self.sent.push(((name(OLD), number), kind, receivers));
    }

    fn old_client_reads(&mut self) {
        if let Some(Some(uuid)) = self.old.control.as_mut().map(|control| {
            let bytes = std::mem::take(&mut self.network.raws[control.raw].received);
            let object = control.splitter.next(&mut &bytes[..]).unwrap()?;
            let message = Message::parse(&object).unwrap();
            (message.command() == "handshake").then(|| message.text().unwrap())
        }) {
            let path = self.network.server_options.domain.private(&uuid);
            self.old.private = self.network.connect_raw(Some(&path)).map(Socket::new);
        }
        let Some(private) = &mut self.old.private else { return };
        let bytes = std::mem::take(&mut self.network.raws[private.raw].received);
        let (mut rest, mut objects) = (&bytes[..], Vec::new());
        while let Some(object) = private.splitter.next(&mut rest).unwrap() {
            objects.push(object);
        }
        let raw = private.raw;
        for object in objects {
            let message = Message::parse(&object).unwrap();
            let (delivery, payload) = (message.delivery.as_deref(), message.payload());
            if message.command() == "deliver" {
                let expected = self.old.deliveries.remove(delivery.unwrap()).expect("each delivery is answered once");
                assert!(payload == expected || payload == "null", "{payload} for {expected}");
                continue;
            }
            // It is not told who sent it; bytes are a stranger's.
            let number = if payload.starts_with('[') { number_of(payload) } else { 0 };
            if let Some(((sender, _), ..)) = self.sent.iter().find(|((_, sent), ..)| *sent == number) {
                self.seen.entry((OLD, sender.clone())).or_default().push((number, false));
            }
            if delivery.is_some() {
                message::write(None, "deliver", payload.as_bytes(), delivery, &mut self.network.raws[raw].to_server);
            }
        }
    }
}
