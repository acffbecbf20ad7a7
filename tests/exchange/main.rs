//! What the promises are worth: a server and clients exchange messages while connections block, break and are
//! cut anywhere, processes die, stop and close at any moment, and peers that mean no good do what they like. The order of
//! everything is left to chance.
//!
//! Each test runs with half of its seeds the same each time and half of them fresh. `SEEDS` says how many, `SEED` repeats
//! the one that a failure names: `SEEDS=2000 cargo test --profile simulation --test exchange`.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests have sockets, files and a clock")]
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion")]

mod fates;
mod old_client;
mod play;
mod strangers;
mod verdict;
#[path = "../world/mod.rs"]
mod world;

use std::collections::HashSet;
use std::panic::RefUnwindSafe;
use std::time::SystemTime;

use ipcio::driver::protocol::frame::Kind;
use ipcio::driver::server;
use play::{CLIENTS, OLD, Play, SERVER, name};
use world::server_options;

/// How many seeds each test is run with.
const SEEDS: u64 = 30;

#[test]
fn while_the_server_lives_everything_arrives_exactly_once_and_in_order() {
    with_seeds(|seed| {
        let mut play = Play::new(seed);
        for _ in 0..1500 {
            play.step();
            if play.world.random.one_in(100) {
                play.server_sends();
            }
            if play.world.random.one_in(40) {
                play.world.capacity = [usize::MAX, 5, 40, 3000][play.world.random.below(4)];
            }
            if play.world.random.one_in(20) {
                play.cut_one();
            }
            if play.world.random.one_in(100) {
                let client = play.world.random.below(CLIENTS);
                play.stop_or_continue(client);
            }
            if play.world.random.one_in(20) {
                play.a_stranger_acts();
            }
        }
        play.end();
        for (note, kind, receivers) in &play.sent {
            for &receiver in receivers {
                let times = play.times_seen(receiver, note);
                let may_be_withdrawn = play.cancelled.contains(note);
                assert!(
                    times == 1 || (may_be_withdrawn && times == 0),
                    "{kind:?} {note:?} came {times} times to {receiver}"
                );
            }
        }
        assert!(play.seen.values().flatten().all(|&(_, redelivered)| !redelivered));
        for sender in (0..=OLD).map(name) {
            let to_old = play.seen.get(&(OLD, sender));
            assert!(to_old.is_none_or(|notes| notes.is_sorted()), "the order changes for protocol 1");
        }
        assert_eq!(play.failed, HashSet::new());
    });
}

#[test]
fn when_clients_die_what_is_for_them_reaches_the_next_of_their_name() {
    with_seeds(|seed| {
        let mut play = Play::new(seed);
        for _ in 0..1500 {
            play.step();
            if play.world.random.one_in(100) {
                play.restart_one();
            }
            if play.world.random.one_in(60) {
                play.cut_one();
            }
            if play.world.random.one_in(40) {
                play.a_stranger_acts();
            }
        }
        play.end();
        for (note, kind, receivers) in play.sent.iter().filter(|(note, ..)| play.settled.contains(&note.1)) {
            for &receiver in receivers {
                assert!(play.times_seen(receiver, note) > 0, "{kind:?} {note:?} did not come to {receiver}");
            }
        }
    });
}

#[test]
fn when_clients_close_what_they_were_told_has_arrived() {
    with_seeds(|seed| {
        let mut play = Play::new(seed);
        // Those who close are others than those who are looked at: what is for one who has left goes nowhere.
        const STAY: [usize; 3] = [2, 3, SERVER];
        for _ in 0..1500 {
            play.step();
            if play.world.random.one_in(80) {
                let client = play.world.random.below(2);
                play.close_one(client);
            }
            if play.world.random.one_in(60) {
                play.cut_one();
            }
            if play.world.random.one_in(40) {
                play.a_stranger_acts();
            }
        }
        play.end();
        for (note, kind, receivers) in play.sent.iter().filter(|(note, ..)| play.settled.contains(&note.1)) {
            for &receiver in receivers.iter().filter(|receiver| STAY.contains(receiver)) {
                assert!(play.times_seen(receiver, note) > 0, "{kind:?} {note:?} did not come to {receiver}");
            }
        }
    });
}

#[test]
fn when_the_server_closes_the_next_one_gets_what_it_did_not_take() {
    with_seeds(|seed| {
        let mut play = Play::new(seed);
        for _ in 0..2000 {
            play.step();
            if play.world.random.one_in(200) && play.all_connected() {
                play.restart_server();
            }
            if play.world.random.one_in(100) {
                play.cut_one();
            }
            if play.world.random.one_in(40) {
                play.a_stranger_acts();
            }
        }
        play.end();
        nothing_is_lost(&play);
    });
}

#[test]
fn when_the_server_dies_nothing_is_lost_and_what_comes_twice_is_marked() {
    with_seeds(|seed| {
        let mut play = Play::new(seed);
        for _ in 0..3000 {
            // Also while clients are away, or on their way: what is for them is kept by those who sent it.
            play.world.mortality = Some([40, 400][play.world.random.below(2)]);
            play.step();
            if play.world.random.one_in(60) {
                play.leave_one();
            }
            if play.world.server.is_none() {
                while play.world.random.below(20) > 0 {
                    play.step();
                }
                play.next_server();
            }
            if play.world.random.one_in(40) {
                play.a_stranger_acts();
            }
        }
        play.end();
        nothing_is_lost(&play);
    });
}

#[test]
fn whatever_happens_every_promise_settles_and_what_comes_twice_is_marked() {
    with_seeds(|seed| anything_happens(Play::new(seed), seed));
}

#[test]
fn whatever_happens_within_limits_every_promise_settles_and_what_comes_twice_is_marked() {
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
        let mut play = Play::with_options(seed, options);
        play.large = large;
        anything_happens(play, seed);
    });
}

fn anything_happens(mut play: Play, seed: u64) {
    (play.drops, play.may_leave) = (true, true);
    for _ in 0..2000 {
        play.world.mortality = seed.is_multiple_of(2).then_some(2000);
        play.step();
        if play.world.server.is_none() {
            while play.world.random.below(10) > 0 {
                play.step();
            }
            play.next_server();
        }
        if play.world.random.one_in(40) {
            play.world.capacity = [usize::MAX, 5, 40, 3000][play.world.random.below(4)];
        }
        if play.world.random.one_in(40) {
            play.cut_one();
        }
        if play.world.random.one_in(100) {
            play.server_sends();
        }
        let client = play.world.random.below(CLIENTS);
        match play.world.random.below(300) {
            0 => play.restart_one(),
            1 | 2 => play.stop_or_continue(client),
            3 => play.close_one(client),
            4 => play.time_leaps(),
            5..=14 => play.a_stranger_acts(),
            _ => {}
        }
    }
    play.end();
}

/// Whatever was for the server, or for clients that live, has come.
fn nothing_is_lost(play: &Play) {
    for (note, kind, receivers) in &play.sent {
        // A broadcast is for those who are there, and protocol 1 promises nothing.
        let is_for_those_there = *kind == Kind::Broadcast || note.0 == name(OLD);
        if is_for_those_there || play.cancelled.contains(note) || play.failed.contains(note) {
            continue;
        }
        for &receiver in receivers.iter().filter(|&&receiver| receiver != OLD) {
            assert!(play.times_seen(receiver, note) > 0, "{kind:?} {note:?} did not come to {receiver}");
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
