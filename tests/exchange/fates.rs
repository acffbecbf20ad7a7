//! What becomes of processes and connections, and what their applications hear of it.

use std::collections::HashMap;

use ipcio::Code;
use ipcio::driver::machine::Event;

use crate::applications::{Applications, CLIENTS, SERVER, name, number_of};
use crate::strangers;
use crate::world::{Said, Side};

impl Applications {
    /// Takes in what the machines have said.
    pub(super) fn listen(&mut self) {
        for said in self.world.take_server() {
            match &said {
                Said::Message { .. } => self.inboxes[SERVER].push_back(said),
                Said::SessionEnded { name, .. } => {
                    let is_one_of_us = name != "old" && !name.starts_with(strangers::NAME);
                    assert!(self.may_leave || !is_one_of_us, "no client left for good, but {said:?}");
                }
                Said::Answer { request, outcome } => {
                    let expected = self.asked.remove(request).expect("each delivery of the server is answered once");
                    match outcome {
                        Ok(text) => assert!(*text == expected, "{} for {}", number_of(text), number_of(&expected)),
                        Err(_) => drop(self.failed.insert((name(SERVER), *request))),
                    }
                }
                Said::TimedOut(request) => {
                    self.asked.remove(request).expect("its time is over once, and it had no answer");
                    self.cancelled.insert((name(SERVER), *request));
                }
                Said::Closed => {
                    assert_eq!(self.asked, HashMap::new(), "deliveries of the server are not settled");
                    self.server_has_closed = true;
                }
                _ => {}
            }
        }
        for client in 0..CLIENTS {
            for said in self.world.take(client) {
                match said {
                    Said::Message { .. } => self.inboxes[client].push_back(said),
                    Said::Settled(count) => {
                        assert!(count <= self.promises[client].len() as u64, "more was settled than was sent");
                        self.settled.extend(self.promises[client].drain(..count as usize));
                    }
                    Said::Answer { request, outcome } => self.answered(client, request, outcome),
                    Said::TimedOut(request) => {
                        self.deliveries[client].remove(&request).expect("its time is over once, and it had no answer");
                        self.cancelled.insert((name(client), request));
                    }
                    Said::Connected | Said::Disconnected => {}
                    Said::Closed if self.closing[client] => self.starts_again(client),
                    // The end of the process before is not known yet.
                    Said::Refused(Code::NameTaken) if self.may_leave => self.starts_again(client),
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

    /// Another server's process takes the place of the one that has died.
    pub(crate) fn next_server(&mut self) {
        self.bury_server();
        self.world.start_server();
    }

    /// The server closes. Nothing more is sent until it has, and starts again.
    pub(crate) fn restart_server(&mut self) {
        self.may_leave = true;
        self.quiet = true;
        self.server_has_closed = false;
        self.strangers_leave();
        let (now, mut said) = (self.world.now, Vec::new());
        self.world.server().close(now, &mut |event: Event<'_>| said.push(Said::from(event)));
        self.world.server_said.extend(said);
        self.world.flush(Side::Server);
        for _ in 0..20_000 {
            self.step();
            self.world.flush(Side::Server);
            self.listen();
            if self.server_has_closed {
                break;
            }
        }
        assert!(self.server_has_closed, "the server waits for {:?}", self.world.server().outstanding());
        assert_eq!(self.world.server().outstanding(), [], "the server keeps something");
        self.world.kill_server();
        self.next_server();
        self.quiet = false;
    }

    /// A client's process dies, and everything with it. Another one takes its name.
    pub(crate) fn restart_one(&mut self) {
        let client = self.world.random.below(CLIENTS);
        self.may_leave = true;
        self.stopped[client] = false;
        self.inboxes[client].clear();
        self.unanswered.retain(|&(who, ..)| who != client);
        self.forget(client);
        self.world.restart_client(client);
    }

    /// A client closes, and connects again once it has.
    pub(crate) fn close_one(&mut self, client: usize) {
        if self.closing[client] || self.stopped[client] {
            return;
        }
        self.may_leave = true;
        self.closing[client] = true;
        let (now, mut said) = (self.world.now, Vec::new());
        self.world.clients[client].close(now, &mut |event: Event<'_>| said.push(Said::from(event)));
        self.world.said[client].extend(said);
        self.world.flush(Side::Client(client));
    }

    /// A client's process stops, or goes on.
    pub(crate) fn stop_or_continue(&mut self, client: usize) {
        self.stopped[client] = !self.stopped[client];
        if !self.stopped[client] {
            self.world.call(Side::Client(client), |machine, now, mut events| {
                if machine.deadline().is_some_and(|at| at <= now) {
                    machine.elapsed(now, &mut events);
                }
            });
        }
    }

    pub(crate) fn cut_one(&mut self) {
        if !self.world.pipes.is_empty() {
            let pipe = self.world.random.below(self.world.pipes.len());
            self.world.cut(pipe);
        }
    }

    /// A client that has read everything loses its connection, which the server sees: what is written to one that does not
    /// read any more is lost with the server.
    pub(crate) fn leave_one(&mut self) {
        let client = self.world.random.below(CLIENTS);
        let Some(pipe) = self.world.pipe_of(client) else { return };
        let streams = &mut self.world.pipes[pipe];
        if self.world.clients[client].is_connected() && streams.server.is_some() && streams.to_client.is_quiet() {
            streams.cut_both();
            self.world.carry(pipe, Side::Server, usize::MAX);
        }
    }

    /// Whether all clients have a connection that stands.
    pub(crate) fn all_connected(&self) -> bool {
        self.world.server.is_some()
            && (0..CLIENTS).all(|client| {
                let pipe = self.world.pipe_of(client).map(|pipe| &self.world.pipes[pipe]);
                self.world.clients[client].is_connected() && pipe.is_some_and(|pipe| !pipe.to_client.ended)
            })
    }

    fn starts_again(&mut self, client: usize) {
        self.closing[client] = false;
        self.forget(client);
        assert_eq!(self.world.clients[client].outstanding(), [], "{} keeps something", name(client));
        self.world.clients[client].connect().unwrap();
        self.world.flush(Side::Client(client));
    }

    fn forget(&mut self, client: usize) {
        self.closing[client] = false;
        self.promises[client].clear();
        self.deliveries[client].clear();
    }
}
