//! The thread driver: a thread of tokio's owns the sockets, and wakes JavaScript with a threadsafe function.
//!
//! One wake-up is under way at a time for each instance: what comes in meanwhile is taken with it.

#![allow(unsafe_code, reason = "threadsafe functions of Node-API, which is C")]

use std::ffi::c_void;
use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use napi::sys;

use crate::batch::Batches;
use crate::environment;
use crate::memory;
use crate::raw::{Env, Scope, guard};
use ipcio::driver::Driver;
use ipcio::driver::machine::{Event, Events, Machine};
use ipcio::{Code, Error};

/// A machine whose sockets tokio reads.
#[derive(Debug)]
pub(crate) struct ThreadEndpoint<M: Machine> {
    pub(crate) driver: Driver<M>,
    wake: Arc<Wake>,
    env: Env,
}

/// Events that wait for JavaScript, and the function that wakes it.
#[derive(Debug)]
struct Wake {
    batches: Mutex<Batches>,
    function: Mutex<Option<Function>>,
}

/// A threadsafe function.
#[derive(Debug)]
struct Function(sys::napi_threadsafe_function);

// SAFETY: calling a threadsafe function from any thread is what it is for. The mutex around it sees to it that
// none is called once it was released.
unsafe impl Send for Function {}

/// Takes the events of a machine on tokio's thread.
struct Recorder(Arc<Wake>);

impl<M: Machine + Send + 'static> ThreadEndpoint<M> {
    /// For the instance of this number.
    pub(crate) fn new(machine: M, mode: u32, env: Env, instance: u32) -> Result<ThreadEndpoint<M>, Error> {
        let function = Function::new(env, instance).ok_or_else(|| {
            Error::new(Code::Closed, "This process or worker is ending; create servers and clients earlier.")
        })?;
        let wake = Arc::new(Wake { batches: Mutex::default(), function: Mutex::new(Some(function)) });
        let runtime = runtime()?;
        let driver = Driver::new(machine, mode, runtime.clone(), Box::new(Recorder(Arc::clone(&wake))));
        Ok(ThreadEndpoint { driver, wake, env })
    }
}

impl<M: Machine> ThreadEndpoint<M> {
    /// The events that wait.
    pub(crate) fn batches(&self) -> MutexGuard<'_, Batches> {
        lock(&self.wake.batches)
    }

    /// Whether the process has to stay.
    pub(crate) fn keep_alive(&self, alive: bool) {
        if let Some(function) = &*lock(&self.wake.function) {
            // SAFETY: the function has not been released, and this is the thread of its environment.
            unsafe {
                if alive {
                    sys::napi_ref_threadsafe_function(self.env.raw(), function.0);
                } else {
                    sys::napi_unref_threadsafe_function(self.env.raw(), function.0);
                }
            }
        }
    }

    /// Wakes JavaScript no more.
    pub(crate) fn abandon(&self) {
        if let Some(function) = lock(&self.wake.function).take() {
            // SAFETY: it is taken out under the lock, so nobody calls it from now on, and released once.
            unsafe {
                sys::napi_release_threadsafe_function(function.0, sys::ThreadsafeFunctionReleaseMode::abort);
            }
        }
    }
}

impl<M: Machine> Drop for ThreadEndpoint<M> {
    fn drop(&mut self) {
        self.abandon();
    }
}

impl Events for Recorder {
    fn event(&mut self, event: Event<'_>) {
        let was_empty = {
            let mut batches = lock(&self.0.batches);
            let was_empty = batches.is_empty();
            batches.event(event);
            was_empty
        };
        if was_empty && let Some(function) = &*lock(&self.0.function) {
            // SAFETY: under the lock the function has not been released. Its queue has no limit.
            unsafe {
                sys::napi_call_threadsafe_function(
                    function.0,
                    ptr::null_mut(),
                    sys::ThreadsafeFunctionCallMode::nonblocking,
                );
            }
        }
    }
}

impl Function {
    /// One that gives the instance of this number a turn.
    fn new(env: Env, instance: u32) -> Option<Function> {
        // SAFETY: instances are made in calls from JavaScript.
        let scope = unsafe { Scope::of_call(env) };
        let name = scope.string(b"ipcio")?;
        let mut function = ptr::null_mut();
        // SAFETY: values of the current scope; `on_wake` takes the context for a number.
        let status = unsafe {
            sys::napi_create_threadsafe_function(
                env.raw(),
                ptr::null_mut(),
                ptr::null_mut(),
                name.raw(),
                0,
                1,
                ptr::null_mut(),
                None,
                instance as usize as *mut c_void,
                Some(on_wake),
                &raw mut function,
            )
        };
        if status != sys::Status::napi_ok {
            return None;
        }
        // SAFETY: it was just created here.
        unsafe { sys::napi_unref_threadsafe_function(env.raw(), function) };
        Some(Function(function))
    }
}

unsafe extern "C" fn on_wake(env: sys::napi_env, _: sys::napi_value, instance: *mut c_void, _: *mut c_void) {
    // Without an environment, JavaScript can't be called any more.
    if env.is_null() {
        return;
    }
    guard((), || {
        if let Some(instance) = environment::instance(instance as usize as u32) {
            instance.turn();
        }
    });
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What a panic left behind is whole: each change is one call.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One thread for all instances of the process, started with the first.
fn runtime() -> Result<&'static tokio::runtime::Handle, Error> {
    static RUNTIME: OnceLock<std::io::Result<tokio::runtime::Handle>> = OnceLock::new();
    let started = RUNTIME.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .on_thread_park(memory::give_back)
            .build()?;
        let handle = runtime.handle().clone();
        std::thread::Builder::new()
            .name("ipcio".into())
            .spawn(move || runtime.block_on(std::future::pending::<()>()))?;
        Ok(handle)
    });
    started.as_ref().map_err(|error| Error::system(error, "start a thread for the sockets"))
}
