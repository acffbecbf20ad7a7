//! What JavaScript passes to a function.

#![allow(unsafe_code, reason = "calls into Node-API, which is C")]

use std::ffi::c_char;
use std::ptr;

use napi::sys;

use super::env::Env;
use super::scope::{Scope, Value};

/// The arguments of a call from JavaScript.
#[derive(Debug)]
pub(crate) struct Arguments<const N: usize> {
    scope: Scope,
    values: [sys::napi_value; N],
}

impl<const N: usize> Arguments<N> {
    /// The arguments of the call that is being made; missing ones are `undefined`.
    ///
    /// # Safety
    /// `env` and `info` are those of the call.
    pub(crate) unsafe fn of(env: sys::napi_env, info: sys::napi_callback_info) -> Arguments<N> {
        let mut values = [ptr::null_mut(); N];
        let mut count = N;
        // SAFETY: there is room for `count` values.
        unsafe {
            sys::napi_get_cb_info(env, info, &raw mut count, values.as_mut_ptr(), ptr::null_mut(), ptr::null_mut());
        }
        // SAFETY: the caller's promise.
        Arguments { scope: unsafe { Scope::of_call(Env::new(env)) }, values }
    }

    /// The scope of the call.
    pub(crate) fn scope(&self) -> &Scope {
        &self.scope
    }

    /// A number, 0 if it is none.
    pub(crate) fn number(&self, index: usize) -> u32 {
        let mut number = 0;
        // SAFETY: a value of the current call.
        unsafe { sys::napi_get_value_uint32(self.scope.env(), self.values[index], &raw mut number) };
        number
    }

    /// A number too large for [`Arguments::number`], 0 if it is none.
    pub(crate) fn large_number(&self, index: usize) -> u64 {
        let mut number = 0;
        // SAFETY: a value of the current call.
        unsafe { sys::napi_get_value_int64(self.scope.env(), self.values[index], &raw mut number) };
        u64::try_from(number).unwrap_or(0)
    }

    /// Reads a string into `text`, in UTF-8; empty if it is none.
    pub(crate) fn read_string(&self, index: usize, text: &mut Vec<u8>) {
        const AT_ONCE: usize = 256;
        text.clear();
        text.reserve(AT_ONCE);
        let (env, value) = (self.scope.env(), self.values[index]);
        let mut length = 0;
        // SAFETY: each call writes at most as many bytes as there is room for, and says how many it wrote.
        unsafe {
            let room = text.capacity();
            let start = text.as_mut_ptr().cast::<c_char>();
            if sys::napi_get_value_string_utf8(env, value, start, room, &raw mut length) != sys::Status::napi_ok {
                return;
            }
            // Node-API writes a NUL behind the text, and never a part of a character (at most 4 bytes).
            if length + 4 >= room {
                let mut whole = 0;
                sys::napi_get_value_string_utf8(env, value, ptr::null_mut(), 0, &raw mut whole);
                text.reserve_exact(whole + 1);
                let start = text.as_mut_ptr().cast::<c_char>();
                sys::napi_get_value_string_utf8(env, value, start, whole + 1, &raw mut length);
            }
            text.set_len(length);
        }
    }

    /// A string; empty if it is none.
    pub(crate) fn string(&self, index: usize) -> String {
        let mut text = Vec::new();
        self.read_string(index, &mut text);
        String::from_utf8(text).unwrap_or_default()
    }

    /// The bytes of a Buffer; empty if it is none.
    pub(crate) fn buffer(&self, index: usize) -> &[u8] {
        let (mut data, mut length) = (ptr::null_mut(), 0);
        // SAFETY: the buffer's memory lives during the call, as these arguments do, and no JavaScript runs in it.
        unsafe {
            let status =
                sys::napi_get_buffer_info(self.scope.env(), self.values[index], &raw mut data, &raw mut length);
            if status != sys::Status::napi_ok || length == 0 {
                return &[];
            }
            std::slice::from_raw_parts(data.cast::<u8>(), length)
        }
    }

    /// Gives `value` back to JavaScript; `None` is `undefined`.
    pub(crate) fn give(&self, value: Option<Value<'_>>) -> sys::napi_value {
        value.map_or(ptr::null_mut(), Value::raw)
    }
}
