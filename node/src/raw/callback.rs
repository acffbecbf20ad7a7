//! Functions of JavaScript that are called from the event loop.

#![allow(unsafe_code, reason = "calls into Node-API, which is C")]

use std::ptr;

use napi::sys;

use super::env::Env;
use super::scope::{Scope, Value};

/// A function that is kept, and the context in which it is called.
#[derive(Debug)]
pub(crate) struct Callback {
    env: Env,
    function: sys::napi_ref,
    context: sys::napi_async_context,
}

impl Callback {
    /// Keeps a function.
    ///
    /// # Safety
    /// This is a call from JavaScript, and `function` is a function of its environment.
    pub(crate) unsafe fn new(env: Env, function: sys::napi_value) -> Option<Callback> {
        let (mut reference, mut context) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: the caller is in a call from JavaScript, where it has the function from.
        let scope = unsafe { Scope::of_call(env) };
        let name = scope.string(b"ipcio")?;
        // SAFETY: the caller's promise, and values of the current scope.
        let created = unsafe {
            sys::napi_create_reference(env.raw(), function, 1, &raw mut reference) == sys::Status::napi_ok
                && sys::napi_async_init(env.raw(), ptr::null_mut(), name.raw(), &raw mut context)
                    == sys::Status::napi_ok
        };
        created.then_some(Callback { env, function: reference, context })
    }

    /// Calls it from the event loop. What it throws is uncaught.
    pub(crate) fn call(&self, arguments: &[Value<'_>]) {
        let (mut function, mut receiver, mut result) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
        let raw = arguments.as_ptr().cast::<sys::napi_value>();
        // SAFETY: the reference and the context live as long as this; `Value` is one pointer, so the
        // arguments are an array of values of the current scope.
        let status = unsafe {
            if sys::napi_get_reference_value(self.env.raw(), self.function, &raw mut function) != sys::Status::napi_ok
                || sys::napi_get_global(self.env.raw(), &raw mut receiver) != sys::Status::napi_ok
            {
                return;
            }
            sys::napi_make_callback(
                self.env.raw(),
                self.context,
                receiver,
                function,
                arguments.len(),
                raw,
                &raw mut result,
            )
        };
        if status != sys::Status::napi_ok {
            self.env.uncaught();
        }
    }
}

impl Drop for Callback {
    fn drop(&mut self) {
        // SAFETY: both were created by `new` and are given back once. After a termination it fails, and the
        // environment gives them back itself.
        unsafe {
            sys::napi_delete_reference(self.env.raw(), self.function);
            sys::napi_async_destroy(self.env.raw(), self.context);
        }
    }
}
