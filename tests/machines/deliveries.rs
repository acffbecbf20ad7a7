//! Who is asked, in what order, who may answer, and that nothing is left of a delivery that is over.

use ipcio::driver::machine::{Event, Payload};
use ipcio::driver::protocol::frame::Kind;

use crate::network::{Network, Recorded, Side};
use crate::{SECOND, alice_and_bob, handle, messages};

/// The numbers under which deliveries came, of what a client was told.
fn requests(recorded: &[Recorded]) -> Vec<u64> {
    let found = recorded.iter().filter_map(|recorded| match recorded {
        Recorded::Message { request, .. } => *request,
        _ => None,
    });
    found.collect()
}

/// Closes the server, and says whether it had nothing to wait for.
fn closes_at_once(network: &mut Network) -> bool {
    network.run_until_idle();
    network.take_server();
    let (now, mut recorded) = (network.now, Vec::new());
    network.server().close(now, &mut |event: Event<'_>| recorded.push(Recorded::from(event)));
    network.flush(Side::Server);
    network.run_until_idle();
    recorded.extend(network.take_server());
    recorded.contains(&Recorded::Closed)
}

#[test]
fn a_new_server_is_asked_in_the_order_in_which_the_one_before_was() {
    let mut network = alice_and_bob();
    // Some for the server and some for bob, received by the server and not answered; others are between them.
    for request in 1..=40 {
        let name = if request % 3 == 0 { "bob" } else { "" };
        network.send(0, Kind::Request, name, request * 7, &request.to_string());
        if request % 5 == 0 {
            let recorded = network.take_server();
            handle(&mut network, Side::Server, &recorded);
        }
    }
    let (recorded, at_bob) = (network.take_server(), network.take(1));
    handle(&mut network, Side::Server, &recorded);
    handle(&mut network, Side::Client(1), &at_bob);
    network.wait(SECOND);
    // One more, which it does not receive.
    network.push(0, Kind::Request, "", 1_000, "41").unwrap();
    network.kill_server();
    network.start_server();
    network.wait(SECOND);
    let numbers =
        |recorded: &[Recorded]| messages(recorded).iter().map(|(text, _)| text.parse().unwrap()).collect::<Vec<u64>>();
    assert_eq!(numbers(&network.take_server()), (1..=41).filter(|number| number % 3 != 0).collect::<Vec<_>>());
    assert_eq!(numbers(&network.take(1)), (1..=40).filter(|number| number % 3 == 0).collect::<Vec<_>>());
}

#[test]
fn a_delivery_to_a_client_on_its_way_comes_behind_the_messages_that_wait_for_it() {
    let mut network = Network::new(1);
    let alice = network.client("alice");
    network.run_until_idle();
    network.take(alice);
    for number in 1..=3 {
        network.send(alice, Kind::Emit, "bob", 0, &number.to_string());
    }
    network.send(alice, Kind::Request, "bob", 4, "4");
    network.send(alice, Kind::Emit, "bob", 0, "5");
    assert!(!network.take(alice).iter().any(|recorded| matches!(recorded, Recorded::Answer { .. })));
    let bob = network.client("bob");
    network.run_until_idle();
    let numbers = ["1", "2", "3", "4", "5"].map(|number| (number, false));
    assert_eq!(messages(&network.take(bob)), numbers);
}

#[test]
fn a_client_cannot_answer_for_another() {
    let mut network = alice_and_bob();
    let carol = network.client("carol");
    network.run_until_idle();
    network.take(carol);
    network.send(0, Kind::Request, "bob", 1, "1");
    let [request] = requests(&network.take(1))[..] else { panic!("bob is asked once") };
    // Carol knows the very number, and alice knows it too.
    for (forger, outcome) in [(carol, Ok(Payload::Json(b"\"forged\""))), (0, Err(Payload::Json(b"{}")))] {
        network.clients[forger].respond(request, outcome);
        network.flush(Side::Client(forger));
        network.run_until_idle();
        assert!(
            !network.take(0).iter().any(|recorded| matches!(recorded, Recorded::Answer { .. })),
            "{forger} answers for bob"
        );
    }
    network.clients[1].respond(request, Ok(Payload::Json(b"\"bob\"")));
    network.flush(Side::Client(1));
    network.run_until_idle();
    assert_eq!(network.take(0), [Recorded::Answer { request: 1, outcome: Ok("\"bob\"".into()) }]);
    // Nor does he answer twice.
    network.clients[1].respond(request, Ok(Payload::Json(b"\"again\"")));
    network.flush(Side::Client(1));
    network.run_until_idle();
    assert_eq!(network.take(0), []);
}

#[test]
fn an_answered_delivery_is_over_on_all_sides() {
    let mut network = alice_and_bob();
    for request in 1..=3 {
        network.send(0, Kind::Request, "bob", request, "1");
        let recorded = network.take(1);
        handle(&mut network, Side::Client(1), &recorded);
        network.clients[1].respond(requests(&recorded)[0], Ok(Payload::Json(b"2")));
        network.flush(Side::Client(1));
        network.run_until_idle();
        assert_eq!(network.take(0), [Recorded::Answer { request, outcome: Ok("2".into()) }]);
    }
    network.kill_server();
    network.start_server();
    network.wait(SECOND);
    assert_eq!(messages(&network.take(1)), []);
    network.send(0, Kind::Request, "bob", 4, "4");
    let recorded = network.take(1);
    handle(&mut network, Side::Client(1), &recorded);
    network.clients[1].respond(requests(&recorded)[0], Err(Payload::Json(b"{}")));
    network.flush(Side::Client(1));
    network.wait(SECOND);
    assert!(closes_at_once(&mut network));
}

#[test]
fn a_cancelled_delivery_is_over_on_all_sides() {
    let mut network = alice_and_bob();
    network.send(0, Kind::Request, "bob", 1, "1");
    let recorded = network.take(1);
    handle(&mut network, Side::Client(1), &recorded);
    network.wait(SECOND);
    network.clients[0].cancel(1);
    network.flush(Side::Client(0));
    network.run_until_idle();
    let now = network.now;
    // Bob has not answered, and the server waits for nothing.
    assert!(closes_at_once(&mut network));
    network.clients[0].close(now, &mut |_: Event<'_>| ());
    assert!(!network.clients[0].is_started());
}

#[test]
fn the_deliveries_of_a_client_that_has_left_are_over_on_all_sides() {
    for goodbye in [true, false] {
        let mut network = alice_and_bob();
        network.send(0, Kind::Request, "bob", 1, "1");
        let recorded = network.take(1);
        handle(&mut network, Side::Client(1), &recorded);
        network.wait(SECOND);
        if goodbye {
            let now = network.now;
            network.clients[0].close(now, &mut |_: Event<'_>| ());
            network.flush(Side::Client(0));
            network.wait(6 * SECOND);
        } else {
            // Its process is gone, and another one has its name.
            network.restart_client(0);
            network.wait(SECOND);
        }
        assert!(
            network
                .take_server()
                .iter()
                .any(|recorded| matches!(recorded, Recorded::SessionEnded { name, .. } if name == "alice"))
        );
        assert!(closes_at_once(&mut network), "goodbye: {goodbye}");
    }
}

#[test]
fn giving_up_costs_the_same_however_many_deliveries_are_outstanding_and_leaves_nothing() {
    const COUNT: u64 = 100_000;
    let mut network = Network::new(1);
    network.kill_server();
    network.client("alice");
    network.run_until_idle();
    for request in 1..=COUNT {
        network.push(0, Kind::Request, "", request, "1").unwrap();
    }
    // From both ends, so that it is neither the first nor the last that is found quickly.
    for request in 1..COUNT {
        let request = if request % 2 == 0 { request } else { COUNT - request };
        network.clients[0].cancel(request);
    }
    let kept: usize = network.clients[0].outstanding().iter().map(|&(_, count)| count).sum();
    assert!(kept < 100_000, "{:?}", network.clients[0].outstanding());
    network.start_server();
    network.wait(SECOND);
    assert_eq!(messages(&network.take_server()), [("1", false)]);
}
