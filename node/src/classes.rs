//! The classes that `index.js` wraps, and what is called rarely enough to be a `#[napi]` function.

#![allow(unsafe_code, reason = "values of Node-API are taken out of napi-rs's types")]
#![allow(unreachable_pub, reason = "napi-derive asks for it")]
#![allow(missing_docs, reason = "napi-derive writes items without; index.d.ts documents what users see")]

use std::time::{Duration, Instant};

use napi::bindgen_prelude::{Env, Function, JsValue, Object, Unknown};
use napi_derive::napi;

use crate::endpoint::{Driver, Endpoint};
use crate::environment;
use crate::instance::{Instance, Role};
use crate::raw::{self, Callback};
use crate::thread::Thread;
use crate::{console, functions, libuv};
use ipcio::driver::client::{self, Client};
use ipcio::driver::domain::Domain;
use ipcio::driver::machine::{Events, Machine, SessionId};
use ipcio::driver::protocol::message::{self, Message};
use ipcio::driver::protocol::splitter::Splitter;
use ipcio::driver::server::{self, Server};
use ipcio::driver::trust::{Others, Trust};
use ipcio::{Code, Error};

/// What an instance is made with. `index.js` has filled in the defaults.
#[napi(object, object_to_js = false)]
pub struct Options {
    pub domain: String,
    pub name: Option<String>,
    pub verbose: bool,
    /// Whether the loop driver is used.
    pub on_loop: bool,
    pub mode: u32,
    pub allow_any_user: bool,
    pub allow_users: Vec<u32>,
    pub max_message_size: f64,
    pub max_clients: f64,
    pub queue_limit: f64,
    pub handshake_timeout: f64,
    pub slow_consumer_limit: f64,
    pub unfinished_limit: f64,
    pub max_deliveries: f64,
    pub away_limit: f64,
    pub resume_timeout: f64,
    pub close_timeout: f64,
    /// In microseconds.
    pub busy_poll: f64,
}

/// An instance on the side of Rust, known by its number.
#[napi(js_name = "Server")]
pub struct NativeServer {
    id: u32,
}

/// An instance on the side of Rust, known by its number.
#[napi(js_name = "Client")]
pub struct NativeClient {
    id: u32,
}

#[napi]
impl NativeServer {
    #[napi(constructor)]
    pub fn new(env: Env, options: Options) -> napi::Result<NativeServer> {
        let domain = Domain::new(&options.domain).map_err(refused)?;
        let mut server = Server::new(server::Options {
            domain,
            trust: options.trust(),
            limit: options.max_message_size as usize,
            max_clients: options.max_clients as usize,
            handshake_timeout: milliseconds(options.handshake_timeout),
            slow_consumer_limit: options.slow_consumer_limit as usize,
            unfinished_limit: options.unfinished_limit as usize,
            max_deliveries: options.max_deliveries as usize,
            away_limit: options.away_limit as usize,
            resume_timeout: milliseconds(options.resume_timeout),
            close_timeout: milliseconds(options.close_timeout),
            parses_texts: true,
        });
        server.verbose = options.verbose;
        let id = add(env, &options, server, Role::Server)?;
        Ok(NativeServer { id })
    }

    /// What the raw functions know it by.
    #[napi(getter)]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Where it listens.
    #[napi(getter)]
    pub fn path(&self) -> String {
        with_server(self.id, String::new(), |server, _| server.path().display().to_string())
    }

    #[napi(getter)]
    pub fn is_started(&self) -> bool {
        with_server(self.id, false, |server, _| server.is_started())
    }

    #[napi(setter)]
    pub fn set_verbose(&self, verbose: bool) {
        show(verbose);
        with_server(self.id, (), |server, _| server.verbose = verbose);
    }

    #[napi]
    pub fn add_commands(&self, names: Vec<String>) -> napi::Result<()> {
        with_server(self.id, Ok(()), |server, _| server.commands().add(&names)).map_err(refused)
    }

    /// Listens; `on_events` is called with each batch from now on.
    #[napi]
    pub fn start(&self, env: Env, on_events: Function<'_, Unknown<'_>, Unknown<'_>>) -> napi::Result<()> {
        let Some(instance) = environment::instance(self.id) else { return Ok(()) };
        instance.listen().map_err(refused)?;
        start(env, &instance, &on_events)
    }

    /// Ends the connection of a client.
    #[napi]
    pub fn disconnect(&self, session: u32) {
        with_server(self.id, (), |server, events| server.disconnect(SessionId(session), Instant::now(), events));
    }

    /// A large text from this session is no JSON.
    #[napi]
    pub fn distrust(&self, session: u32) {
        with_server(self.id, (), |server, events| server.distrust(SessionId(session), Instant::now(), events));
    }

    /// Whether a client is there.
    #[napi]
    pub fn is_reachable(&self, session: u32) -> bool {
        with_server(self.id, false, |server, _| server.is_connected(SessionId(session)))
    }

    /// Whether a client is sent more than its connection takes.
    #[napi]
    pub fn is_blocked(&self, session: u32) -> bool {
        with_server(self.id, true, |server, _| server.is_blocked(SessionId(session)))
    }

    /// Stops; the last event of the last batch says that it is done.
    #[napi]
    pub fn close(&self) {
        with_server(self.id, (), |server, events| server.close(Instant::now(), events));
    }
}

#[napi]
impl NativeClient {
    #[napi(constructor)]
    pub fn new(env: Env, options: Options) -> napi::Result<NativeClient> {
        let domain = Domain::new(&options.domain).map_err(refused)?;
        let mut client = Client::new(client::Options {
            name: options.name.clone().unwrap_or_else(message::random_hex),
            domain,
            trust: options.trust(),
            limit: options.max_message_size as usize,
            queue_limit: options.queue_limit as usize,
            close_timeout: milliseconds(options.close_timeout),
            parses_texts: true,
        });
        client.verbose = options.verbose;
        let id = add(env, &options, client, Role::Client)?;
        Ok(NativeClient { id })
    }

    /// What the raw functions know it by.
    #[napi(getter)]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Where its server listens.
    #[napi(getter)]
    pub fn path(&self) -> String {
        with_client(self.id, String::new(), |client, _| client.path().display().to_string())
    }

    /// The server's socket may have appeared.
    #[napi]
    pub fn look_again(&self) {
        with_client(self.id, (), |client, _| client.look_again());
    }

    #[napi(getter)]
    pub fn name(&self) -> String {
        with_client(self.id, String::new(), |client, _| client.name().to_owned())
    }

    #[napi(getter)]
    pub fn is_started(&self) -> bool {
        with_client(self.id, false, |client, _| client.is_started())
    }

    #[napi(getter)]
    pub fn is_connected(&self) -> bool {
        with_client(self.id, false, |client, _| client.is_connected())
    }

    #[napi(setter)]
    pub fn set_verbose(&self, verbose: bool) {
        show(verbose);
        with_client(self.id, (), |client, _| client.verbose = verbose);
    }

    #[napi]
    pub fn add_commands(&self, names: Vec<String>) -> napi::Result<()> {
        with_client(self.id, Ok(()), |client, _| client.commands().add(&names)).map_err(refused)
    }

    /// Begins to connect; `on_events` is called with each batch from now on.
    #[napi]
    pub fn connect(&self, env: Env, on_events: Function<'_, Unknown<'_>, Unknown<'_>>) -> napi::Result<()> {
        let Some(instance) = environment::instance(self.id) else { return Ok(()) };
        with_client(self.id, Ok(()), |client, _| client.connect()).map_err(refused)?;
        start(env, &instance, &on_events)
    }

    /// How many messages wait to be sent, acknowledged or answered, and their size in bytes.
    #[napi]
    pub fn queued(&self) -> Vec<f64> {
        with_client(self.id, vec![0.0, 0.0], |client, _| {
            let (messages, bytes) = client.queued();
            vec![messages as f64, bytes as f64]
        })
    }

    /// The time of a delivery runs, though it is not started: `on_events` is called with each batch from now on.
    #[napi]
    pub fn await_time_limits(&self, env: Env, on_events: Function<'_, Unknown<'_>, Unknown<'_>>) -> napi::Result<()> {
        let Some(instance) = environment::instance(self.id) else { return Ok(()) };
        start(env, &instance, &on_events)
    }

    /// Ends the connection, which is made anew.
    #[napi]
    pub fn disconnect(&self) {
        with_client(self.id, (), |client, events| client.disconnect(Instant::now(), events));
    }

    /// A large text from the server is no JSON.
    #[napi]
    pub fn distrust(&self) {
        with_client(self.id, (), |client, events| client.distrust(Instant::now(), events));
    }

    /// Stops; the last event of the last batch says that it is done.
    #[napi]
    pub fn close(&self) {
        with_client(self.id, (), |client, events| client.close(Instant::now(), events));
    }
}

impl Drop for NativeServer {
    fn drop(&mut self) {
        environment::remove(self.id);
    }
}

impl Drop for NativeClient {
    fn drop(&mut self) {
        environment::remove(self.id);
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

impl Options {
    fn trust(&self) -> Trust {
        let others = if self.allow_any_user { Others::Any } else { Others::These(self.allow_users.clone()) };
        Trust { own: rustix::process::geteuid().as_raw(), others }
    }
}

fn add<M: Machine + Send + 'static>(
    env: Env,
    options: &Options,
    machine: M,
    role: fn(Endpoint<M>) -> Role,
) -> napi::Result<u32> {
    show(options.verbose);
    // SAFETY: the environment of this call.
    let environment = environment::of(unsafe { raw::Env::new(env.raw()) });
    // Polling for longer than this would gain nothing, and cost the loop's other users.
    let busy_poll = Duration::from_secs_f64(options.busy_poll.clamp(0.0, 1000.0) / 1e6);
    let driver = if options.on_loop {
        environment.event_loop().map(Driver::Loop)
    } else {
        Thread::new(environment.env).map(Driver::Thread)
    };
    let instance = Instance::new(environment.env, driver.map_err(refused)?, machine, options.mode, busy_poll, role);
    Ok(environment::add(instance))
}

fn start(env: Env, instance: &Instance, on_events: &Function<'_, Unknown<'_>, Unknown<'_>>) -> napi::Result<()> {
    // SAFETY: a function of this call's environment.
    let callback = unsafe { Callback::new(raw::Env::new(env.raw()), on_events.raw()) };
    if let Some(callback) = callback {
        instance.start(callback);
    }
    Ok(())
}

fn with_server<T>(id: u32, otherwise: T, f: impl FnOnce(&mut Server, &mut dyn Events) -> T) -> T {
    match environment::instance(id).as_ref().and_then(|instance| instance.server()) {
        Some(server) => server.with(f),
        None => otherwise,
    }
}

fn with_client<T>(id: u32, otherwise: T, f: impl FnOnce(&mut Client, &mut dyn Events) -> T) -> T {
    match environment::instance(id).as_ref().and_then(|instance| instance.client()) {
        Some(client) => client.with(f),
        None => otherwise,
    }
}

fn show(verbose: bool) {
    if verbose {
        console::install();
    }
}

fn milliseconds(number: f64) -> Duration {
    // A year stands for "without end": later times overflow on some systems.
    Duration::from_secs_f64(number.clamp(0.0, 365.0 * 86_400_000.0) / 1000.0)
}

/// An error whose message begins with its code; `index.js` makes one of its own of it.
#[expect(clippy::needless_pass_by_value, reason = "it is given to map_err")]
fn refused(error: Error) -> napi::Error {
    napi::Error::from_reason(format!("{} {}", error.code().as_str(), error.message()))
}
