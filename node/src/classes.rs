//! The classes that `index.js` wraps, and what is called rarely enough to be a `#[napi]` function.

#![allow(unsafe_code, reason = "values of Node-API are taken out of napi-rs's types")]
#![allow(unreachable_pub, reason = "napi-derive asks for it")]
#![allow(missing_docs, reason = "napi-derive writes items without; index.d.ts documents what users see")]

use std::time::Instant;

use napi::bindgen_prelude::{Env, JsValue, Object};
use napi_derive::napi;

use crate::native::{Native, OnEvents, refused};
use crate::options::Options;
use crate::{console, environment, functions, libuv};
use ipcio::driver::client::Client;
use ipcio::driver::machine::SessionId;
use ipcio::driver::protocol::v1::message::Message;
use ipcio::driver::protocol::v1::splitter::Splitter;
use ipcio::driver::server::{ClientInfo, Server};
use ipcio::{Code, Error};

/// An instance on the side of Rust.
#[napi(js_name = "Server")]
pub struct NativeServer {
    native: Native<Server>,
}

/// A client as a server sees it.
#[napi(object, object_from_js = false)]
pub struct ListedClient {
    pub name: String,
    pub uuid: String,
    pub pid: u32,
    pub uid: u32,
    pub gid: u32,
    /// For how long it has been connected, or away, in milliseconds.
    pub age: f64,
    pub away: bool,
    pub messages: f64,
    pub bytes: f64,
}

impl ListedClient {
    fn of(info: ClientInfo, now: Instant) -> ListedClient {
        let ClientInfo { name, uuid, peer, since, is_away: away, queued: (messages, bytes) } = info;
        let age = now.saturating_duration_since(since).as_secs_f64() * 1e3;
        let (messages, bytes) = (messages as f64, bytes as f64);
        ListedClient { name, uuid, pid: peer.pid, uid: peer.uid, gid: peer.gid, age, away, messages, bytes }
    }
}

/// An instance on the side of Rust.
#[napi(js_name = "Client")]
pub struct NativeClient {
    native: Native<Client>,
}

#[napi]
impl NativeServer {
    #[napi(constructor)]
    pub fn new(env: Env, options: Options) -> napi::Result<NativeServer> {
        let machine = options.server().map_err(refused)?;
        Ok(NativeServer { native: Native::new(env, &options, machine)? })
    }

    /// What the raw functions know it by.
    #[napi(getter)]
    pub fn id(&self) -> u32 {
        self.native.id
    }

    /// Where the server listens.
    #[napi(getter)]
    pub fn path(&self) -> String {
        self.native.path()
    }

    #[napi(getter)]
    pub fn is_started(&self) -> bool {
        self.native.is_started()
    }

    #[napi(setter)]
    pub fn set_verbose(&self, verbose: bool) {
        self.native.set_verbose(verbose);
    }

    #[napi]
    pub fn add_commands(&self, names: Vec<String>) -> napi::Result<()> {
        self.native.add_commands(&names)
    }

    /// Stops; the last event of the last batch says that it is done.
    #[napi]
    pub fn close(&self) {
        self.native.close();
    }

    /// Listens; `on_events` is called with each batch from now on.
    #[napi]
    pub fn start(&self, env: Env, on_events: OnEvents<'_>) -> napi::Result<()> {
        self.native.start(env, &on_events, |instance| instance.listen())
    }

    /// Ends the connection of a client.
    #[napi]
    pub fn disconnect(&self, session: u32) {
        self.native.with((), |server, events| server.disconnect(SessionId(session), Instant::now(), events));
    }

    /// A large text from this session is no JSON.
    #[napi]
    pub fn distrust(&self, session: u32) {
        self.native.with((), |server, events| server.reject_payload(SessionId(session), Instant::now(), events));
    }

    /// Who is connected or expected back.
    #[napi]
    pub fn clients(&self) -> Vec<ListedClient> {
        let listed = self.native.with(Vec::new(), |server, _| server.list_clients());
        let now = Instant::now();
        listed.into_iter().map(|info| ListedClient::of(info, now)).collect()
    }

    /// Whether a client is there.
    #[napi]
    pub fn is_reachable(&self, session: u32) -> bool {
        self.native.with(false, |server, _| server.is_connected(SessionId(session)))
    }

    /// Whether a client is sent more than its connection takes.
    #[napi]
    pub fn is_blocked(&self, session: u32) -> bool {
        self.native.with(true, |server, _| server.is_blocked(SessionId(session)))
    }
}

#[napi]
impl NativeClient {
    #[napi(constructor)]
    pub fn new(env: Env, options: Options) -> napi::Result<NativeClient> {
        let machine = options.client().map_err(refused)?;
        Ok(NativeClient { native: Native::new(env, &options, machine)? })
    }

    /// What the raw functions know it by.
    #[napi(getter)]
    pub fn id(&self) -> u32 {
        self.native.id
    }

    /// Where the server listens.
    #[napi(getter)]
    pub fn path(&self) -> String {
        self.native.path()
    }

    #[napi(getter)]
    pub fn is_started(&self) -> bool {
        self.native.is_started()
    }

    #[napi(setter)]
    pub fn set_verbose(&self, verbose: bool) {
        self.native.set_verbose(verbose);
    }

    #[napi]
    pub fn add_commands(&self, names: Vec<String>) -> napi::Result<()> {
        self.native.add_commands(&names)
    }

    /// Stops; the last event of the last batch says that it is done.
    #[napi]
    pub fn close(&self) {
        self.native.close();
    }

    #[napi(getter)]
    pub fn name(&self) -> String {
        self.native.with(String::new(), |client, _| client.name().to_owned())
    }

    #[napi(getter)]
    pub fn is_connected(&self) -> bool {
        self.native.with(false, |client, _| client.is_connected())
    }

    /// Begins to connect; `on_events` is called with each batch from now on.
    #[napi]
    pub fn connect(&self, env: Env, on_events: OnEvents<'_>) -> napi::Result<()> {
        self.native.start(env, &on_events, |_| self.native.with(Ok(()), |client, _| client.connect()))
    }

    /// The time of a delivery runs, though it is not started: `on_events` is called with each batch from now on.
    #[napi]
    pub fn await_time_limits(&self, env: Env, on_events: OnEvents<'_>) -> napi::Result<()> {
        self.native.start(env, &on_events, |_| Ok(()))
    }

    /// How many messages wait to be sent, acknowledged or answered, and their size in bytes.
    #[napi]
    pub fn queued(&self) -> Vec<f64> {
        let (messages, bytes) = self.native.with((0, 0), |client, _| client.queued());
        vec![messages as f64, bytes as f64]
    }

    /// Ends the connection, which is made anew.
    #[napi]
    pub fn disconnect(&self) {
        self.native.with((), |client, events| client.disconnect(Instant::now(), events));
    }

    /// A large text from the server is no JSON.
    #[napi]
    pub fn distrust(&self) {
        self.native.with((), |client, events| client.reject_payload(Instant::now(), events));
    }
}

/// Whether the loop driver can be used.
#[napi]
pub fn has_loop() -> bool {
    libuv::is_available()
}

/// Cuts text of protocol 1 into its messages.
#[napi]
pub fn split_messages(text: String) -> napi::Result<Vec<String>> {
    let invalid = || {
        let message = "The text must consist of whole messages of protocol 1; call writeCommand() instead.";
        refused(Error::new(Code::InvalidArgument, message))
    };
    let (mut splitter, mut rest, mut found) = (Splitter::new(text.len()), text.as_bytes(), Vec::new());
    while let Some(object) = splitter.next(&mut rest).map_err(|_| invalid())? {
        Message::parse(&object).map_err(|_| invalid())?;
        found.push(String::from_utf8_lossy(&object).into_owned());
    }
    if splitter.is_empty() { Ok(found) } else { Err(invalid()) }
}

/// Takes the files of all sockets of this thread away, since the process ends.
#[napi]
pub fn unlink_all() {
    for instance in environment::instances() {
        instance.unlink();
    }
}

/// Which version of the JavaScript half this belongs to.
#[napi]
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Defines the raw functions.
#[napi(module_exports)]
pub fn exports(exports: Object<'_>, env: Env) -> napi::Result<()> {
    console::start();
    // SAFETY: the exports of the environment that loads the addon.
    unsafe { functions::define(env.raw(), exports.raw()) };
    Ok(())
}
