//! Environments of Node.

#![allow(unsafe_code, reason = "calls into Node-API, which is C")]

use std::ffi::{c_char, c_void};
use std::ptr;

use napi::sys;

/// An environment of Node: a thread with an instance of this addon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Env(sys::napi_env);

impl Env {
    /// The environment of a call.
    ///
    /// # Safety
    /// `env` is the one of the current thread, as Node-API gave it.
    pub(crate) unsafe fn new(env: sys::napi_env) -> Env {
        Env(env)
    }

    /// What Node-API knows it by.
    pub(crate) fn raw(self) -> sys::napi_env {
        self.0
    }

    /// The event loop, as libuv knows it.
    pub(crate) fn uv_loop(self) -> *mut c_void {
        let mut found = ptr::null_mut();
        // SAFETY: the environment is the current one, see `new`.
        unsafe { sys::napi_get_uv_event_loop(self.0, &raw mut found) };
        found.cast()
    }

    /// Gives `object` a function.
    ///
    /// # Safety
    /// `object` is an object of this environment.
    pub(crate) unsafe fn define(self, object: sys::napi_value, name: &str, function: sys::napi_callback) {
        let mut value = ptr::null_mut();
        let text = name.as_ptr().cast::<c_char>();
        let length = name.len() as isize;
        // SAFETY: as in `uv_loop`; the name is `length` bytes long.
        unsafe {
            let status = sys::napi_create_function(self.0, text, length, function, ptr::null_mut(), &raw mut value);
            let mut key = ptr::null_mut();
            if status == sys::Status::napi_ok
                && sys::napi_create_string_utf8(self.0, text, length, &raw mut key) == sys::Status::napi_ok
            {
                sys::napi_set_property(self.0, object, key, value);
            }
        }
    }

    /// Calls `hook` with `data` before the environment ends.
    pub(crate) fn on_cleanup(self, hook: extern "C" fn(*mut c_void), data: *mut c_void) {
        // SAFETY: as in `uv_loop`; the hook takes `data` for a number.
        unsafe { sys::napi_add_env_cleanup_hook(self.0, Some(hook), data) };
    }

    /// Calls `hook` with `data` before the environment ends, which waits until the handle is given to
    /// [`finish_cleanup`]. Hooks that were added later are called earlier.
    pub(crate) fn on_loop_cleanup(
        self,
        hook: extern "C" fn(sys::napi_async_cleanup_hook_handle, *mut c_void),
        data: *mut c_void,
    ) {
        // SAFETY: as in `uv_loop`; the hook takes `data` for a number.
        unsafe { sys::napi_add_async_cleanup_hook(self.0, Some(hook), data, ptr::null_mut()) };
    }

    /// Makes a pending exception an uncaught one, as that of an event listener is.
    pub(super) fn uncaught(self) {
        let mut pending = false;
        let mut error = ptr::null_mut();
        // SAFETY: as in `uv_loop`.
        unsafe {
            if sys::napi_is_exception_pending(self.0, &raw mut pending) == sys::Status::napi_ok
                && pending
                && sys::napi_get_and_clear_last_exception(self.0, &raw mut error) == sys::Status::napi_ok
            {
                sys::napi_fatal_exception(self.0, error);
            }
        }
    }
}

/// The environment may end now.
///
/// # Safety
/// `handle` is what the hook of [`Env::on_loop_cleanup`] was called with, and this is called once for it.
pub(crate) unsafe fn finish_cleanup(handle: sys::napi_async_cleanup_hook_handle) {
    // SAFETY: the caller's promise.
    unsafe { sys::napi_remove_async_cleanup_hook(handle) };
}
