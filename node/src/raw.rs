//! The few calls of Node-API that are made directly, because they are made for every message or every batch.
//! A call that fails (during termination all do) is tolerated: it gives nothing, and never panics.

#![allow(unsafe_code, reason = "calls into Node-API, which is C")]

use std::ffi::{c_char, c_void};
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::Arc;

use napi::sys;

use crate::batch::Attachment;
use crate::memory;

/// From this size on, a Buffer keeps the memory of its bytes instead of copying them.
const LARGE: usize = 64 * 1024;

/// Up to this size, Buffers are freed by scavenges. Larger ones bring about a full collection each, or nearly so.
pub(crate) const SCAVENGED: usize = 16 * 1024 * 1024;

/// From this size on, to copy takes longer than to wait for another thread for a moment.
const WORTH_WAITING: usize = 1024 * 1024;

/// How often another thread is let go first.
const YIELDS: usize = 1000;

/// An environment of Node: a thread with an instance of this addon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Env(sys::napi_env);

/// A handle scope of the current thread, or a call from JavaScript, which is one: values are made in it.
#[derive(Debug)]
pub(crate) struct Scope(Env);

/// A value, alive as long as its scope.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub(crate) struct Value<'scope>(sys::napi_value, PhantomData<&'scope Scope>);

/// A function that is kept, and the context in which it is called.
#[derive(Debug)]
pub(crate) struct Callback {
    env: Env,
    function: sys::napi_ref,
    context: sys::napi_async_context,
}

/// The arguments of a call from JavaScript.
#[derive(Debug)]
pub(crate) struct Arguments<const N: usize> {
    scope: Scope,
    values: [sys::napi_value; N],
}

/// Runs `body` at the boundary to C, which no panic may cross.
pub(crate) fn guard<T>(fallback: T, body: impl FnOnce() -> T) -> T {
    // A panic is a defect of this addon. Its message has been printed by the panic hook.
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(fallback)
}

impl Value<'_> {
    /// What Node-API knows it by.
    pub(crate) fn raw(self) -> sys::napi_value {
        self.0
    }
}

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

    /// Runs `body` in a handle scope of its own, as callbacks of libuv need it.
    pub(crate) fn scope(self, body: impl FnOnce(&Scope)) {
        let mut scope = ptr::null_mut();
        // SAFETY: as in `uv_loop`; the scope is closed after the body, which can't unwind past it.
        unsafe {
            if sys::napi_open_handle_scope(self.0, &raw mut scope) != sys::Status::napi_ok {
                return;
            }
            guard((), || body(&Scope(self)));
            sys::napi_close_handle_scope(self.0, scope);
        }
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

    /// Throws `error` where nobody can catch it, as an error in an event listener is.
    fn uncaught(self) {
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

impl Scope {
    /// The scope of a call from JavaScript.
    ///
    /// # Safety
    /// Only during the call, with its environment.
    pub(crate) unsafe fn of_call(env: Env) -> Scope {
        Scope(env)
    }

    /// A string. Texts of ASCII, the most, are copied without being decoded.
    pub(crate) fn string(&self, text: &[u8]) -> Option<Value<'_>> {
        let mut value = ptr::null_mut();
        let start = text.as_ptr().cast::<c_char>();
        // SAFETY: the scope's environment is the current one; the text is `text.len()` bytes long.
        let status = unsafe {
            if text.is_ascii() {
                sys::napi_create_string_latin1(self.0.0, start, text.len() as isize, &raw mut value)
            } else {
                sys::napi_create_string_utf8(self.0.0, start, text.len() as isize, &raw mut value)
            }
        };
        (status == sys::Status::napi_ok).then_some(Value(value, PhantomData))
    }

    /// An array of strings and Buffers.
    pub(crate) fn attachments(&self, attachments: Vec<Attachment>) -> Option<Value<'_>> {
        let mut array = ptr::null_mut();
        // SAFETY: the scope's environment is the current one.
        unsafe {
            if sys::napi_create_array_with_length(self.0.0, attachments.len(), &raw mut array) != sys::Status::napi_ok {
                return None;
            }
            for (index, attachment) in (0..).zip(attachments) {
                let value =
                    if attachment.is_text { self.string(attachment.content()) } else { self.buffer(attachment) };
                // There are texts too long for a string: their place stays empty.
                if let Some(value) = value {
                    sys::napi_set_element(self.0.0, array, index, value.0);
                }
            }
        }
        Some(Value(array, PhantomData))
    }

    /// A Buffer. Large ones are not copied: they keep the memory that the bytes are in, if nobody else has it.
    fn buffer(&self, attachment: Attachment) -> Option<Value<'_>> {
        let Attachment { memory, start, .. } = attachment;
        let length = memory.len() - start;
        if length >= WORTH_WAITING {
            wait_for_others(&memory);
        }
        let mut memory = match Arc::try_unwrap(memory) {
            // Typed arrays of any kind may be laid over it.
            Ok(memory) if length >= LARGE && memory[start..].as_ptr().cast::<u64>().is_aligned() => memory,
            Ok(memory) => return self.copied_buffer(&memory[start..]),
            Err(memory) => return self.copied_buffer(&memory[start..]),
        };
        let mut value = ptr::null_mut();
        let data = memory[start..].as_mut_ptr();
        let kept = Arc::new(memory);
        let owner = Arc::into_raw(Arc::clone(&kept)).cast_mut();
        // SAFETY: the scope's environment is the current one; the memory lives until `release` is called with its owner.
        let status = unsafe {
            sys::napi_create_external_buffer(self.0.0, length, data.cast(), Some(release), owner.cast(), &raw mut value)
        };
        match status {
            sys::Status::napi_ok => {
                if length <= SCAVENGED {
                    self.allow_scavenge();
                }
                return Some(Value(value, PhantomData));
            }
            // Node got as far as to take the owner, and calls `release` by itself, now or later.
            sys::Status::napi_generic_failure => {}
            // Some runtimes allow no such Buffers, and none can be made where the environment is ending.
            // SAFETY: the owner was not taken, and comes from `into_raw` above.
            _ => drop(unsafe { Arc::from_raw(owner) }),
        }
        self.copied_buffer(&kept[start..])
    }

    /// Lets V8 free Buffers that keep memory of ours with a scavenge. By themselves they only count towards a full
    /// collection, which takes ten times as long; whether a scavenge will do is asked where V8 allocates memory of
    /// its own (`Heap::AllocateExternalBackingStore`), so it is made to allocate a little.
    pub(crate) fn allow_scavenge(&self) {
        let mut value = ptr::null_mut();
        // SAFETY: the scope's environment is the current one; nobody uses the memory.
        unsafe { sys::napi_create_arraybuffer(self.0.0, 1, ptr::null_mut(), &raw mut value) };
    }

    fn copied_buffer(&self, bytes: &[u8]) -> Option<Value<'_>> {
        let mut value = ptr::null_mut();
        // SAFETY: the scope's environment is the current one; the bytes are copied.
        let status = unsafe {
            sys::napi_create_buffer_copy(
                self.0.0,
                bytes.len(),
                bytes.as_ptr().cast::<c_void>(),
                ptr::null_mut(),
                &raw mut value,
            )
        };
        (status == sys::Status::napi_ok).then_some(Value(value, PhantomData))
    }

    /// A number.
    pub(crate) fn number(&self, number: u32) -> Option<Value<'_>> {
        let mut value = ptr::null_mut();
        // SAFETY: the scope's environment is the current one.
        let status = unsafe { sys::napi_create_uint32(self.0.0, number, &raw mut value) };
        (status == sys::Status::napi_ok).then_some(Value(value, PhantomData))
    }

    /// `undefined`.
    pub(crate) fn undefined(&self) -> Option<Value<'_>> {
        let mut value = ptr::null_mut();
        // SAFETY: the scope's environment is the current one.
        let status = unsafe { sys::napi_get_undefined(self.0.0, &raw mut value) };
        (status == sys::Status::napi_ok).then_some(Value(value, PhantomData))
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

/// Waits a little until nobody else has the memory: the thread that has read it may not have let go of it yet.
fn wait_for_others(memory: &Arc<Vec<u8>>) {
    for _ in 0..YIELDS {
        if Arc::strong_count(memory) == 1 {
            return;
        }
        std::thread::yield_now();
    }
}

/// JavaScript has no use for a Buffer any more.
unsafe extern "C" fn release(_: sys::napi_env, _: *mut c_void, owner: *mut c_void) {
    // SAFETY: the owner that `Env::buffer` gave away, once.
    drop(unsafe { Arc::from_raw(owner.cast::<Vec<u8>>().cast_const()) });
    memory::give_back();
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
            sys::napi_create_reference(env.0, function, 1, &raw mut reference) == sys::Status::napi_ok
                && sys::napi_async_init(env.0, ptr::null_mut(), name.0, &raw mut context) == sys::Status::napi_ok
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
            if sys::napi_get_reference_value(self.env.0, self.function, &raw mut function) != sys::Status::napi_ok
                || sys::napi_get_global(self.env.0, &raw mut receiver) != sys::Status::napi_ok
            {
                return;
            }
            sys::napi_make_callback(self.env.0, self.context, receiver, function, arguments.len(), raw, &raw mut result)
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
            sys::napi_delete_reference(self.env.0, self.function);
            sys::napi_async_destroy(self.env.0, self.context);
        }
    }
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
        Arguments { scope: Scope(Env(env)), values }
    }

    /// The scope of the call.
    pub(crate) fn scope(&self) -> &Scope {
        &self.scope
    }

    /// A number, 0 if it is none.
    pub(crate) fn number(&self, index: usize) -> u32 {
        let mut number = 0;
        // SAFETY: a value of the current call.
        unsafe { sys::napi_get_value_uint32(self.scope.0.0, self.values[index], &raw mut number) };
        number
    }

    /// A number too large for [`Arguments::number`], 0 if it is none.
    pub(crate) fn large_number(&self, index: usize) -> u64 {
        let mut number = 0;
        // SAFETY: a value of the current call.
        unsafe { sys::napi_get_value_int64(self.scope.0.0, self.values[index], &raw mut number) };
        u64::try_from(number).unwrap_or(0)
    }

    /// Reads a string into `text`, in UTF-8; empty if it is none.
    pub(crate) fn read_string(&self, index: usize, text: &mut Vec<u8>) {
        const AT_ONCE: usize = 256;
        text.clear();
        text.reserve(AT_ONCE);
        let (env, value) = (self.scope.0.0, self.values[index]);
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
            let status = sys::napi_get_buffer_info(self.scope.0.0, self.values[index], &raw mut data, &raw mut length);
            if status != sys::Status::napi_ok || length == 0 {
                return &[];
            }
            std::slice::from_raw_parts(data.cast::<u8>(), length)
        }
    }

    /// Gives `value` back to JavaScript; `None` is `undefined`.
    pub(crate) fn give(&self, value: Option<Value<'_>>) -> sys::napi_value {
        value.map_or(ptr::null_mut(), |value| value.0)
    }
}
