//! What the classes `Server` and `Client` have in common.

#![allow(unsafe_code, reason = "values of Node-API are taken out of napi-rs's types")]

use std::marker::PhantomData;
use std::time::{Duration, Instant};

use napi::bindgen_prelude::{Env, Function, JsValue, Unknown};

use crate::endpoint::Driver;
use crate::instance::Instance;
use crate::options::{LONGEST_BUSY_POLL, Options};
use crate::raw::{self, Callback};
use crate::role::Class;
use crate::thread::Thread;
use crate::{console, environment};
use ipcio::Error;
use ipcio::driver::machine::Events;

/// The function that is called with each batch of events.
pub(crate) type OnEvents<'env> = Function<'env, Unknown<'env>, Unknown<'env>>;

/// An instance that an object of JavaScript stands for, known by its number.
pub(crate) struct Native<M> {
    pub(crate) id: u32,
    machine: PhantomData<fn() -> M>,
}

impl<M: Class> Native<M> {
    pub(crate) fn new(env: Env, options: &Options, machine: M) -> napi::Result<Native<M>> {
        show(options.verbose);
        // SAFETY: the environment of this call.
        let environment = environment::of(unsafe { raw::Env::new(env.raw()) });
        let busy_poll = Duration::from_secs_f64(options.busy_poll.min(1e6) / 1e6).min(LONGEST_BUSY_POLL);
        let driver = if options.on_loop {
            environment.event_loop().map(Driver::Loop)
        } else {
            Thread::new(environment.env).map(Driver::Thread)
        };
        let instance = Instance::new(environment.env, driver.map_err(refused)?, machine, options.mode, busy_poll);
        Ok(Native { id: environment::add(instance), machine: PhantomData })
    }

    /// Calls `f` with the machine; gives `otherwise` where the environment is ending.
    pub(crate) fn with<T>(&self, otherwise: T, f: impl FnOnce(&mut M, &mut dyn Events) -> T) -> T {
        match environment::instance(self.id) {
            Some(instance) => instance.with(otherwise, f),
            None => otherwise,
        }
    }

    pub(crate) fn path(&self) -> String {
        self.with(String::new(), |machine, _| machine.path().display().to_string())
    }

    pub(crate) fn is_started(&self) -> bool {
        self.with(false, |machine, _| machine.is_started())
    }

    pub(crate) fn set_verbose(&self, verbose: bool) {
        show(verbose);
        self.with((), |machine, _| machine.set_verbose(verbose));
    }

    pub(crate) fn add_commands(&self, names: &[String]) -> napi::Result<()> {
        self.with(Ok(()), |machine, _| machine.commands().add(names)).map_err(refused)
    }

    /// Calls `start`, and `on_events` with each batch from now on.
    pub(crate) fn start(
        &self,
        env: Env,
        on_events: &OnEvents<'_>,
        start: impl FnOnce(&Instance) -> Result<(), Error>,
    ) -> napi::Result<()> {
        let Some(instance) = environment::instance(self.id) else { return Ok(()) };
        start(&instance).map_err(refused)?;
        // SAFETY: a function of this call's environment.
        let callback = unsafe { Callback::new(raw::Env::new(env.raw()), on_events.raw()) };
        if let Some(callback) = callback {
            instance.start(callback);
        }
        Ok(())
    }

    pub(crate) fn close(&self) {
        self.with((), |machine, events| machine.close(Instant::now(), events));
    }
}

impl<M> Drop for Native<M> {
    fn drop(&mut self) {
        environment::remove(self.id);
    }
}

/// An error whose message begins with its code; `lib/errors.js` makes one of its own of it.
#[expect(clippy::needless_pass_by_value, reason = "it is given to map_err")]
pub(crate) fn refused(error: Error) -> napi::Error {
    napi::Error::from_reason(format!("{} {}", error.code().as_str(), error.message()))
}

fn show(verbose: bool) {
    if verbose {
        console::install();
    }
}
