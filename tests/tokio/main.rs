//! The crate's own classes on tokio, over real sockets.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests have sockets, files and a clock")]
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion")]

mod events;

use std::future::{Ready, pending, ready};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ipcio::{Bytes, Client, Code, Error, Message, Server};
use ipcio::{ClientBuilder, ServerBuilder};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// What takes longer than this does not happen.
const SOON: Duration = Duration::from_secs(20);

/// A domain that no other test uses.
fn domain() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("tokio-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

fn server(domain: &str) -> ServerBuilder {
    Server::builder().domain(domain).handler("double", async |message: Message| {
        let number: f64 = message.parse()?;
        Ok::<_, Error>(number * 2.0)
    })
}

fn client(domain: &str, name: &str) -> ClientBuilder {
    Client::builder().domain(domain).name(name)
}

/// A handler that keeps who sent what.
fn keep(sender: mpsc::UnboundedSender<(String, Value)>) -> impl Fn(Message) -> Ready<Result<(), Error>> {
    move |message| {
        drop(sender.send((message.from().to_owned(), message.value())));
        ready(Ok(()))
    }
}

/// The next messages, each with its sender.
async fn received(receiver: &mut mpsc::UnboundedReceiver<(String, Value)>, count: usize) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    while found.len() < count {
        found.push(timeout(SOON, receiver.recv()).await.expect("it arrives").expect("the handler lives"));
    }
    found
}

async fn close(server: &Server, clients: &[&Client]) {
    for client in clients {
        timeout(SOON, client.close()).await.expect("a client closes").unwrap();
    }
    timeout(SOON, server.close()).await.expect("the server closes").unwrap();
    assert!(!server.path().exists(), "the socket is left behind");
}

#[tokio::test]
async fn messages_go_to_the_server_to_one_client_and_to_all_others() {
    let domain = domain();
    let (to_server, mut at_server) = mpsc::unbounded_channel();
    let (to_bob, mut at_bob) = mpsc::unbounded_channel();
    let (to_carol, mut at_carol) = mpsc::unbounded_channel();
    let server = server(&domain).handler("note", keep(to_server)).start().unwrap();
    let alice = client(&domain, "alice").connect().await.unwrap();
    let bob = client(&domain, "bob").handler("note", keep(to_bob)).connect().await.unwrap();
    let carol = client(&domain, "carol").handler("note", keep(to_carol)).connect().await.unwrap();

    alice.send("note", json!({ "n": 1 })).await.unwrap();
    alice.emit("bob", "note", 2).await.unwrap();
    bob.broadcast("note", 3).await.unwrap();
    server.emit("bob", "note", 4).unwrap();
    server.broadcast_except("bob", "note", 5).unwrap();
    server.broadcast("note", 6).unwrap();
    alice.emit("nobody", "note", 7).await.unwrap();

    let from = |name: &str, value: Value| (name.to_owned(), value);
    assert_eq!(received(&mut at_server, 1).await, [from("alice", json!({ "n": 1 }))]);
    assert_eq!(received(&mut at_bob, 3).await, [from("alice", json!(2)), from("", json!(4)), from("", json!(6))]);
    assert_eq!(received(&mut at_carol, 3).await, [from("bob", json!(3)), from("", json!(5)), from("", json!(6))]);
    close(&server, &[&alice, &bob, &carol]).await;
}

#[tokio::test]
async fn a_delivery_gives_what_the_handler_returns() {
    let domain = domain();
    let server = server(&domain).start().unwrap();
    let alice = client(&domain, "alice").connect().await.unwrap();
    let greet = async |message: Message| Ok::<_, Error>(format!("Hello {}, I am bob", message.from()));
    let bob = client(&domain, "bob").handler("greet", greet).connect().await.unwrap();

    assert_eq!(alice.deliver("double", 4).await.unwrap().parse::<f64>().unwrap(), 8.0);
    assert_eq!(alice.deliver_to("bob", "greet", ()).await.unwrap().value(), json!("Hello alice, I am bob"));
    let discovered = alice.discover().await.unwrap();
    assert_eq!(
        (discovered.clients, discovered.command_handlers),
        (vec!["alice".into(), "bob".into()], vec!["double".into()])
    );
    close(&server, &[&alice, &bob]).await;
}

#[tokio::test]
async fn a_delivery_fails_with_a_code_for_each_cause() {
    let domain = domain();
    let server = server(&domain)
        .handler("text", async |_| Err::<(), _>("out of stock"))
        .handler("ours", async |_| Err::<(), _>(Error::new(Code::Timeout, "too late")))
        .handler("panic", async |_: Message| if true { panic!("on purpose") } else { Ok::<_, Error>(()) })
        .start()
        .unwrap();
    let alice = client(&domain, "alice").max_message_size(1000).connect().await.unwrap();

    let failure = async |command| alice.deliver(command, ()).await.unwrap_err();
    let error = failure("text").await;
    assert_eq!((error.code(), error.message()), (Code::HandlerThrew, "out of stock"));
    assert_eq!(error.remote().unwrap().name, "Error");
    assert_eq!(failure("ours").await.code(), Code::Timeout);
    assert_eq!(failure("panic").await.code(), Code::HandlerThrew);
    assert_eq!(failure("unknown").await.code(), Code::NoSuchCommand);
    assert_eq!(alice.deliver("double", "text").await.unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(alice.deliver_to("nobody", "greet", ()).await.unwrap_err().code(), Code::NoSuchClient);
    assert_eq!(failure("handshake").await.code(), Code::RestrictedCommand);
    assert_eq!(alice.send("note", "x".repeat(1000)).await.unwrap_err().code(), Code::MessageTooLarge);
    assert_eq!(alice.deliver("double", 1).await.unwrap().value(), json!(2.0));
    close(&server, &[&alice]).await;
}

#[tokio::test]
async fn a_client_that_leaves_before_it_answers_fails_the_delivery() {
    let domain = domain();
    let server = server(&domain).start().unwrap();
    let alice = client(&domain, "alice").connect().await.unwrap();
    let bob = client(&domain, "bob")
        .handler("never", |_| pending::<Result<(), Error>>())
        .close_timeout(Duration::from_millis(50))
        .connect()
        .await
        .unwrap();
    let delivery = alice.deliver_to("bob", "never", ());
    let (answer, closed) = tokio::join!(delivery, async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        bob.close().await
    });
    assert_eq!((answer.unwrap_err().code(), closed), (Code::ClientLeft, Ok(())));
    close(&server, &[&alice]).await;
}

#[tokio::test]
async fn bytes_arrive_as_bytes() {
    let domain = domain();
    let reverse = async |message: Message| {
        let mut bytes = message.data().bytes().unwrap_or_default().to_vec();
        bytes.reverse();
        Ok::<_, Error>(bytes)
    };
    let server = server(&domain).handler("reverse", reverse).start().unwrap();
    let alice = client(&domain, "alice").connect().await.unwrap();
    let answer = alice.deliver("reverse", Bytes(&[1, 2, 255])).await.unwrap();
    assert_eq!(answer.parse::<Vec<u8>>().unwrap(), [255, 2, 1]);
    close(&server, &[&alice]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_larger_than_a_socket_takes_at_once_arrive_in_order_both_ways() {
    let domain = domain();
    let echo = async |message: Message| message.parse::<String>();
    let server = server(&domain).handler("echo", echo).start().unwrap();
    let alice = client(&domain, "alice").connect().await.unwrap();
    let sizes = [10_000_000, 1, 3_000_000, 100, 70_000];
    let mut answers = tokio::task::JoinSet::new();
    for (index, size) in sizes.into_iter().enumerate() {
        let alice = alice.clone();
        answers.spawn(async move {
            let text = index.to_string().repeat(size);
            alice.deliver("echo", &text).await.unwrap().parse::<String>().unwrap() == text
        });
    }
    assert!(answers.join_all().await.into_iter().all(|is_same| is_same));
    close(&server, &[&alice]).await;
}

#[tokio::test]
async fn what_many_messages_at_once_say_arrives_once_each_and_in_their_order() {
    let domain = domain();
    let (sender, mut at_server) = mpsc::unbounded_channel();
    let server = server(&domain).handler("note", keep(sender)).start().unwrap();
    let alice = client(&domain, "alice").connect().await.unwrap();
    let sends = (0..5_000).map(|number| {
        let alice = alice.clone();
        // On a runtime of one thread tasks start in the order in which they were made.
        tokio::spawn(async move { alice.send("note", number).await })
    });
    for send in sends.collect::<Vec<_>>() {
        send.await.unwrap().unwrap();
    }
    let notes = received(&mut at_server, 5_000).await;
    assert!(notes.into_iter().enumerate().all(|(index, (_, value))| value == json!(index)));
    close(&server, &[&alice]).await;
}

#[tokio::test]
async fn a_slow_handler_does_not_delay_others() {
    let domain = domain();
    let slow = async |_| {
        tokio::time::sleep(Duration::from_millis(200)).await;
        Ok::<_, Error>(())
    };
    let server = server(&domain).handler("slow", slow).start().unwrap();
    let alice = client(&domain, "alice").connect().await.unwrap();
    let slow = alice.deliver("slow", ());
    let quick = alice.deliver("double", 1);
    tokio::select! {
        biased;
        _ = slow => panic!("the slow one was first"),
        answer = quick => assert_eq!(answer.unwrap().value(), json!(2.0)),
    }
    close(&server, &[&alice]).await;
}

#[tokio::test]
async fn a_cancelled_delivery_affects_no_other() {
    let domain = domain();
    let server = server(&domain)
        .handler("never", |_| pending::<Result<(), Error>>())
        .close_timeout(Duration::from_millis(50))
        .start()
        .unwrap();
    let alice = client(&domain, "alice").close_timeout(Duration::from_millis(50)).connect().await.unwrap();
    assert!(timeout(Duration::from_millis(50), alice.deliver("never", ())).await.is_err());
    assert_eq!(alice.deliver("double", 2).await.unwrap().value(), json!(4.0));
    close(&server, &[&alice]).await;
}

#[tokio::test]
async fn what_is_sent_without_a_server_arrives_when_there_is_one() {
    let domain = domain();
    let alice = client(&domain, "alice").start().unwrap();
    let (sender, mut at_bob) = mpsc::unbounded_channel();
    let bob = client(&domain, "bob").handler("note", keep(sender)).start().unwrap();
    let sending = tokio::spawn({
        let alice = alice.clone();
        async move { (alice.deliver("double", 3).await, alice.emit("bob", "note", 1).await) }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!alice.is_connected());
    let server = server(&domain).start().unwrap();
    let (answer, emitted) = timeout(SOON, sending).await.unwrap().unwrap();
    assert_eq!((answer.unwrap().value(), emitted), (json!(6.0), Ok(())));
    assert_eq!(received(&mut at_bob, 1).await, [("alice".to_owned(), json!(1))]);
    close(&server, &[&alice, &bob]).await;
}

#[tokio::test]
async fn a_client_finds_the_next_server_whether_the_last_one_was_closed_or_not() {
    let domain = domain();
    let first = server(&domain).start().unwrap();
    let alice = client(&domain, "alice").connect().await.unwrap();
    timeout(SOON, first.close()).await.unwrap().unwrap();
    let waiting = tokio::spawn({
        let alice = alice.clone();
        async move { alice.deliver("double", 5).await }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    let second = server(&domain).start().unwrap();
    assert_eq!(timeout(SOON, waiting).await.unwrap().unwrap().unwrap().value(), json!(10.0));

    drop(second);
    let third = server(&domain).start().unwrap();
    assert_eq!(timeout(SOON, alice.deliver("double", 6)).await.unwrap().unwrap().value(), json!(12.0));
    close(&third, &[&alice]).await;
}

#[tokio::test]
async fn a_name_is_given_once() {
    let domain = domain();
    let server = server(&domain).start().unwrap();
    let alice = client(&domain, "alice").connect().await.unwrap();
    let other = client(&domain, "alice").connect().await;
    assert_eq!(other.unwrap_err().code(), Code::NameTaken);
    alice.close().await.unwrap();
    let other = client(&domain, "alice").connect().await.unwrap();
    close(&server, &[&other]).await;
}

#[tokio::test]
async fn a_domain_has_one_server_and_a_name_that_fits() {
    let domain = domain();
    let first = server(&domain).start().unwrap();
    assert_eq!(server(&domain).start().unwrap_err().code(), Code::System("EADDRINUSE"));
    assert_eq!(server("a/b").start().unwrap_err().code(), Code::Domain);
    let twice = server(&domain).handler("double", async |_| Ok::<_, Error>(())).start();
    assert_eq!(twice.unwrap_err().code(), Code::HandlerExists);
    let reserved = client(&domain, "alice").handler("emit", async |_| Ok::<_, Error>(())).start();
    assert_eq!(reserved.unwrap_err().code(), Code::RestrictedCommand);
    assert!(first.is_listening());
    close(&first, &[]).await;
    assert!(!first.is_listening());
    close(&server(&domain).start().unwrap(), &[]).await;
}

/// Waits until it is so.
async fn until(condition: impl Fn() -> bool) {
    let holds = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(SOON, holds).await.expect("it becomes so");
}

#[tokio::test]
async fn a_socket_that_is_removed_is_made_anew_and_one_that_others_put_there_is_left_alone() {
    let domain = domain();
    let server = server(&domain).start().unwrap();
    let path = server.path().to_owned();
    std::fs::remove_file(&path).unwrap();
    let alice = client(&domain, "alice").connect().await.unwrap();
    assert!(path.exists() && !server.is_displaced());

    std::fs::remove_file(&path).unwrap();
    let other = std::os::unix::net::UnixListener::bind(&path).unwrap();
    until(|| server.is_displaced()).await;
    assert_eq!(alice.deliver("double", 2).await.unwrap().parse::<f64>().unwrap(), 4.0);

    std::fs::remove_file(&path).unwrap();
    until(|| !server.is_displaced()).await;
    drop(other);
    let bob = client(&domain, "bob").connect().await.unwrap();
    assert_eq!(bob.deliver("double", 3).await.unwrap().parse::<f64>().unwrap(), 6.0);
    close(&server, &[&alice, &bob]).await;
}

#[tokio::test]
async fn handlers_can_be_added_later_and_use_what_they_belong_to() {
    let domain = domain();
    let server = server(&domain).start().unwrap();
    let (sender, mut at_bob) = mpsc::unbounded_channel();
    let bob = client(&domain, "bob").handler("note", keep(sender)).connect().await.unwrap();
    let itself = server.clone();
    let pass_on = move |message: Message| {
        let server = itself.clone();
        async move { server.emit("bob", "note", message.from()) }
    };
    server.add_handler("pass on", pass_on).unwrap();
    assert_eq!(server.add_handler("pass on", async |_| Ok::<_, Error>(())).unwrap_err().code(), Code::HandlerExists);
    let alice = client(&domain, "alice").connect().await.unwrap();
    alice.send("pass on", ()).await.unwrap();
    assert_eq!(received(&mut at_bob, 1).await, [(String::new(), json!("alice"))]);
    close(&server, &[&alice, &bob]).await;
}

#[tokio::test]
async fn closing_waits_for_what_is_under_way_and_fails_the_rest() {
    let domain = domain();
    let slow = async |_| {
        tokio::time::sleep(Duration::from_millis(100)).await;
        Ok::<_, Error>("done")
    };
    let server = server(&domain).handler("slow", slow).start().unwrap();
    let alice = client(&domain, "alice").connect().await.unwrap();
    let (answer, closed) = tokio::join!(alice.deliver("slow", ()), alice.close());
    assert_eq!((answer.unwrap().value(), closed), (json!("done"), Ok(())));
    assert_eq!(alice.send("note", 1).await.unwrap_err().code(), Code::Closed);
    assert_eq!(alice.connected().await.unwrap_err().code(), Code::Closed);

    close(&server, &[]).await;
    assert_eq!(server.emit("alice", "note", 1).unwrap_err().code(), Code::Closed);
    let bob = client(&domain, "bob").start().unwrap();
    let (sent, connected, closed) = tokio::join!(bob.send("note", 1), bob.connected(), async {
        tokio::task::yield_now().await;
        bob.close().await
    });
    assert_eq!((sent.unwrap_err().code(), connected.unwrap_err().code(), closed), (Code::Closed, Code::Closed, Ok(())));
}

#[tokio::test]
async fn dropping_the_last_clone_closes_the_sockets() {
    let domain = domain();
    let server = server(&domain).start().unwrap();
    let path = server.path().to_owned();
    let mut raw = UnixStream::connect(&path).unwrap();
    let alice = client(&domain, "alice").connect().await.unwrap();
    drop(server.clone());
    assert!(path.exists());
    drop(server);
    assert!(!path.exists());
    assert_eq!(raw.read(&mut [0]).unwrap(), 0);
    drop(alice);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_clients_that_come_at_once_all_arrive() {
    let domain = domain();
    let server = server(&domain).start().unwrap();
    let mut clients = tokio::task::JoinSet::new();
    for number in 0..300 {
        let client = client(&domain, &format!("client-{number}"));
        clients.spawn(async move {
            let client = client.connect().await.unwrap();
            assert_eq!(client.deliver("double", number).await.unwrap().value(), json!(f64::from(number) * 2.0));
            client
        });
    }
    let clients = timeout(SOON, clients.join_all()).await.expect("all arrive");
    assert_eq!(clients[0].discover().await.unwrap().clients.len(), 300);
    close(&server, &clients.iter().collect::<Vec<_>>()).await;
}

#[tokio::test]
async fn a_client_of_protocol_1_is_served() {
    let domain = domain();
    let (sender, mut at_alice) = mpsc::unbounded_channel();
    let server = server(&domain).start().unwrap();
    let alice = client(&domain, "alice").handler("note", keep(sender)).connect().await.unwrap();
    let path = server.path().to_owned();
    let old = tokio::task::spawn_blocking(move || {
        let mut control = UnixStream::connect(&path).unwrap();
        control.write_all(br#"{"id":null,"command":"handshake","data":"old","delivery":null}"#).unwrap();
        let answer = object(&mut control);
        let private = path.with_extension(format!("{}.{}", extension(&path), answer["data"].as_str().unwrap()));
        let mut private = UnixStream::connect(private).unwrap();
        // In two pieces, and two objects in one.
        private.write_all(br#"{"id":null,"command":"double","data":21,"deli"#).unwrap();
        private.write_all(br#"very":"d1"}{"id":null,"command":"double","data":1,"delivery":"d2"}"#).unwrap();
        let answers = [object(&mut private), object(&mut private)];
        let inner = r#"{\"id\":\"alice\",\"command\":\"note\",\"data\":[7],\"delivery\":null}"#;
        write!(control, r#"{{"id":"old","command":"emit","data":"{inner}","delivery":null}}"#).unwrap();
        control.write_all(br#"{"id":"old","command":"discover","data":null,"delivery":null}"#).unwrap();
        (answers, object(&mut control))
    });
    let ([first, second], discovered) = timeout(SOON, old).await.unwrap().unwrap();
    assert_eq!(
        (&first["command"], &first["data"], &first["delivery"]),
        (&json!("deliver"), &json!(42.0), &json!("d1"))
    );
    assert_eq!((&second["data"], &second["delivery"]), (&json!(2.0), &json!("d2")));
    assert_eq!(discovered["data"], json!({ "clients": ["alice", "old"], "command_handlers": ["double"] }));
    assert_eq!(received(&mut at_alice, 1).await, [("old".to_owned(), json!([7]))]);
    close(&server, &[&alice]).await;
}

/// Reads one JSON object.
fn object(stream: &mut UnixStream) -> Value {
    let mut text = Vec::new();
    loop {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        text.push(byte[0]);
        if let Ok(object) = serde_json::from_slice(&text) {
            return object;
        }
    }
}

fn extension(path: &Path) -> &str {
    path.extension().and_then(|extension| extension.to_str()).unwrap_or_default()
}

#[tokio::test]
async fn options_with_which_nothing_could_work_are_refused_and_huge_ones_mean_without_end() {
    let refused = |result: Result<(), Error>| assert_eq!(result.unwrap_err().code(), Code::InvalidArgument);
    let domain = domain();
    for name in [String::new(), "n".repeat(65_536)] {
        refused(client(&domain, &name).start().map(drop));
    }
    refused(client(&domain, "a").max_message_size(0).start().map(drop));
    refused(server(&domain).max_message_size(0).start().map(drop));
    refused(server(&domain).max_clients(0).start().map(drop));
    refused(server(&domain).handshake_timeout(Duration::ZERO).start().map(drop));
    refused(server(&domain).mode(0o1777).start().map(drop));

    let server = server(&domain)
        .max_message_size(usize::MAX)
        .max_clients(usize::MAX)
        .slow_consumer_limit(usize::MAX)
        .handshake_timeout(Duration::MAX)
        .resume_timeout(Duration::MAX)
        .close_timeout(Duration::MAX)
        .start()
        .unwrap();
    let builder = client(&domain, "a").max_message_size(usize::MAX).close_timeout(Duration::MAX);
    let client = timeout(SOON, builder.connect()).await.unwrap().unwrap();
    let answer = timeout(SOON, client.deliver("double", 21)).await.unwrap().unwrap();
    assert_eq!(answer.parse::<f64>().unwrap(), 42.0);
    close(&server, &[&client]).await;
}

#[tokio::test]
async fn a_delivery_within_a_time_rejects_when_that_is_over() {
    let domain = domain();
    let server = server(&domain)
        .handler("never", async |_: Message| {
            pending::<()>().await;
            Ok::<_, Error>(())
        })
        .start()
        .unwrap();
    let alice = client(&domain, "alice").connect().await.unwrap();
    let bob = client(&domain, "bob").connect().await.unwrap();
    let answer = alice.deliver_within(SOON, "double", 2).await.unwrap();
    assert_eq!(answer.parse::<f64>().unwrap(), 4.0);
    let limit = Duration::from_millis(20);
    for _ in 0..2 {
        let late = timeout(SOON, alice.deliver_within(limit, "never", 1)).await.unwrap();
        assert_eq!(late.unwrap_err().code(), Code::Timeout);
    }
    let unknown = alice.deliver_to_within(Duration::MAX, "bob", "never", 1).await;
    assert_eq!(unknown.unwrap_err().code(), Code::NoSuchCommand);
    close(&server, &[&alice, &bob]).await;
}

#[tokio::test]
async fn a_server_asks_its_clients_and_lists_them() {
    let domain = domain();
    let command = async |message: Message| {
        let peer = message.peer().map(|peer| json!({ "pid": peer.pid, "uid": peer.uid, "gid": peer.gid }));
        Ok::<_, Error>((message.command().to_owned(), peer))
    };
    let server = server(&domain).handler("who", command).max_message_size(1000).start().unwrap();
    let alice = client(&domain, "alice")
        .handler("double", async |message: Message| {
            assert_eq!((message.command(), message.from(), message.peer()), ("double", "", None));
            Ok::<_, Error>(message.parse::<f64>()? * 2.0)
        })
        .handler("fail", async |_| Err::<(), _>("out of stock"))
        .handler("never", |_| pending::<Result<(), Error>>())
        .close_timeout(Duration::from_millis(50))
        .connect()
        .await
        .unwrap();

    assert_eq!(server.deliver("alice", "double", 4).await.unwrap().value(), json!(8.0));
    let answers = (0..100).map(|number| {
        let server = server.clone();
        tokio::spawn(async move { server.deliver("alice", "double", number).await.unwrap().parse::<f64>().unwrap() })
    });
    for (number, answer) in answers.collect::<Vec<_>>().into_iter().enumerate() {
        assert_eq!(answer.await.unwrap(), number as f64 * 2.0);
    }
    let error = server.deliver("alice", "fail", ()).await.unwrap_err();
    assert_eq!((error.code(), error.message()), (Code::HandlerThrew, "out of stock"));
    assert!(error.remote().is_some());
    let code = async |name, command| server.deliver(name, command, ()).await.unwrap_err().code();
    assert_eq!(code("alice", "unknown").await, Code::NoSuchCommand);
    assert_eq!(code("nobody", "double").await, Code::NoSuchClient);
    assert_eq!(code("alice", "handshake").await, Code::RestrictedCommand);
    assert_eq!(server.deliver("alice", "double", "x".repeat(1000)).await.unwrap_err().code(), Code::MessageTooLarge);
    let late = server.deliver_within(Duration::from_millis(20), "alice", "never", ()).await;
    assert_eq!(late.unwrap_err().code(), Code::Timeout);
    // Dropping the future withdraws the question.
    assert!(timeout(Duration::from_millis(20), server.deliver("alice", "never", ())).await.is_err());

    let [listed] = &server.clients()[..] else { panic!("alice is the only client") };
    assert_eq!((&*listed.name, listed.peer.pid, listed.is_away), ("alice", std::process::id(), false));
    assert!(listed.since <= std::time::SystemTime::now() && listed.uuid.len() == 32);
    let who = alice.deliver("who", ()).await.unwrap().value();
    assert_eq!(who, json!(["who", { "pid": listed.peer.pid, "uid": listed.peer.uid, "gid": listed.peer.gid }]));

    let (left, closed) = tokio::join!(server.deliver("alice", "never", ()), alice.close());
    assert_eq!((left.unwrap_err().code(), closed), (Code::ClientLeft, Ok(())));
    close(&server, &[]).await;
    assert_eq!(code("alice", "double").await, Code::Closed);
}
