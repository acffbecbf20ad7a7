//! What becomes of processes and connections, and what their applications hear of it.

use std::collections::HashMap;

use ipcio::Code;
use ipcio::driver::machine::Event;

use crate::applications::{Applications, CLIENTS, SERVER, name, number_of};
use crate::network::{Recorded, Side};
use crate::strangers;

impl Applications {
    /// Takes in what the machines have said.
    pub(super) fn listen(&mut self) {
        for recorded in self.network.take_server() {
            match &recorded {
                Recorded::Message { .. } => self.inboxes[SERVER].push_back(recorded),
                Recorded::SessionEnded { name, .. } => {
                    let is_one_of_us = name != "old" && !name.starts_with(strangers::NAME);
                    assert!(self.may_leave || !is_one_of_us, "no client left for good, but {recorded:?}");
                }
                Recorded::Answer { request, outcome } => {
                    let expected = self.asked.remove(request).expect("each delivery of the server is answered once");
                    match outcome {
                        Ok(text) => assert!(*text == expected, "{} for {}", number_of(text), number_of(&expected)),
                        Err(_) => drop(self.failed.insert((name(SERVER), *request))),
                    }
                }
                Recorded::TimedOut(request) => {
                    self.asked.remove(request).expect("its time is over once, and it had no answer");
                    self.cancelled.insert((name(SERVER), *request));
                }
                Recorded::Closed => {
                    assert_eq!(self.asked, HashMap::new(), "deliveries of the server are not settled");
                    self.server_has_closed = true;
                }
                _ => {}
            }
        }
        for client in 0..CLIENTS {
            for recorded in self.network.take(client) {
                match recorded {
                    Recorded::Message { .. } => self.inboxes[client].push_back(recorded),
                    Recorded::Settled(count) => {
                        assert!(count <= self.promises[client].len() as u64, "more was settled than was sent");
                        self.settled.extend(self.promises[client].drain(..count as usize));
                    }
                    Recorded::Answer { request, outcome } => self.answered(client, request, outcome),
                    Recorded::TimedOut(request) => {
                        self.deliveries[client].remove(&request).expect("its time is over once, and it had no answer");
                        self.cancelled.insert((name(client), request));
                    }
                    Recorded::Connected | Recorded::Disconnected => {}
                    Recorded::Closed if self.closing[client] => self.starts_again(client),
                    // The end of the process before is not known yet.
                    Recorded::Refused(Code::NameTaken) if self.may_leave => self.starts_again(client),
                    other => panic!("{} says {other:?}", name(client)),
                }
            }
        }
    }

    fn answered(&mut self, client: usize, request: u64, outcome: Result<String, String>) {
        let expected = self.deliveries[client].remove(&request).expect("each delivery is answered once");
        match outcome {
            Ok(text) if expected.is_empty() => assert!(text.contains("command_handlers"), "{text}"),
            Ok(text) => assert!(text == expected, "{} for {}", number_of(&text), number_of(&expected)),
            Err(_) => {
                self.failed.insert((name(client), request));
            }
        }
    }

    /// Everything has died with the server's process.
    pub(super) fn bury_server(&mut self) {
        self.inboxes[SERVER].clear();
        self.unanswered.retain(|&(who, ..)| who != SERVER);
        self.cancelled.extend(self.asked.drain().map(|(request, _)| (name(SERVER), request)));
    }

    /// Some steps after a server has died, some `steps` on average, another one takes its place.
    pub(crate) fn replace_dead_server(&mut self, steps: usize) {
        if self.network.server.is_some() {
            return;
        }
        while self.network.random.below(steps) > 0 {
            self.step();
        }
        self.next_server();
    }

    /// Another server's process takes the place of the one that has died.
    pub(super) fn next_server(&mut self) {
        self.bury_server();
        self.network.start_server();
    }

    /// The server closes. Nothing more is sent until it has, and starts again.
    pub(crate) fn restart_server(&mut self) {
        self.may_leave = true;
        self.quiet = true;
        self.server_has_closed = false;
        self.strangers_leave();
        let (now, mut recorded) = (self.network.now, Vec::new());
        self.network.server().close(now, &mut |event: Event<'_>| recorded.push(Recorded::from(event)));
        self.network.server_recorded.extend(recorded);
        self.network.flush(Side::Server);
        for _ in 0..20_000 {
            self.step();
            self.network.flush(Side::Server);
            self.listen();
            if self.server_has_closed {
                break;
            }
        }
        assert!(self.server_has_closed, "the server waits for {:?}", self.network.server().outstanding());
        assert_eq!(self.network.server().outstanding(), [], "the server keeps something");
        self.network.kill_server();
        self.next_server();
        self.quiet = false;
    }

    /// A client's process dies, and everything with it. Another one takes its name.
    pub(crate) fn restart_one(&mut self) {
        let client = self.network.random.below(CLIENTS);
        self.may_leave = true;
        self.stopped[client] = false;
        self.inboxes[client].clear();
        self.unanswered.retain(|&(who, ..)| who != client);
        self.forget(client);
        self.network.restart_client(client);
    }

    /// A client closes, and connects again once it has.
    pub(crate) fn close_one(&mut self, client: usize) {
        if self.closing[client] || self.stopped[client] {
            return;
        }
        self.may_leave = true;
        self.closing[client] = true;
        let (now, mut recorded) = (self.network.now, Vec::new());
        self.network.clients[client].close(now, &mut |event: Event<'_>| recorded.push(Recorded::from(event)));
        self.network.recorded[client].extend(recorded);
        self.network.flush(Side::Client(client));
    }

    /// A client's process stops, or goes on.
    pub(crate) fn stop_or_continue(&mut self, client: usize) {
        self.stopped[client] = !self.stopped[client];
        if !self.stopped[client] {
            self.network.call(Side::Client(client), |machine, now, mut events| {
                if machine.deadline().is_some_and(|at| at <= now) {
                    machine.elapsed(now, &mut events);
                }
            });
        }
    }

    pub(crate) fn cut_one(&mut self) {
        if !self.network.pipes.is_empty() {
            let pipe = self.network.random.below(self.network.pipes.len());
            self.network.cut(pipe);
        }
    }

    /// A client that has read everything loses its connection, which the server sees: what is written to one that does not
    /// read any more is lost with the server.
    pub(crate) fn leave_one(&mut self) {
        let client = self.network.random.below(CLIENTS);
        let Some(pipe) = self.network.pipe_of(client) else { return };
        let streams = &mut self.network.pipes[pipe];
        if self.network.clients[client].is_connected() && streams.server.is_some() && streams.to_client.is_quiet() {
            streams.cut_both();
            self.network.carry(pipe, Side::Server, usize::MAX);
        }
    }

    /// Whether all clients have a connection that stands.
    pub(crate) fn all_connected(&self) -> bool {
        self.network.server.is_some()
            && (0..CLIENTS).all(|client| {
                let pipe = self.network.pipe_of(client).map(|pipe| &self.network.pipes[pipe]);
                self.network.clients[client].is_connected() && pipe.is_some_and(|pipe| !pipe.to_client.ended)
            })
    }

    fn starts_again(&mut self, client: usize) {
        self.closing[client] = false;
        self.forget(client);
        assert_eq!(self.network.clients[client].outstanding(), [], "{} keeps something", name(client));
        self.network.clients[client].connect().unwrap();
        self.network.flush(Side::Client(client));
    }

    fn forget(&mut self, client: usize) {
        self.closing[client] = false;
        self.promises[client].clear();
        self.deliveries[client].clear();
    }
}
