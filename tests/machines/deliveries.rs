//! Who is asked, in what order, who may answer, and that nothing is left of a delivery that is over.

use ipcio::driver::machine::{Event, Payload};
use ipcio::driver::protocol::frame::Kind;

use crate::world::{Said, Side, World};
use crate::{SECOND, alice_and_bob, handle, messages};

/// The numbers under which deliveries came, of what a client was told.
fn requests(said: &[Said]) -> Vec<u64> {
    let found = said.iter().filter_map(|said| match said {
        Said::Message { request, .. } => *request,
        _ => None,
    });
    found.collect()
}

/// Closes the server, and says whether it had nothing to wait for.
fn closes_at_once(world: &mut World) -> bool {
    world.settle();
    world.take_server();
    let (now, mut said) = (world.now, Vec::new());
    world.server().close(now, &mut |event: Event<'_>| said.push(Said::from(event)));
    world.flush(Side::Server);
    world.settle();
    said.extend(world.take_server());
    said.contains(&Said::Closed)
}

#[test]
fn a_new_server_is_asked_in_the_order_in_which_the_one_before_was() {
    let mut world = alice_and_bob();
    // Some for the server and some for bob, received by the server and not answered; others are between them.
    for request in 1..=40 {
        let name = if request % 3 == 0 { "bob" } else { "" };
        world.send(0, Kind::Request, name, request * 7, &request.to_string());
        if request % 5 == 0 {
            let said = world.take_server();
            handle(&mut world, Side::Server, &said);
        }
    }
    let (said, at_bob) = (world.take_server(), world.take(1));
    handle(&mut world, Side::Server, &said);
    handle(&mut world, Side::Client(1), &at_bob);
    world.wait(SECOND);
    // One more, which it does not receive.
    world.push(0, Kind::Request, "", 1_000, "41").unwrap();
    world.kill_server();
    world.start_server();
    world.wait(SECOND);
    let numbers = |said: &[Said]| messages(said).iter().map(|(text, _)| text.parse().unwrap()).collect::<Vec<u64>>();
    assert_eq!(numbers(&world.take_server()), (1..=41).filter(|number| number % 3 != 0).collect::<Vec<_>>());
    assert_eq!(numbers(&world.take(1)), (1..=40).filter(|number| number % 3 == 0).collect::<Vec<_>>());
}

#[test]
fn a_delivery_to_a_client_on_its_way_comes_behind_the_messages_that_wait_for_it() {
    let mut world = World::new(1);
    let alice = world.client("alice");
    world.settle();
    world.take(alice);
    for number in 1..=3 {
        world.send(alice, Kind::Emit, "bob", 0, &number.to_string());
    }
    world.send(alice, Kind::Request, "bob", 4, "4");
    world.send(alice, Kind::Emit, "bob", 0, "5");
    assert!(!world.take(alice).iter().any(|said| matches!(said, Said::Answer { .. })));
    let bob = world.client("bob");
    world.settle();
    let numbers = ["1", "2", "3", "4", "5"].map(|number| (number, false));
    assert_eq!(messages(&world.take(bob)), numbers);
}

#[test]
fn nobody_answers_for_another() {
    let mut world = alice_and_bob();
    let carol = world.client("carol");
    world.settle();
    world.take(carol);
    world.send(0, Kind::Request, "bob", 1, "1");
    let [request] = requests(&world.take(1))[..] else { panic!("bob is asked once") };
    // Carol knows the very number, and alice knows it too.
    for (forger, outcome) in [(carol, Ok(Payload::Json(b"\"forged\""))), (0, Err(Payload::Json(b"{}")))] {
        world.clients[forger].respond(request, outcome);
        world.flush(Side::Client(forger));
        world.settle();
        assert!(!world.take(0).iter().any(|said| matches!(said, Said::Answer { .. })), "{forger} answers for bob");
    }
    world.clients[1].respond(request, Ok(Payload::Json(b"\"bob\"")));
    world.flush(Side::Client(1));
    world.settle();
    assert_eq!(world.take(0), [Said::Answer { request: 1, outcome: Ok("\"bob\"".into()) }]);
    // Nor does he answer twice.
    world.clients[1].respond(request, Ok(Payload::Json(b"\"again\"")));
    world.flush(Side::Client(1));
    world.settle();
    assert_eq!(world.take(0), []);
}

#[test]
fn an_answered_delivery_is_over_for_everybody() {
    let mut world = alice_and_bob();
    for request in 1..=3 {
        world.send(0, Kind::Request, "bob", request, "1");
        let said = world.take(1);
        handle(&mut world, Side::Client(1), &said);
        world.clients[1].respond(requests(&said)[0], Ok(Payload::Json(b"2")));
        world.flush(Side::Client(1));
        world.settle();
        assert_eq!(world.take(0), [Said::Answer { request, outcome: Ok("2".into()) }]);
    }
    world.kill_server();
    world.start_server();
    world.wait(SECOND);
    assert_eq!(messages(&world.take(1)), []);
    world.send(0, Kind::Request, "bob", 4, "4");
    let said = world.take(1);
    handle(&mut world, Side::Client(1), &said);
    world.clients[1].respond(requests(&said)[0], Err(Payload::Json(b"{}")));
    world.flush(Side::Client(1));
    world.wait(SECOND);
    assert!(closes_at_once(&mut world));
}

#[test]
fn a_delivery_that_was_given_up_is_over_for_everybody() {
    let mut world = alice_and_bob();
    world.send(0, Kind::Request, "bob", 1, "1");
    let said = world.take(1);
    handle(&mut world, Side::Client(1), &said);
    world.wait(SECOND);
    world.clients[0].cancel(1);
    world.flush(Side::Client(0));
    world.settle();
    let now = world.now;
    // Bob has not answered, and the server waits for nothing.
    assert!(closes_at_once(&mut world));
    world.clients[0].close(now, &mut |_: Event<'_>| ());
    assert!(!world.clients[0].is_started());
}

#[test]
fn the_deliveries_of_a_client_that_has_left_are_over_for_everybody() {
    for goodbye in [true, false] {
        let mut world = alice_and_bob();
        world.send(0, Kind::Request, "bob", 1, "1");
        let said = world.take(1);
        handle(&mut world, Side::Client(1), &said);
        world.wait(SECOND);
        if goodbye {
            let now = world.now;
            world.clients[0].close(now, &mut |_: Event<'_>| ());
            world.flush(Side::Client(0));
            world.wait(6 * SECOND);
        } else {
            // Its process is gone, and another one has its name.
            world.restart_client(0);
            world.wait(SECOND);
        }
        assert!(
            world.take_server().iter().any(|said| matches!(said, Said::SessionEnded { name, .. } if name == "alice"))
        );
        assert!(closes_at_once(&mut world), "goodbye: {goodbye}");
    }
}

#[test]
fn giving_up_costs_the_same_however_many_deliveries_are_outstanding_and_leaves_nothing() {
    const COUNT: u64 = 100_000;
    let mut world = World::new(1);
    world.kill_server();
    world.client("alice");
    world.settle();
    for request in 1..=COUNT {
        world.push(0, Kind::Request, "", request, "1").unwrap();
    }
    // From both ends, so that it is neither the first nor the last that is found quickly.
    for request in 1..COUNT {
        let request = if request % 2 == 0 { request } else { COUNT - request };
        world.clients[0].cancel(request);
    }
    let kept: usize = world.clients[0].outstanding().iter().map(|&(_, count)| count).sum();
    assert!(kept < 100_000, "{:?}", world.clients[0].outstanding());
    world.start_server();
    world.wait(SECOND);
    assert_eq!(messages(&world.take_server()), [("1", false)]);
}
