//! The first bytes of a connection, on both sides: no bytes cause a failure, and a peer gets at
//! most one answer to them.

#![no_main]

use std::time::{Duration, Instant};

use ipcio::driver::client::Client;
use ipcio::driver::machine::{Action, Event, Machine};
use ipcio::driver::server::Server;
use ipcio_fuzz::{Input, client_options, hello, in_pieces, peer, server_options, welcome};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let (pattern, composed) = (input.byte(), input.below(2) == 1);
    let to_server = input.below(2) == 1;
    let mut bytes = Vec::new();
    if composed && to_server {
        hello(&mut input, None, &mut bytes);
    } else if composed {
        welcome(&mut input, &mut bytes);
    }
    bytes.extend_from_slice(input.0);
    if to_server {
        server(&bytes, pattern);
    } else {
        client(&bytes, pattern);
    }
});

fn server(bytes: &[u8], pattern: u8) {
    let now = Instant::now();
    let mut server = Server::new(server_options());
    let control = server.start(now).expect("it was not started");
    let mut sessions = 0_i32;
    let mut events = |event: Event<'_>| match event {
        Event::SessionConnected { .. } => sessions += 1,
        Event::Message(_) => panic!("it handles nothing"),
        _ => {}
    };
    let connection = server.accepted(control, peer(), now, &mut events).expect("it has room");
    'read: for piece in in_pieces(bytes, pattern) {
        server.received(connection, piece, now, &mut events);
        while let Some(action) = server.next_action() {
            if action == Action::Close(connection) {
                break 'read;
            }
        }
        write_all(&mut server, now, &mut events);
    }
    server.elapsed(now + Duration::from_secs(3600), &mut events);
    assert!(sessions <= 1, "one connection became {sessions} sessions");
}

fn client(bytes: &[u8], pattern: u8) {
    let now = Instant::now();
    let mut client = Client::new(client_options("alice"));
    client.connect().expect("it was not started");
    let Some(Action::Connect { connection, .. }) = client.next_action() else { panic!("it connects") };
    let mut connected = 0;
    let mut events = |event: Event<'_>| match event {
        Event::Connected { .. } => connected += 1,
        Event::Message(_) | Event::Answer { .. } | Event::Settled { .. } => panic!("nothing was sent or handled"),
        _ => {}
    };
    client.opened(connection, peer(), now, &mut events);
    write_all(&mut client, now, &mut events);
    'read: for piece in in_pieces(bytes, pattern) {
        client.received(connection, piece, now, &mut events);
        while let Some(action) = client.next_action() {
            match action {
                Action::Close(closed) if closed == connection => break 'read,
                Action::Connect { connection, .. } => client.opened(connection, peer(), now, &mut events),
                _ => {}
            }
        }
        write_all(&mut client, now, &mut events);
    }
    client.elapsed(now + Duration::from_secs(3600), &mut events);
    assert!(connected <= 1, "one connection was made {connected} times");
}

fn write_all(machine: &mut dyn Machine, now: Instant, events: &mut dyn ipcio::driver::machine::Events) {
    machine.prepare(now, events);
    while let Some(connection) = machine.next_write() {
        while !machine.unwritten(connection).is_empty() {
            let count = machine.unwritten(connection).len();
            machine.written(connection, count, now, events);
        }
    }
}
