//! The thread driver: a thread of tokio's owns the sockets, and wakes JavaScript with a threadsafe function.
//!
//! One wake-up is under way at a time for each instance: what comes in meanwhile is taken with it.

#![allow(unsafe_code, reason = "threadsafe functions of Node-API, which is C")]

use std::cell::{Cell, OnceCell};
use std::ffi::c_void;
use std::ptr;
use std::rc::Weak;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use napi::sys;

use crate::batch::Batch;
use crate::batches::Batches;
use crate::dispatch::Dispatch;
use crate::memory;
use crate::raw::{Env, Scope, guard};
use ipcio::driver::Driver;
use ipcio::driver::machine::{Event, Events, Machine};
use ipcio::{Code, Error};

/// So much is handed to JavaScript, in bytes, before others of its event loop run: about what the loop driver reads at once.
///
/// All calls of a threadsafe function that have gathered are made in one iteration of the loop, and those that are added
/// meanwhile: without an end to that, a thread that always has more keeps timers and other sockets of the program waiting.
const HANDED_AT_ONCE: usize = 512 * 1024;

/// What an instance needs to be driven by a thread of tokio's.
#[derive(Debug)]
pub(crate) struct Thread {
    env: Env,
    function: Function,
    runtime: tokio::runtime::Handle,
}

/// A machine whose sockets tokio reads.
#[derive(Debug)]
pub(crate) struct ThreadEndpoint<M: Machine> {
    pub(crate) driver: Driver<M>,
    wake: Arc<Wake>,
    env: Env,
    alive: Cell<bool>,
    /// The size of what was handed over since others have run, in bytes.
    handed: Cell<usize>,
}

/// Events that wait for JavaScript, and the function that wakes it.
#[derive(Debug)]
struct Wake {
    batches: Mutex<Batches>,
    function: Mutex<Option<Function>>,
}

/// A threadsafe function, which gives the events to a [`Target`].
#[derive(Debug)]
struct Function(sys::napi_threadsafe_function);

/// Who hands the events over, once it is known.
type Target = OnceCell<Weak<dyn Dispatch>>;

// SAFETY: calling a threadsafe function from any thread is what it is for. The mutex around it sees to it that
// none is called once it was released.
unsafe impl Send for Function {}

/// Takes the events of a machine on tokio's thread.
struct Recorder(Arc<Wake>);

impl Thread {
    /// For one instance. To be called in a call from JavaScript.
    pub(crate) fn new(env: Env) -> Result<Thread, Error> {
        let function = Function::new(env).ok_or_else(|| {
            Error::new(Code::Closed, "This process or worker is ending; create servers and clients earlier.")
        })?;
        Ok(Thread { env, function, runtime: runtime()?.clone() })
    }
}

impl<M: Machine + Send + 'static> ThreadEndpoint<M> {
    /// `instance` hands its events over. `mode` is that of the sockets' files.
    pub(crate) fn new(machine: M, mode: u32, thread: Thread, instance: Weak<dyn Dispatch>) -> ThreadEndpoint<M> {
        let Thread { env, function, runtime } = thread;
        function.set_target(instance);
        let wake = Arc::new(Wake { batches: Mutex::default(), function: Mutex::new(Some(function)) });
        let driver = Driver::new(machine, mode, runtime, Box::new(Recorder(Arc::clone(&wake))));
        ThreadEndpoint { driver, wake, env, alive: Cell::new(false), handed: Cell::new(0) }
    }
}

impl<M: Machine> ThreadEndpoint<M> {
    /// The events that wait.
    pub(crate) fn batches(&self) -> MutexGuard<'_, Batches> {
        lock(&self.wake.batches)
    }

    /// The next batch. None while it is paused.
    pub(crate) fn take(&self) -> Option<Batch> {
        let handed = self.handed.get();
        if handed >= HANDED_AT_ONCE {
            return None;
        }
        let batch = self.batches().take()?;
        self.handed.set(handed + batch.size());
        Some(batch)
    }

    /// Whether events wait until others of JavaScript's event loop have run.
    pub(crate) fn is_paused(&self) -> bool {
        self.handed.get() >= HANDED_AT_ONCE && !self.batches().is_empty()
    }

    /// They have run.
    pub(crate) fn resume(&self) {
        self.handed.set(0);
    }

    /// Whether the process must stay alive.
    pub(crate) fn keep_alive(&self, alive: bool) {
        if self.alive.replace(alive) != alive
            && let Some(function) = &*lock(&self.wake.function)
        {
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
        drop(lock(&self.wake.function).take());
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
    fn new(env: Env) -> Option<Function> {
        // SAFETY: instances are made in calls from JavaScript.
        let scope = unsafe { Scope::of_call(env) };
        let name = scope.string(b"ipcio")?;
        let target = Box::into_raw(Box::<Target>::default()).cast::<c_void>();
        let mut function = ptr::null_mut();
        // SAFETY: values of the current scope. `on_wake` and `on_finalize` take the context for what it is.
        let status = unsafe {
            sys::napi_create_threadsafe_function(
                env.raw(),
                ptr::null_mut(),
                ptr::null_mut(),
                name.raw(),
                0,
                1,
                target,
                Some(on_finalize),
                target,
                Some(on_wake),
                &raw mut function,
            )
        };
        if status != sys::Status::napi_ok {
            // SAFETY: it was made here, and Node has not taken it.
            drop(unsafe { Box::from_raw(target.cast::<Target>()) });
            return None;
        }
        // SAFETY: it was just created here.
        unsafe { sys::napi_unref_threadsafe_function(env.raw(), function) };
        Some(Function(function))
    }

    fn set_target(&self, instance: Weak<dyn Dispatch>) {
        let mut target = ptr::null_mut();
        // SAFETY: the function has not been released, so its context is there, and is the one that `new` has made.
        unsafe {
            if sys::napi_get_threadsafe_function_context(self.0, &raw mut target) == sys::Status::napi_ok {
                // It is set once.
                let _ = (*target.cast::<Target>().cast_const()).set(instance);
            }
        }
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        // SAFETY: it is released once, by the thread of its environment.
        unsafe { sys::napi_release_threadsafe_function(self.0, sys::ThreadsafeFunctionReleaseMode::abort) };
    }
}

unsafe extern "C" fn on_wake(env: sys::napi_env, _: sys::napi_value, target: *mut c_void, _: *mut c_void) {
    // Without an environment, JavaScript can't be called any more, and the target may be gone.
    if env.is_null() {
        return;
    }
    guard((), || {
        // SAFETY: the context that the function was made with, which is there until it is finalized.
        let target = unsafe { &*target.cast::<Target>().cast_const() };
        if let Some(instance) = target.get().and_then(Weak::upgrade) {
            instance.dispatch();
        }
    });
}

/// The function is called no more.
unsafe extern "C" fn on_finalize(_: sys::napi_env, target: *mut c_void, _: *mut c_void) {
    // SAFETY: `Function::new` has made it, and this is called once.
    drop(unsafe { Box::from_raw(target.cast::<Target>()) });
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
