//! Values of JavaScript, and how long they live.

#![allow(unsafe_code, reason = "calls into Node-API, which is C")]

use std::ffi::c_char;
use std::marker::PhantomData;
use std::ptr;

use napi::sys;

use super::env::Env;
use super::guard::guard;

/// A handle scope of the current thread, or a call from JavaScript, which is one: values are made in it.
#[derive(Debug)]
pub(crate) struct Scope(Env);

/// A value, alive as long as its scope.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub(crate) struct Value<'scope>(sys::napi_value, PhantomData<&'scope Scope>);

impl Value<'_> {
    /// What Node-API knows it by.
    pub(crate) fn raw(self) -> sys::napi_value {
        self.0
    }
}

impl Scope {
    /// Runs `body` in a handle scope of its own, as callbacks of libuv need it.
    pub(crate) fn open(env: Env, body: impl FnOnce(&Scope)) {
        let mut scope = ptr::null_mut();
        // SAFETY: the environment is the current one, see `Env::new`; the scope is closed after the body, which can't
        // unwind past it.
        unsafe {
            if sys::napi_open_handle_scope(env.raw(), &raw mut scope) != sys::Status::napi_ok {
                return;
            }
            guard((), || body(&Scope(env)));
            sys::napi_close_handle_scope(env.raw(), scope);
        }
    }

    /// The environment.
    pub(super) fn env(&self) -> sys::napi_env {
        self.0.raw()
    }

    /// The scope of a call from JavaScript.
    ///
    /// # Safety
    /// Only during the call, with its environment.
    pub(crate) unsafe fn of_call(env: Env) -> Scope {
        Scope(env)
    }

    /// What a call that makes values has made.
    pub(super) fn value(&self, status: sys::napi_status, value: sys::napi_value) -> Option<Value<'_>> {
        (status == sys::Status::napi_ok).then_some(Value(value, PhantomData))
    }

    /// A string. Texts of ASCII, the most, are copied without being decoded.
    pub(crate) fn string(&self, text: &[u8]) -> Option<Value<'_>> {
        let mut value = ptr::null_mut();
        let start = text.as_ptr().cast::<c_char>();
        // SAFETY: the scope's environment is the current one; the text is `text.len()` bytes long.
        let status = unsafe {
            if text.is_ascii() {
                sys::napi_create_string_latin1(self.env(), start, text.len() as isize, &raw mut value)
            } else {
                sys::napi_create_string_utf8(self.env(), start, text.len() as isize, &raw mut value)
            }
        };
        self.value(status, value)
    }

    /// Lets V8 free Buffers that keep memory of ours with a scavenge. By themselves they only count towards a full
    /// collection, which takes ten times as long; whether a scavenge will do is asked where V8 allocates memory of
    /// its own (`Heap::AllocateExternalBackingStore`), so it is made to allocate a little.
    pub(crate) fn allow_scavenge(&self) {
        let mut value = ptr::null_mut();
        // SAFETY: the scope's environment is the current one; nothing else uses the memory.
        unsafe { sys::napi_create_arraybuffer(self.env(), 1, ptr::null_mut(), &raw mut value) };
    }

    /// A number.
    pub(crate) fn number(&self, number: u32) -> Option<Value<'_>> {
        let mut value = ptr::null_mut();
        // SAFETY: the scope's environment is the current one.
        let status = unsafe { sys::napi_create_uint32(self.env(), number, &raw mut value) };
        self.value(status, value)
    }

    /// `undefined`.
    pub(crate) fn undefined(&self) -> Option<Value<'_>> {
        let mut value = ptr::null_mut();
        // SAFETY: the scope's environment is the current one.
        let status = unsafe { sys::napi_get_undefined(self.env(), &raw mut value) };
        self.value(status, value)
    }
}
