//! What the machines do in each of the cases that their users can meet, without a socket.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests have sockets, files and a clock")]
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion")]

mod acknowledgements;
mod asking;
mod away;
mod closing;
mod cost;
mod deliveries;
mod held;
mod limits;
mod messages;
mod returning;
mod sessions;
mod time_limits;
mod waiting;
#[path = "../world/mod.rs"]
mod world;

use std::time::Duration;

use ipcio::Code;
use ipcio::driver::protocol::handshake::{self, Hello};
use ipcio::driver::protocol::v1::message::Message;
use world::{Said, Side, World, server_options};

const SECOND: Duration = Duration::from_secs(1);

/// A world in which `alice`, 0, and `bob`, 1, are connected and nothing has been said.
fn alice_and_bob() -> World {
    with_server(server_options())
}

fn with_server(options: ipcio::driver::server::Options) -> World {
    let mut world = World::with_options(1, options);
    for (index, name) in ["alice", "bob"].into_iter().enumerate() {
        world.client(name);
        world.settle();
        assert_eq!(world.take(index), [Said::Connected]);
    }
    world.take_server();
    world
}

/// Connects a client now, and lets everything move that can.
fn come_back(world: &mut World, index: usize) {
    world.clients[index].look_again();
    world.flush(Side::Client(index));
    world.settle();
}

/// `old`, a client of protocol 1: its control and its private connection.
fn old_client(world: &mut World) -> [usize; 2] {
    let control = world.connect_raw(None).unwrap();
    handshake::write(None, "old", None::<&Hello>, &mut world.raws[control].to_server);
    world.carry_raw(control, usize::MAX);
    let welcome = std::mem::take(&mut world.raws[control].received);
    let path = world.server_options.domain.private(&Message::parse(&welcome).unwrap().text().unwrap());
    [control, world.connect_raw(Some(&path)).unwrap()]
}

/// What is due now happens.
fn next_turn(world: &mut World) {
    world.wait(Duration::ZERO);
}

/// The payloads of messages, and whether they are marked as redelivered.
fn messages(said: &[Said]) -> Vec<(&str, bool)> {
    let found = said.iter().filter_map(|said| match said {
        Said::Message { payload, redelivered, .. } => Some((payload.as_str(), *redelivered)),
        _ => None,
    });
    found.collect()
}

/// Has the handlers of everything that was said been called.
fn handle(world: &mut World, side: Side, said: &[Said]) {
    for said in said {
        if let Said::Message { session, receipt, .. } = *said {
            world.call(side, |machine, now, _| machine.handled(session, receipt, now));
        }
    }
    world.settle();
}

/// The code with which a delivery failed, and its number.
fn failures(said: &[Said]) -> Vec<(u64, String)> {
    let found = said.iter().filter_map(|said| match said {
        Said::Answer { request, outcome: Err(failure) } => {
            let failure: serde_json::Value = serde_json::from_str(failure).unwrap();
            Some((*request, failure["code"].as_str().unwrap().to_owned()))
        }
        _ => None,
    });
    found.collect()
}

fn failure(request: u64, code: Code) -> (u64, String) {
    (request, code.as_str().to_owned())
}
