//! What the promises are worth: a server and clients exchange messages while connections block, break and are
//! cut anywhere, and while the server dies at any moment. The order of everything is left to chance: `SEEDS` says
//! how often, and `SEED` repeats the one that a failure names.

#![allow(clippy::unwrap_used, reason = "in a test it is an assertion")]

mod play;
#[path = "../world/mod.rs"]
mod world;

use std::collections::HashSet;
use std::panic::RefUnwindSafe;

use ipcio::protocol::frame::Kind;
use play::Play;

/// How many seeds each test is run with.
const SEEDS: u64 = 25;

#[test]
fn while_the_server_lives_everything_arrives_exactly_once_and_in_order() {
    with_seeds(|seed| {
        let mut play = Play::new(seed);
        play.world.settle();
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
        assert_eq!(play.failed, HashSet::new());
    });
}

#[test]
fn when_clients_die_what_is_for_them_reaches_the_next_of_their_name() {
    with_seeds(|seed| {
        let mut play = Play::new(seed);
        play.world.settle();
        for _ in 0..1500 {
            play.step();
            if play.world.random.one_in(100) {
                play.restart_one();
            }
            if play.world.random.one_in(60) {
                play.cut_one();
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
fn whatever_happens_every_promise_settles_and_what_comes_twice_is_marked() {
    with_seeds(|seed| {
        let mut play = Play::new(seed);
        play.world.settle();
        for _ in 0..2000 {
            play.world.mortality = Some(2000);
            play.step();
            if play.world.server.is_none() {
                play.bury_server();
                play.world.start_server();
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
            if play.world.random.one_in(150) {
                play.restart_one();
            }
        }
        play.end();
    });
}

#[test]
fn when_the_server_dies_nothing_is_lost_and_what_comes_twice_is_marked() {
    with_seeds(|seed| {
        let mut play = Play::new(seed);
        play.world.settle();
        for _ in 0..3000 {
            // What waits in the server for a client that is not there dies with it, as documented.
            play.world.mortality = play.all_connected().then_some(40);
            play.step();
            if play.world.server.is_none() {
                play.bury_server();
                while play.world.random.below(20) > 0 {
                    play.step();
                }
                play.world.start_server();
            }
            if play.world.random.one_in(200) {
                play.cut_one();
            }
        }
        play.end();
        for (note, kind, receivers) in &play.sent {
            // A broadcast is for those who are there.
            if *kind == Kind::Broadcast || play.cancelled.contains(note) || play.failed.contains(note) {
                continue;
            }
            for &receiver in receivers {
                assert!(play.times_seen(receiver, note) > 0, "{kind:?} {note:?} did not come to {receiver}");
            }
        }
    });
}

fn with_seeds(run: impl Fn(u64) + RefUnwindSafe) {
    let given = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    for seed in given("SEED").map_or(0..given("SEEDS").unwrap_or(SEEDS), |seed| seed..seed + 1) {
        if let Err(panic) = std::panic::catch_unwind(|| run(seed)) {
            eprintln!("this was with SEED={seed}");
            std::panic::resume_unwind(panic);
        }
    }
}
