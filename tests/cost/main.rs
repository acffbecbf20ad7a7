//! What one operation costs does not grow with what is outstanding: with 100,000 of a kind it takes no longer than three times
//! what it takes with 1,000. Times are compared with each other only, each the median of many.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests have sockets, files and a clock")]
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion")]

mod client;
#[path = "../network/mod.rs"]
mod network;
mod server;

use std::time::{Duration, Instant};

use ipcio::driver::machine::{ConnectionId, Event, Machine};
use ipcio::driver::protocol::frame::{Frame, Kind};

/// How much is outstanding.
const FEW: usize = 1_000;
const MANY: usize = 100_000;

/// How often an operation is timed, and the most that the median may grow.
const SAMPLES: usize = 101;
const MOST: u32 = 3;

/// What takes no longer than this is too quick to be compared: it may be that the memory was not in a cache.
const MOMENT: Duration = Duration::from_micros(4);

/// Calls `prepare` with how much is to be outstanding, and times what it returns.
fn does_not_grow<T: FnMut(usize)>(what: &str, prepare: impl Fn(usize) -> T) {
    let median = |outstanding| {
        let mut operation = prepare(outstanding);
        let mut times: Vec<Duration> = (0..SAMPLES)
            .map(|sample| {
                let begun = Instant::now();
                operation(sample);
                begun.elapsed()
            })
            .collect();
        times.sort_unstable();
        times[SAMPLES / 2].max(MOMENT)
    };
    let mut seen = Vec::new();
    // Other programs may have had the processor.
    for _ in 0..3 {
        let (few, many) = (median(FEW), median(MANY));
        if many <= few * MOST {
            println!("{what}: {few:?} with {FEW}, {many:?} with {MANY}");
            return;
        }
        seen.push((few, many));
    }
    panic!("{what} takes {seen:?} with {FEW} and {MANY} outstanding");
}

/// Carries out all actions of a machine; returns how many bytes it wrote.
fn drain(machine: &mut dyn Machine, now: Instant) -> usize {
    let events = &mut |_: Event<'_>| ();
    let mut count = 0;
    machine.prepare(now, events);
    loop {
        while machine.next_action().is_some() {}
        let Some(connection) = machine.next_write() else { return count };
        while !machine.unwritten(connection).is_empty() {
            let written = machine.unwritten(connection).len();
            count += written;
            machine.written(connection, written, now, events);
        }
    }
}

/// Bytes reach a machine, and all that they lead to happens.
fn receive(machine: &mut dyn Machine, connection: ConnectionId, bytes: &[u8], now: Instant) {
    machine.received(connection, bytes, now, &mut |_: Event<'_>| ());
    drain(machine, now);
}

fn frame(kind: Kind, id: u64, name: &str) -> Vec<u8> {
    let (command, payload) = match kind {
        Kind::Acknowledgement | Kind::Cancel | Kind::Goodbye => ("", &b""[..]),
        Kind::Response | Kind::Failure => ("", &b"1"[..]),
        _ => (network::COMMAND, &b"1"[..]),
    };
    let mut bytes = Vec::new();
    Frame { name, command, payload, ..Frame::bare(kind, id) }.encode(&mut bytes);
    bytes
}
