//! The functions that JavaScript calls for every message: raw functions of Node-API, which cost a third of a
//! method of a `#[napi]` class. They give `undefined` where nothing is left to do, `true` where a turn has to follow,
//! and `CODE message` for what was refused.

#![allow(unsafe_code, reason = "functions that Node-API calls, which is C")]

use std::borrow::Cow;
use std::cell::RefCell;
use std::ptr;

use napi::sys;

use super::environment;
use super::instance::{Instance, Route};
use super::raw::{Arguments, Env, guard};
use crate::client::Outgoing;
use crate::error::Error;
use crate::machine::{Payload, SessionId};
use crate::protocol::frame::{HEADER, Kind};

/// Room for text that is kept between calls.
const KEPT: usize = 64 * 1024;

thread_local! {
    /// The strings of the call that is being made.
    static TEXTS: RefCell<Texts> = RefCell::default();
}

#[derive(Default)]
struct Texts {
    name: Vec<u8>,
    command: Vec<u8>,
    payload: Vec<u8>,
    /// The payload's size.
    size: usize,
}

/// Where the strings of a call are among its arguments. Behind the payload stands whether it is raw bytes.
struct Places {
    name: Option<usize>,
    command: Option<usize>,
    payload: usize,
}

/// The strings of a call.
struct Read<'a> {
    name: Cow<'a, str>,
    command: Cow<'a, str>,
    payload: Payload<'a>,
}

/// Gives `exports` the functions.
///
/// # Safety
/// `exports` is an object of the current environment `env`.
pub(super) unsafe fn define(env: sys::napi_env, exports: sys::napi_value) {
    let functions: [(&str, unsafe extern "C" fn(sys::napi_env, sys::napi_callback_info) -> sys::napi_value); 8] = [
        ("route", route),
        ("send", send),
        ("cancel", cancel),
        ("emit", emit),
        ("broadcast", broadcast),
        ("write", write),
        ("respond", respond),
        ("turn", turn),
    ];
    for (name, function) in functions {
        // SAFETY: the caller's promise.
        unsafe { Env::new(env).define(exports, name, Some(function)) };
    }
}

/// `route(instance, kind, name, command)`: where the messages of a client go from now on. Most go where the one
/// before went, so it need not be said for each.
unsafe extern "C" fn route(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: those of this call.
    let arguments = unsafe { Arguments::<4>::of(env, info) };
    guard((), || {
        let Some(instance) = environment::instance(arguments.number(0)) else { return };
        let mut route = instance.route.borrow_mut();
        route.kind = match arguments.number(1) {
            2 => Kind::Send,
            3 => Kind::Emit,
            4 => Kind::Broadcast,
            5 => Kind::Request,
            _ => Kind::Discover,
        };
        arguments.replace_string(2, &mut route.name);
        arguments.replace_string(3, &mut route.command);
    });
    ptr::null_mut()
}

/// `send(instance, payload, isBytes, request)`: a client's message.
unsafe extern "C" fn send(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: those of this call.
    let arguments = unsafe { Arguments::<4>::of(env, info) };
    call(&arguments, |instance, texts| {
        let Read { payload, .. } = texts.read(&arguments, &Places { name: None, command: None, payload: 1 });
        let Route { kind, name, command } = &*instance.route.borrow();
        let outgoing = Outgoing { kind: *kind, name, command, payload, request: arguments.large_number(3) };
        instance.client().map_or(Ok(()), |client| client.with(|client, _| client.push(&outgoing)))
    })
}

/// `cancel(instance, request)`: nobody waits for the answer any more.
unsafe extern "C" fn cancel(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: those of this call.
    let arguments = unsafe { Arguments::<2>::of(env, info) };
    call(&arguments, |instance, _| {
        if let Some(client) = instance.client() {
            client.with(|client, _| client.cancel(arguments.large_number(1)));
        }
        Ok(())
    })
}

/// `emit(instance, name, command, payload, isBytes, delivery)`: a server's message to a client.
unsafe extern "C" fn emit(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: those of this call.
    let arguments = unsafe { Arguments::<6>::of(env, info) };
    call(&arguments, |instance, texts| {
        let delivery = optional(&arguments, 5);
        let Read { name, command, payload } =
            texts.read(&arguments, &Places { name: Some(1), command: Some(2), payload: 3 });
        instance.server().map_or(Ok(()), |server| {
            server.with(|server, _| server.emit(&name, &command, payload, delivery.as_deref()))
        })
    })
}

/// `broadcast(instance, command, payload, isBytes, except)`: a server's message to all clients.
unsafe extern "C" fn broadcast(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: those of this call.
    let arguments = unsafe { Arguments::<5>::of(env, info) };
    call(&arguments, |instance, texts| {
        let except = optional(&arguments, 4);
        let Read { command, payload, .. } =
            texts.read(&arguments, &Places { name: None, command: Some(1), payload: 2 });
        instance
            .server()
            .map_or(Ok(()), |server| server.with(|server, _| server.broadcast(&command, payload, except.as_deref())))
    })
}

/// `write(instance, session, command, payload, isBytes, delivery)`: a server's message to the client of a session.
unsafe extern "C" fn write(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: those of this call.
    let arguments = unsafe { Arguments::<6>::of(env, info) };
    call(&arguments, |instance, texts| {
        let delivery = optional(&arguments, 5);
        let Read { command, payload, .. } =
            texts.read(&arguments, &Places { name: None, command: Some(2), payload: 3 });
        let session = SessionId(arguments.number(1));
        instance.server().map_or(Ok(()), |server| {
            server.with(|server, _| server.send(session, &command, payload, delivery.as_deref()))
        })
    })
}

/// `respond(instance, session, request, isFailure, payload, isBytes)`: the answer to a delivery.
unsafe extern "C" fn respond(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: those of this call.
    let arguments = unsafe { Arguments::<6>::of(env, info) };
    call(&arguments, |instance, texts| {
        let Read { payload, .. } = texts.read(&arguments, &Places { name: None, command: None, payload: 4 });
        let outcome = if arguments.number(3) == 0 { Ok(payload) } else { Err(payload) };
        let session = SessionId(arguments.number(1));
        let request = arguments.large_number(2);
        if let Some(client) = instance.client() {
            client.with(|client, _| client.respond(request, outcome));
        } else if let Some(server) = instance.server() {
            server.with(|server, _| server.respond(session, request, outcome));
        }
        Ok(())
    })
}

/// `turn(instance)`: writes what was queued, and hands over what happened.
unsafe extern "C" fn turn(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: those of this call.
    let arguments = unsafe { Arguments::<1>::of(env, info) };
    guard((), || {
        if let Some(instance) = environment::instance(arguments.number(0)) {
            instance.turn();
        }
    });
    ptr::null_mut()
}

impl Texts {
    /// Reads the strings of a call, each where it is an argument.
    fn read<'a, const N: usize>(&'a mut self, arguments: &'a Arguments<N>, places: &Places) -> Read<'a> {
        if let Some(index) = places.name {
            arguments.read_string(index, &mut self.name);
        }
        if let Some(index) = places.command {
            arguments.read_string(index, &mut self.command);
        }
        let payload = if arguments.number(places.payload + 1) != 0 {
            Payload::Bytes(arguments.buffer(places.payload))
        } else {
            arguments.read_string(places.payload, &mut self.payload);
            Payload::Json(&self.payload)
        };
        self.size = payload.content().len();
        Read { name: String::from_utf8_lossy(&self.name), command: String::from_utf8_lossy(&self.command), payload }
    }
}

/// A string that may be left out.
fn optional<const N: usize>(arguments: &Arguments<N>, index: usize) -> Option<String> {
    let mut text = Vec::new();
    arguments.read_string(index, &mut text);
    (!text.is_empty()).then(|| String::from_utf8_lossy(&text).into_owned())
}

/// Calls `body` with the instance that is the first argument.
fn call<const N: usize>(
    arguments: &Arguments<N>,
    body: impl FnOnce(&Instance, &mut Texts) -> Result<(), Error>,
) -> sys::napi_value {
    let result = guard(Ok(false), || {
        let Some(instance) = environment::instance(arguments.number(0)) else { return Ok(false) };
        TEXTS.with_borrow_mut(|texts| {
            let result = body(&instance, texts);
            instance.queued(texts.size + HEADER);
            let needs_turn = !instance.is_in_turn();
            texts.payload.clear();
            texts.payload.shrink_to(KEPT);
            result.map(|()| needs_turn)
        })
    });
    let env = arguments.env();
    let value = match result {
        Ok(true) => env.yes(),
        Ok(false) => None,
        Err(error) => env.string(format!("{} {}", error.code().as_str(), error.message()).as_bytes()),
    };
    arguments.give(value)
}
