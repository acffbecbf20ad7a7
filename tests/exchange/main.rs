//! Whether the guarantees hold: a server and clients exchange messages while connections block, break and are
//! cut anywhere, processes are killed, stopped and closed at any moment, and hostile peers do anything. The order of
//! everything is random.
//!
//! Each test runs with half of its seeds the same each time and half of them fresh. `SEEDS` says how many, `SEED` repeats
//! the one that a failure names: `SEEDS=2000 cargo test --profile simulation --test exchange`.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests have sockets, files and a clock")]
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion")]

mod applications;
mod fates;
#[path = "../network/mod.rs"]
mod network;
mod old_client;
mod strangers;
mod verdict;

use std::collections::HashSet;
use std::panic::RefUnwindSafe;
use std::time::SystemTime;

use applications::{Applications, CLIENTS, OLD, SERVER, name};
use ipcio::driver::protocol::frame::Kind;
use ipcio::driver::server;
use network::server_options;

/// How many seeds each test is run with.
const SEEDS: u64 = 30;

#[test]
fn while_the_server_lives_everything_arrives_exactly_once_and_in_order() {
    with_seeds(|seed| {
        let mut applications = Applications::new(seed);
        for _ in 0..1500 {
            applications.step();
            if applications.network.random.one_in(100) {
                applications.server_sends();
            }
            if applications.network.random.one_in(40) {
                applications.network.capacity = [usize::MAX, 5, 40, 3000][applications.network.random.below(4)];
            }
            if applications.network.random.one_in(20) {
                applications.cut_one();
            }
            if applications.network.random.one_in(100) {
                let client = applications.network.random.below(CLIENTS);
                applications.stop_or_continue(client);
            }
            if applications.network.random.one_in(20) {
                applications.a_stranger_acts();
            }
        }
        applications.end();
        for (note, kind, receivers) in &applications.sent {
            for &receiver in receivers {
                let times = applications.times_seen(receiver, note);
                let may_be_withdrawn = applications.cancelled.contains(note);
                assert!(
                    times == 1 || (may_be_withdrawn && times == 0),
                    "{kind:?} {note:?} came {times} times to {receiver}"
                );
            }
        }
        assert!(applications.seen.values().flatten().all(|&(_, redelivered)| !redelivered));
        for sender in (0..=OLD).map(name) {
            let to_old = applications.seen.get(&(OLD, sender));
            assert!(to_old.is_none_or(|notes| notes.is_sorted()), "the order changes for protocol 1");
        }
        assert_eq!(applications.failed, HashSet::new());
    });
}

#[test]
fn when_clients_die_what_is_for_them_reaches_the_next_of_their_name() {
    with_seeds(|seed| {
        let mut applications = Applications::new(seed);
        for _ in 0..1500 {
            applications.step();
            if applications.network.random.one_in(100) {
                applications.restart_one();
            }
            if applications.network.random.one_in(60) {
                applications.cut_one();
            }
            if applications.network.random.one_in(40) {
                applications.a_stranger_acts();
            }
        }
        applications.end();
        for (note, kind, receivers) in
            applications.sent.iter().filter(|(note, ..)| applications.settled.contains(&note.1))
        {
            for &receiver in receivers {
                assert!(applications.times_seen(receiver, note) > 0, "{kind:?} {note:?} did not come to {receiver}");
            }
        }
    });
}

#[test]
fn when_clients_close_what_they_were_told_has_arrived() {
    with_seeds(|seed| {
        let mut applications = Applications::new(seed);
        // Those who close are others than those who are looked at: what is for one who has left goes nowhere.
        const STAY: [usize; 3] = [2, 3, SERVER];
        for _ in 0..1500 {
            applications.step();
            if applications.network.random.one_in(80) {
                let client = applications.network.random.below(2);
                applications.close_one(client);
            }
            if applications.network.random.one_in(60) {
                applications.cut_one();
            }
            if applications.network.random.one_in(40) {
                applications.a_stranger_acts();
            }
        }
        applications.end();
        for (note, kind, receivers) in
            applications.sent.iter().filter(|(note, ..)| applications.settled.contains(&note.1))
        {
            for &receiver in receivers.iter().filter(|receiver| STAY.contains(receiver)) {
                assert!(applications.times_seen(receiver, note) > 0, "{kind:?} {note:?} did not come to {receiver}");
            }
        }
    });
}

#[test]
fn when_the_server_closes_the_next_one_gets_what_it_did_not_take() {
    with_seeds(|seed| {
        let mut applications = Applications::new(seed);
        for _ in 0..2000 {
            applications.step();
            if applications.network.random.one_in(200) && applications.all_connected() {
                applications.restart_server();
            }
            if applications.network.random.one_in(100) {
                applications.cut_one();
            }
            if applications.network.random.one_in(40) {
                applications.a_stranger_acts();
            }
        }
        applications.end();
        nothing_is_lost(&applications);
    });
}

#[test]
fn when_the_server_dies_nothing_is_lost_and_what_comes_twice_is_marked() {
    with_seeds(|seed| {
        let mut applications = Applications::new(seed);
        for _ in 0..3000 {
            // Also while clients are away, or on their way: what is for them is kept by those who sent it.
            applications.network.mortality = Some([40, 400][applications.network.random.below(2)]);
            applications.step();
            if applications.network.random.one_in(60) {
                applications.leave_one();
            }
            applications.replace_dead_server(20);
            if applications.network.random.one_in(40) {
                applications.a_stranger_acts();
            }
        }
        applications.end();
        nothing_is_lost(&applications);
    });
}

#[test]
fn every_promise_settles_and_repetitions_are_marked_after_any_events() {
    with_seeds(|seed| anything_happens(Applications::new(seed), seed));
}

#[test]
fn every_promise_settles_and_repetitions_are_marked_after_any_events_within_limits() {
    with_seeds(|seed| {
        let large = seed.is_multiple_of(3);
        let options = server::Options {
            slow_consumer_limit: if large { 1 << 30 } else { 20_000 },
            unfinished_limit: 100_000,
            max_deliveries: 5,
            away_limit: 30_000,
            max_clients: CLIENTS + 3,
            ..server_options()
        };
        let mut applications = Applications::with_options(seed, options);
        applications.large = large;
        anything_happens(applications, seed);
    });
}

fn anything_happens(mut applications: Applications, seed: u64) {
    (applications.drops, applications.may_leave) = (true, true);
    for _ in 0..2000 {
        applications.network.mortality = seed.is_multiple_of(2).then_some(2000);
        applications.step();
        applications.replace_dead_server(10);
        if applications.network.random.one_in(40) {
            applications.network.capacity = [usize::MAX, 5, 40, 3000][applications.network.random.below(4)];
        }
        if applications.network.random.one_in(40) {
            applications.cut_one();
        }
        if applications.network.random.one_in(100) {
            applications.server_sends();
        }
        let client = applications.network.random.below(CLIENTS);
        match applications.network.random.below(300) {
            0 => applications.restart_one(),
            1 | 2 => applications.stop_or_continue(client),
            3 => applications.close_one(client),
            4 => applications.time_leaps(),
            5..=14 => applications.a_stranger_acts(),
            _ => {}
        }
    }
    applications.end();
}

/// All messages for the server and for living clients have arrived.
fn nothing_is_lost(applications: &Applications) {
    for (note, kind, receivers) in &applications.sent {
        // A broadcast is for those who are there, and protocol 1 promises nothing.
        let is_for_those_there = *kind == Kind::Broadcast || note.0 == name(OLD);
        if is_for_those_there || applications.cancelled.contains(note) || applications.failed.contains(note) {
            continue;
        }
        for &receiver in receivers.iter().filter(|&&receiver| receiver != OLD) {
            assert!(applications.times_seen(receiver, note) > 0, "{kind:?} {note:?} did not come to {receiver}");
        }
    }
}

fn with_seeds(run: impl Fn(u64) + RefUnwindSafe) {
    let given = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let (count, since_1970) = (given("SEEDS").unwrap_or(SEEDS), SystemTime::UNIX_EPOCH.elapsed().unwrap());
    let fresh = since_1970.as_micros() as u64;
    let seeds: Vec<u64> = match given("SEED") {
        Some(seed) => vec![seed],
        None => (0..count / 2).chain(fresh..fresh + count.div_ceil(2)).collect(),
    };
    println!("fresh seeds begin with {fresh}");
    for seed in seeds {
        if let Err(panic) = std::panic::catch_unwind(|| run(seed)) {
            eprintln!("this was with SEED={seed}");
            std::panic::resume_unwind(panic);
        }
    }
}
