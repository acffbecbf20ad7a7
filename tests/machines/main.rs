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
#[path = "../network/mod.rs"]
mod network;
mod returning;
mod sessions;
mod time_limits;
mod waiting;

use std::time::Duration;

use ipcio::Code;
use ipcio::driver::protocol::handshake::{self, Hello};
use ipcio::driver::protocol::v1::message::Message;
use network::{Network, Recorded, Side, server_options};

const SECOND: Duration = Duration::from_secs(1);

/// A network in which `alice`, 0, and `bob`, 1, are connected and nothing has been said.
fn alice_and_bob() -> Network {
    with_server(server_options())
}

fn with_server(options: ipcio::driver::server::Options) -> Network {
    let mut network = Network::with_options(1, options);
    for (index, name) in ["alice", "bob"].into_iter().enumerate() {
        network.client(name);
        network.run_until_idle();
        assert_eq!(network.take(index), [Recorded::Connected]);
    }
    network.take_server();
    network
}

/// Connects a client now, and lets everything move that can.
fn come_back(network: &mut Network, index: usize) {
    network.clients[index].look_again();
    network.flush(Side::Client(index));
    network.run_until_idle();
}

/// `old`, a client of protocol 1: its control and its private connection.
fn old_client(network: &mut Network) -> [usize; 2] {
    let control = network.connect_raw(None).unwrap();
    handshake::write(None, "old", None::<&Hello>, &mut network.raws[control].to_server);
    network.carry_raw(control, usize::MAX);
    let welcome = std::mem::take(&mut network.raws[control].received);
    let path = network.server_options.domain.private(&Message::parse(&welcome).unwrap().text().unwrap());
    [control, network.connect_raw(Some(&path)).unwrap()]
}

/// What is due now happens.
fn next_turn(network: &mut Network) {
    network.wait(Duration::ZERO);
}

/// The payloads of messages, and whether they are marked as redelivered.
fn messages(recorded: &[Recorded]) -> Vec<(&str, bool)> {
    let found = recorded.iter().filter_map(|recorded| match recorded {
        Recorded::Message { payload, redelivered, .. } => Some((payload.as_str(), *redelivered)),
        _ => None,
    });
    found.collect()
}

/// Has the handlers of everything that was said been called.
fn handle(network: &mut Network, side: Side, recorded: &[Recorded]) {
    for recorded in recorded {
        if let Recorded::Message { session, receipt, .. } = *recorded {
            network.call(side, |machine, now, _| machine.handled(session, receipt, now));
        }
    }
    network.run_until_idle();
}

/// The code with which a delivery failed, and its number.
fn failures(recorded: &[Recorded]) -> Vec<(u64, String)> {
    let found = recorded.iter().filter_map(|recorded| match recorded {
        Recorded::Answer { request, outcome: Err(failure) } => {
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
