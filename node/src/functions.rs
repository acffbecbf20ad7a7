//! The functions that JavaScript calls for every message: raw functions of Node-API, which cost a third of a
//! method of a `#[napi]` class. They return `undefined` if nothing is left to do, a number if a `dispatch` must
//! follow, and `CODE message` for what was refused.
//!
//! The number says how long a text may be that need not come alone, see [`crate::cork`]. JSON has no line breaks, so these
//! stand between the texts of a run.

#![allow(unsafe_code, reason = "functions that Node-API calls, which is C")]

use std::cell::RefCell;
use std::ptr;
use std::time::{Duration, Instant};

use napi::sys;

use crate::dispatch::Dispatch;
use crate::environment;
use crate::instance::{Instance, Route};
use crate::raw::{Arguments, Env, guard};
use ipcio::Error;
use ipcio::driver::client::{Client, Outgoing};
use ipcio::driver::machine::{Payload, SessionId};
use ipcio::driver::protocol::frame::{HEADER, Kind};
use ipcio::driver::server::Server;

/// Room for text that is kept between calls.
const KEPT: usize = 64 * 1024;

/// The kinds of frames that JavaScript sends.
pub(crate) const SENT: [Kind; 5] = [Kind::Send, Kind::Emit, Kind::Broadcast, Kind::Request, Kind::Discover];

/// What `route` gives for a kind that is none of them.
const UNKNOWN_KIND: &[u8] =
    b"ERR_IPC_WRONG_BINARY ipcio's binary does not know this kind of message, so it has another \
    version than the JavaScript files: install ipcio again.";

thread_local! {
    /// The payload of the call that is being made.
    static PAYLOADS: RefCell<Payloads> = RefCell::default();
}

#[derive(Default)]
struct Payloads {
    text: Vec<u8>,
    /// The last payload's size.
    size: usize,
    /// How many messages the last one was.
    count: usize,
}

/// Gives `exports` the functions.
///
/// # Safety
/// `exports` is an object of the current environment `env`.
pub(crate) unsafe fn define(env: sys::napi_env, exports: sys::napi_value) {
    let functions: [(&str, unsafe extern "C" fn(sys::napi_env, sys::napi_callback_info) -> sys::napi_value); 14] = [
        ("route", route),
        ("send", send),
        ("sendRun", send_run),
        ("ask", ask),
        ("cancel", cancel),
        ("emit", emit),
        ("broadcast", broadcast),
        ("write", write),
        ("respond", respond),
        ("respondRun", respond_run),
        ("dispatch", dispatch),
        ("resume", resume),
        ("drain", drain),
        ("flush", flush),
    ];
    for (name, function) in functions {
        // SAFETY: the caller's promise.
        unsafe { Env::new(env).define(exports, name, Some(function)) };
    }
}

/// `route(instance, kind, name, command)`: where the messages of a client, or the deliveries of a server, go from now on.
/// Most go where the one before went, so it need not be said for each.
unsafe extern "C" fn route(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: those of this call.
    let arguments = unsafe { Arguments::<4>::of(env, info) };
    let known = guard(false, || {
        let Some(instance) = environment::instance(arguments.number(0)) else { return true };
        let Some(kind) = message_kind(arguments.number(1)) else { return false };
        *instance.route.borrow_mut() = Route { kind, name: arguments.string(2), command: arguments.string(3) };
        true
    });
    if known { ptr::null_mut() } else { arguments.give(arguments.scope().string(UNKNOWN_KIND)) }
}

/// `send(instance, payload, isBytes, request, limit)`: a client's message. A delivery whose time is limited ends after so many
/// milliseconds less 1; 0 stands for none.
unsafe extern "C" fn send(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: those of this call.
    let arguments = unsafe { Arguments::<5>::of(env, info) };
    call(&arguments, |instance, payloads| {
        let payload = payloads.read(&arguments, 1);
        let Route { kind, name, command } = &*instance.route.borrow();
        let request = arguments.large_number(3);
        let outgoing = Outgoing { kind: *kind, name, command, payload, request };
        instance.with(Ok(()), |client: &mut Client, _| {
            client.push(&outgoing)?;
            if let Some(end) = end_of(arguments.large_number(4), Instant::now) {
                client.limit_time(request, end);
            }
            Ok(())
        })
    })
}

/// `sendRun(instance, texts, request)`: a client's messages, the first of which has that number.
unsafe extern "C" fn send_run(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: those of this call.
    let arguments = unsafe { Arguments::<3>::of(env, info) };
    call(&arguments, |instance, payloads| {
        let texts = payloads.read_run(&arguments, 1);
        let Route { kind, name, command } = &*instance.route.borrow();
        let request = arguments.large_number(2);
        let first = Outgoing { kind: *kind, name, command, payload: Payload::Json(b""), request };
        instance.with((), |client: &mut Client, _| client.push_run(&first, texts));
        Ok(())
    })
}

/// `ask(instance, payload, isBytes, request, limit)`: a server's delivery, with the limit of `send`.
unsafe extern "C" fn ask(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: those of this call.
    let arguments = unsafe { Arguments::<5>::of(env, info) };
    call(&arguments, |instance, payloads| {
        let payload = payloads.read(&arguments, 1);
        let Route { name, command, .. } = &*instance.route.borrow();
        let (request, now) = (arguments.large_number(3), Instant::now());
        instance.with(Ok(()), |server: &mut Server, _| {
            server.ask(name, command, payload, request, now)?;
            if let Some(end) = end_of(arguments.large_number(4), || now) {
                server.limit_time(request, end);
            }
            Ok(())
        })
    })
}

/// `cancel(instance, request)`: the answer is not waited for any more.
unsafe extern "C" fn cancel(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: those of this call.
    let arguments = unsafe { Arguments::<2>::of(env, info) };
    call(&arguments, |instance, _| {
        instance.cancel(arguments.large_number(1));
        Ok(())
    })
}

/// `emit(instance, name, command, payload, isBytes, delivery)`: a server's message to a client.
unsafe extern "C" fn emit(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: those of this call.
    let arguments = unsafe { Arguments::<6>::of(env, info) };
    call(&arguments, |instance, payloads| {
        let (name, command, delivery) = (arguments.string(1), arguments.string(2), optional(&arguments, 5));
        let payload = payloads.read(&arguments, 3);
        instance.with(Ok(()), |server: &mut Server, _| server.emit(&name, &command, payload, delivery.as_deref()))
    })
}

/// `broadcast(instance, command, payload, isBytes, except)`: a server's message to all clients.
unsafe extern "C" fn broadcast(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: those of this call.
    let arguments = unsafe { Arguments::<5>::of(env, info) };
    call(&arguments, |instance, payloads| {
        let (command, except) = (arguments.string(1), optional(&arguments, 4));
        let payload = payloads.read(&arguments, 2);
        instance.with(Ok(()), |server: &mut Server, _| server.broadcast(&command, payload, except.as_deref()))
    })
}

/// `write(instance, session, command, payload, isBytes, delivery)`: a server's message to the client of a session.
unsafe extern "C" fn write(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: those of this call.
    let arguments = unsafe { Arguments::<6>::of(env, info) };
    call(&arguments, |instance, payloads| {
        let (command, delivery) = (arguments.string(2), optional(&arguments, 5));
        let payload = payloads.read(&arguments, 3);
        let session = SessionId(arguments.number(1));
        instance.with(Ok(()), |server: &mut Server, _| server.send(session, &command, payload, delivery.as_deref()))
    })
}

/// `respond(instance, session, request, isFailure, payload, isBytes)`: the answer to a delivery.
unsafe extern "C" fn respond(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: those of this call.
    let arguments = unsafe { Arguments::<6>::of(env, info) };
    call(&arguments, |instance, payloads| {
        let payload = payloads.read(&arguments, 4);
        let outcome = if arguments.number(3) == 0 { Ok(payload) } else { Err(payload) };
        let answer = (arguments.large_number(2), outcome);
        instance.respond(SessionId(arguments.number(1)), std::iter::once(answer));
        Ok(())
    })
}

/// `respondRun(instance, session, texts, request)`: answers to deliveries of one session, the first of which has that
/// number and each other the next.
unsafe extern "C" fn respond_run(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: those of this call.
    let arguments = unsafe { Arguments::<4>::of(env, info) };
    call(&arguments, |instance, payloads| {
        let outcomes = payloads.read_run(&arguments, 2).map(|text| Ok(Payload::Json(text)));
        instance.respond(SessionId(arguments.number(1)), (arguments.large_number(3)..).zip(outcomes));
        Ok(())
    })
}

/// `dispatch(instance)`: writes what was queued, and hands over what happened.
unsafe extern "C" fn dispatch(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: those of this call.
    unsafe { with_instance(env, info, Instance::dispatch) }
}

/// `resume(instance)`: others of the event loop have run since `onEvents` was called without events.
unsafe extern "C" fn resume(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: those of this call.
    unsafe { with_instance(env, info, Instance::resume) }
}

/// `drain(instance)`: as `dispatch`, without a pause for others.
unsafe extern "C" fn drain(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: those of this call.
    unsafe { with_instance(env, info, Instance::drain) }
}

/// `flush(instance)`: writes what was queued as far as the sockets take it, and hands nothing over.
unsafe extern "C" fn flush(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: those of this call.
    unsafe { with_instance(env, info, Instance::flush) }
}

/// Calls `body` with the instance that is the only argument.
///
/// # Safety
/// `env` and `info` are those of the call.
unsafe fn with_instance(env: sys::napi_env, info: sys::napi_callback_info, body: fn(&Instance)) -> sys::napi_value {
    // SAFETY: the caller's promise.
    let arguments = unsafe { Arguments::<1>::of(env, info) };
    guard((), || {
        if let Some(instance) = environment::instance(arguments.number(0)) {
            body(&instance);
        }
    });
    ptr::null_mut()
}

impl Payloads {
    /// Reads the payload of a call, behind which stands whether it is raw bytes.
    fn read<'a, const N: usize>(&'a mut self, arguments: &'a Arguments<N>, index: usize) -> Payload<'a> {
        let payload = if arguments.number(index + 1) != 0 {
            Payload::Bytes(arguments.buffer(index), None)
        } else {
            arguments.read_string(index, &mut self.text);
            Payload::Json(&self.text)
        };
        self.size = payload.content().len();
        self.count = 1;
        payload
    }

    /// Reads the payloads of a run.
    fn read_run<'a, const N: usize>(
        &'a mut self,
        arguments: &Arguments<N>,
        index: usize,
    ) -> impl Iterator<Item = &'a [u8]> + use<'a, N> {
        arguments.read_string(index, &mut self.text);
        let breaks = memchr::memchr_iter(b'\n', &self.text);
        self.size = self.text.len();
        self.count = breaks.clone().count() + 1;
        let text = &self.text;
        let mut start = 0;
        breaks.chain([text.len()]).map(move |end| &text[std::mem::replace(&mut start, end + 1)..end])
    }
}

/// The kind of message that has this number, if JavaScript sends such.
fn message_kind(number: u32) -> Option<Kind> {
    SENT.into_iter().find(|&kind| kind as u32 == number)
}

/// When a limit in milliseconds and 1 more is over; 0 stands for none, and an end that the clock can't tell never comes.
fn end_of(limit: u64, now: impl FnOnce() -> Instant) -> Option<Instant> {
    let limit = limit.checked_sub(1).map(Duration::from_millis)?;
    now().checked_add(limit)
}

/// A string that may be left out.
fn optional<const N: usize>(arguments: &Arguments<N>, index: usize) -> Option<String> {
    Some(arguments.string(index)).filter(|text| !text.is_empty())
}

/// Calls `body` with the instance that is the first argument.
fn call<const N: usize>(
    arguments: &Arguments<N>,
    body: impl FnOnce(&Instance, &mut Payloads) -> Result<(), Error>,
) -> sys::napi_value {
    let result = guard(Ok(None), || {
        let Some(instance) = environment::instance(arguments.number(0)) else { return Ok(None) };
        PAYLOADS.with_borrow_mut(|payloads| {
            let result = body(&instance, payloads);
            instance.queued(payloads.count, payloads.size + payloads.count * HEADER);
            payloads.text.clear();
            payloads.text.shrink_to(KEPT);
            result.map(|()| instance.gathers())
        })
    });
    let scope = arguments.scope();
    let value = match result {
        Ok(Some(gathers)) => scope.number(gathers),
        Ok(None) => None,
        Err(error) => scope.string(format!("{} {}", error.code().as_str(), error.message()).as_bytes()),
    };
    arguments.give(value)
}
