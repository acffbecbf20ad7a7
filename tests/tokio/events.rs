//! The events of a server and of a client.

use std::time::Duration;

use ipcio::{ClientEvent, Code, EventReceiver, ServerEvent};
use tokio::time::timeout;

use super::{SOON, client, close, domain, server};

async fn next<E: Clone>(events: &mut EventReceiver<E>) -> Option<E> {
    timeout(SOON, events.recv()).await.expect("an event comes, or the end")
}

/// The next event of a server: what it is, of which client, and how many messages.
async fn of_server(events: &mut EventReceiver<ServerEvent>) -> (&'static str, String, u64) {
    match next(events).await.expect("the server lives") {
        ServerEvent::ClientConnected { name, uuid, .. } => {
            assert_eq!(uuid.len(), 32);
            ("connected", name, 0)
        }
        ServerEvent::ClientDisconnected { name, uuid, .. } => {
            assert_eq!(uuid.len(), 32);
            ("disconnected", name, 0)
        }
        ServerEvent::Dropped { name, messages, bytes, .. } => {
            assert!(bytes > 0);
            ("dropped", name, messages)
        }
        other => panic!("{other:?}"),
    }
}

/// The code and the path with which a client waits.
async fn waiting(events: &mut EventReceiver<ClientEvent>) -> (Code, std::path::PathBuf) {
    match next(events).await {
        Some(ClientEvent::Waiting { path, reason, .. }) => (reason.code(), path),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_server_reports_clients_that_connect_and_disconnect_beginning_with_those_already_connected() {
    let domain = domain();
    let server = server(&domain).start().unwrap();
    let mut early = server.events();
    let bob = client(&domain, "bob").connect().await.unwrap();
    let mut late = server.events();
    let alice = client(&domain, "alice").connect().await.unwrap();
    alice.close().await.unwrap();
    for events in [&mut early, &mut late] {
        for (event, name) in [("connected", "bob"), ("connected", "alice"), ("disconnected", "alice")] {
            assert_eq!(of_server(events).await, (event, name.to_owned(), 0));
        }
    }
    close(&server, &[&bob]).await;
    for events in [&mut early, &mut late] {
        assert_eq!(of_server(events).await, ("disconnected", "bob".to_owned(), 0));
        assert_eq!(next(events).await, None);
    }
    assert_eq!(next(&mut server.events()).await, None);
}

#[tokio::test]
async fn a_server_says_what_it_gave_up_for_a_client_that_does_not_come_back() {
    let domain = domain();
    let server = server(&domain).resume_timeout(Duration::from_millis(20)).start().unwrap();
    let mut events = server.events();
    drop(client(&domain, "bob").connect().await.unwrap());
    assert_eq!(of_server(&mut events).await, ("connected", "bob".to_owned(), 0));
    server.emit("bob", "note", 1).unwrap();
    server.emit("bob", "note", 2).unwrap();
    assert_eq!(of_server(&mut events).await, ("disconnected", "bob".to_owned(), 0));
    assert_eq!(of_server(&mut events).await, ("dropped", "bob".to_owned(), 2));
    drop(server);
    assert_eq!(next(&mut events).await, None);
}

#[tokio::test]
async fn a_server_says_what_becomes_of_its_socket() {
    let domain = domain();
    let server = server(&domain).start().unwrap();
    let mut events = server.events();
    std::fs::remove_file(server.path()).unwrap();
    assert_eq!(next(&mut events).await, Some(ServerEvent::Relistened));

    std::fs::remove_file(server.path()).unwrap();
    let other = std::os::unix::net::UnixListener::bind(server.path()).unwrap();
    assert_eq!(next(&mut events).await, Some(ServerEvent::Displaced));
    let mut late = server.events();
    assert_eq!(next(&mut late).await, Some(ServerEvent::Displaced));

    std::fs::remove_file(server.path()).unwrap();
    assert_eq!(next(&mut events).await, Some(ServerEvent::Relistened));
    assert_eq!(next(&mut late).await, Some(ServerEvent::Relistened));
    drop(other);
    close(&server, &[]).await;
}

#[tokio::test]
async fn a_client_says_what_it_waits_for_and_when_it_is_connected() {
    let domain = domain();
    let alice = client(&domain, "alice").start().unwrap();
    let mut events = alice.events();
    let (code, path) = waiting(&mut events).await;
    assert_eq!(code, Code::System("ENOENT"));
    for _ in 0..2 {
        let server = server(&domain).start().unwrap();
        assert_eq!(path, server.path());
        assert_eq!(next(&mut events).await, Some(ClientEvent::Connected));
        assert_eq!(next(&mut alice.events()).await, Some(ClientEvent::Connected));
        drop(server);
        assert_eq!(next(&mut events).await, Some(ClientEvent::Disconnected));
        assert_eq!(waiting(&mut events).await, (code, path.clone()));
        assert_eq!(waiting(&mut alice.events()).await, (code, path.clone()));
    }
    let server = server(&domain).start().unwrap();
    assert_eq!(next(&mut events).await, Some(ClientEvent::Connected));
    close(&server, &[&alice]).await;
    assert_eq!(next(&mut events).await, Some(ClientEvent::Disconnected));
    assert_eq!(next(&mut events).await, None);
    assert_eq!(next(&mut alice.events()).await, None);
}

#[tokio::test]
async fn a_client_says_when_its_queue_has_room_again() {
    let domain = domain();
    let alice = client(&domain, "alice").queue_limit(1000).start().unwrap();
    let mut events = alice.events();
    assert_eq!(waiting(&mut events).await.0, Code::System("ENOENT"));
    // An empty queue takes a message of any size.
    let taken = timeout(Duration::ZERO, alice.send("note", "x".repeat(2000))).await;
    let refused = alice.send("note", 1).await;
    assert!(taken.is_err());
    assert_eq!(refused.unwrap_err().code(), Code::QueueFull);
    let server = server(&domain).start().unwrap();
    assert_eq!(next(&mut events).await, Some(ClientEvent::Connected));
    assert_eq!(next(&mut events).await, Some(ClientEvent::Drained));
    close(&server, &[&alice]).await;
}

#[tokio::test]
async fn the_events_of_a_client_end_when_it_is_refused() {
    let domain = domain();
    let server = server(&domain).start().unwrap();
    let first = client(&domain, "alice").connect().await.unwrap();
    let second = client(&domain, "alice").start().unwrap();
    let mut events = second.events();
    assert_eq!(next(&mut events).await, None);
    assert_eq!(second.connected().await.unwrap_err().code(), Code::NameTaken);
    close(&server, &[&first]).await;
}
