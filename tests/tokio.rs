//! The crate's own classes on tokio, over real sockets.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ipcio::runtime::{ClientBuilder, ServerBuilder};
use ipcio::{Bytes, Client, Code, Error, Message, Server};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// A domain that nobody else uses.
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
fn keeper(sender: &mpsc::UnboundedSender<(String, serde_json::Value)>) -> impl AsyncFn(Message) -> Result<(), Error> {
    let sender = sender.clone();
    async move |message: Message| {
        drop(sender.send((message.from().to_owned(), message.value())));
        Ok(())
    }
}
