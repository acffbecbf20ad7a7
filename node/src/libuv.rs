//! The few functions of libuv that the loop driver needs, found at run time. They are old and stable, and
//! Node exports them; Bun's stand-ins abort when called, so `index.js` never asks for the loop driver there.

#![allow(unsafe_code, reason = "calls into libuv, which is C")]
#![allow(clippy::missing_transmute_annotations, reason = "the fields of Functions give the types")]

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::os::fd::{BorrowedFd, RawFd};
use std::ptr;
use std::rc::Rc;
use std::sync::OnceLock;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// `UV_READABLE`.
const READABLE: c_int = 1;

/// Kinds of handles, as `uv_handle_size` counts them.
const POLL: c_int = 8;
const PREPARE: c_int = 9;
const TIMER: c_int = 13;

/// A function that libuv calls when there is something to read.
pub(crate) type OnPoll = unsafe extern "C" fn(*mut c_void, c_int, c_int);
/// A function that libuv calls for a timer, before it waits, or once a handle is closed.
pub(crate) type OnHandle = unsafe extern "C" fn(*mut c_void);

/// An event loop of libuv.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Loop(*mut c_void);

/// A handle of libuv. It must be closed before its loop ends; its memory is given back after that. Once it is closed, its
/// methods do nothing.
#[derive(Debug)]
pub(crate) struct Handle(Cell<*mut c_void>);

struct Functions {
    backend_fd: unsafe extern "C" fn(*mut c_void) -> c_int,
    backend_timeout: unsafe extern "C" fn(*mut c_void) -> c_int,
    close: unsafe extern "C" fn(*mut c_void, OnHandle),
    handle_get_data: unsafe extern "C" fn(*mut c_void) -> *mut c_void,
    handle_set_data: unsafe extern "C" fn(*mut c_void, *mut c_void),
    handle_size: unsafe extern "C" fn(c_int) -> usize,
    poll_init: unsafe extern "C" fn(*mut c_void, *mut c_void, c_int) -> c_int,
    poll_start: unsafe extern "C" fn(*mut c_void, c_int, OnPoll) -> c_int,
    prepare_init: unsafe extern "C" fn(*mut c_void, *mut c_void) -> c_int,
    prepare_start: unsafe extern "C" fn(*mut c_void, OnHandle) -> c_int,
    prepare_stop: unsafe extern "C" fn(*mut c_void) -> c_int,
    handle_ref: unsafe extern "C" fn(*mut c_void),
    handle_unref: unsafe extern "C" fn(*mut c_void),
    timer_init: unsafe extern "C" fn(*mut c_void, *mut c_void) -> c_int,
    timer_start: unsafe extern "C" fn(*mut c_void, OnHandle, u64, u64) -> c_int,
    timer_stop: unsafe extern "C" fn(*mut c_void) -> c_int,
    update_time: unsafe extern "C" fn(*mut c_void),
}

/// Whether this process has all of them.
pub(crate) fn is_available() -> bool {
    functions().is_some()
}

impl Loop {
    /// The loop of an environment, if libuv can be called. It outlives the environment's cleanup hooks, which
    /// close all handles.
    pub(crate) fn of(env: crate::raw::Env) -> Option<Loop> {
        if !is_available() {
            return None;
        }
        let pointer = env.uv_loop();
        (!pointer.is_null()).then_some(Loop(pointer))
    }

    /// A handle that watches `fd`, not started.
    pub(crate) fn poll(self, fd: RawFd) -> Option<Handle> {
        // SAFETY: the loop lives (see `of`), and the memory is fresh and of the size that libuv asks for.
        self.handle(POLL, |functions, memory| unsafe { (functions.poll_init)(self.0, memory, fd) })
    }

    /// A timer that is not started.
    pub(crate) fn timer(self) -> Option<Handle> {
        // SAFETY: as in `poll`.
        self.handle(TIMER, |functions, memory| unsafe { (functions.timer_init)(self.0, memory) })
    }

    /// A handle for the moment before the loop waits, not started.
    pub(crate) fn prepare(self) -> Option<Handle> {
        // SAFETY: as in `poll`.
        self.handle(PREPARE, |functions, memory| unsafe { (functions.prepare_init)(self.0, memory) })
    }

    /// A handle of this kind, which does not keep the process alive. `initialise` gets its memory, and gives 0 if it
    /// succeeds.
    fn handle(self, kind: c_int, initialise: impl FnOnce(&Functions, *mut c_void) -> c_int) -> Option<Handle> {
        let functions = functions()?;
        let memory = allocate(functions, kind)?;
        if initialise(functions, memory) != 0 {
            // SAFETY: it came from `allocate`, and libuv has not taken it.
            unsafe { libc::free(memory) };
            return None;
        }
        let handle = Handle(Cell::new(memory));
        handle.keep_alive(false);
        Some(handle)
    }

    /// How long the loop is going to wait: milliseconds, 0 for not at all, -1 without end.
    pub(crate) fn backend_timeout(self) -> i32 {
        let Some(functions) = functions() else { return 0 };
        // SAFETY: the loop lives, see `of`.
        unsafe {
            (functions.update_time)(self.0);
            (functions.backend_timeout)(self.0)
        }
    }

    /// Whether anything of the loop is ready.
    pub(crate) fn is_ready(self) -> bool {
        let Some(functions) = functions() else { return true };
        // SAFETY: the loop lives, see `of`; its descriptor is open as long.
        let backend = unsafe { BorrowedFd::borrow_raw((functions.backend_fd)(self.0)) };
        let mut watched = [PollFd::from_borrowed_fd(backend, PollFlags::IN)];
        // A call that was interrupted has found nothing.
        poll(&mut watched, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
    }
}

impl Handle {
    /// Gives the handle its owner, which lives until [`Handle::release`]. To be called once, before it is started.
    pub(crate) fn set_owner<T>(&self, owner: &Rc<T>) {
        self.with(|functions, pointer| {
            // SAFETY: the handle is initialised; `release` takes the owner out of it again.
            unsafe { (functions.handle_set_data)(pointer, Rc::into_raw(Rc::clone(owner)).cast_mut().cast()) };
        });
    }

    /// The owner of a handle.
    ///
    /// # Safety
    /// Only in a callback of libuv, with the pointer that it was called with, and for the type of the owner.
    pub(crate) unsafe fn owner<T>(pointer: *mut c_void) -> Option<Rc<T>> {
        // SAFETY: libuv calls back with a handle that was made here.
        let owner = unsafe { (functions()?.handle_get_data)(pointer) }.cast_const().cast::<T>();
        if owner.is_null() {
            return None;
        }
        // SAFETY: it came from `Rc::into_raw`, and the handle has kept it since.
        unsafe {
            Rc::increment_strong_count(owner);
            Some(Rc::from_raw(owner))
        }
    }

    /// Gives the memory of a closed handle back, and takes its owner out of it.
    ///
    /// # Safety
    /// Only in the callback of [`Handle::close`], with the pointer that it was called with, and for the type of the owner.
    pub(crate) unsafe fn release<T>(pointer: *mut c_void) -> Option<Rc<T>> {
        // SAFETY: the caller's promise. The second owner is the one that the handle has kept. libuv does not use closed
        // handles any more, and they came from `allocate`.
        unsafe {
            let owner = Handle::owner::<T>(pointer);
            if let Some(owner) = &owner {
                Rc::decrement_strong_count(Rc::as_ptr(owner));
            }
            libc::free(pointer);
            owner
        }
    }

    /// Closes it; `on_closed` follows in a later iteration of the loop.
    pub(crate) fn close(&self, on_closed: OnHandle) {
        self.with(|functions, pointer| {
            self.0.set(ptr::null_mut());
            // SAFETY: the handle is initialised, and is not found from now on.
            unsafe { (functions.close)(pointer, on_closed) };
        });
    }

    /// Whether it keeps the process alive.
    pub(crate) fn keep_alive(&self, alive: bool) {
        self.with(|functions, pointer| {
            // SAFETY: the handle is initialised and not closed, see `with`.
            unsafe { if alive { (functions.handle_ref)(pointer) } else { (functions.handle_unref)(pointer) } };
        });
    }

    /// Starts to watch: `on_poll` is called when there is something to read.
    pub(crate) fn start_poll(&self, on_poll: OnPoll) {
        self.with(|functions, pointer| {
            // SAFETY: the handle is an initialised poll handle, not closed.
            unsafe { (functions.poll_start)(pointer, READABLE, on_poll) };
        });
    }

    /// Starts a timer: `on_timer` is called once, after this many milliseconds.
    pub(crate) fn start_timer(&self, milliseconds: u64, on_timer: OnHandle) {
        self.with(|functions, pointer| {
            // SAFETY: the handle is an initialised timer, not closed.
            unsafe { (functions.timer_start)(pointer, on_timer, milliseconds, 0) };
        });
    }

    /// Stops a timer.
    pub(crate) fn stop_timer(&self) {
        self.with(|functions, pointer| {
            // SAFETY: the handle is an initialised timer, not closed.
            unsafe { (functions.timer_stop)(pointer) };
        });
    }

    /// Starts a prepare handle: `on_prepare` is called each time before the loop waits.
    pub(crate) fn start_prepare(&self, on_prepare: OnHandle) {
        self.with(|functions, pointer| {
            // SAFETY: the handle is an initialised prepare handle, not closed.
            unsafe { (functions.prepare_start)(pointer, on_prepare) };
        });
    }

    /// Stops a prepare handle.
    pub(crate) fn stop_prepare(&self) {
        self.with(|functions, pointer| {
            // SAFETY: the handle is an initialised prepare handle, not closed.
            unsafe { (functions.prepare_stop)(pointer) };
        });
    }

    /// Calls `f` with the handle, unless it is closed.
    fn with(&self, f: impl FnOnce(&Functions, *mut c_void)) {
        if let Some(functions) = functions()
            && !self.0.get().is_null()
        {
            f(functions, self.0.get());
        }
    }
}

/// Zeroed memory for a handle; [`Handle::release`] gives it back.
fn allocate(functions: &Functions, kind: c_int) -> Option<*mut c_void> {
    // SAFETY: it only looks up a number.
    let size = unsafe { (functions.handle_size)(kind) };
    // SAFETY: calloc with sizes above 0; its memory fits any type.
    let memory = unsafe { libc::calloc(1, size.max(1)) };
    (!memory.is_null()).then_some(memory)
}

fn functions() -> Option<&'static Functions> {
    static FUNCTIONS: OnceLock<Option<Functions>> = OnceLock::new();
    FUNCTIONS.get_or_init(find).as_ref()
}

fn find() -> Option<Functions> {
    fn symbol(name: &CStr) -> Option<*mut c_void> {
        // SAFETY: a lookup by a NUL-terminated name.
        let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr().cast::<c_char>()) };
        (!found.is_null()).then_some(found)
    }
    macro_rules! function {
        ($name:literal) => {
            // SAFETY: libuv's documentation declares the function with this type.
            unsafe { std::mem::transmute::<*mut c_void, _>(symbol($name)?) }
        };
    }
    let version: unsafe extern "C" fn() -> c_uint = function!(c"uv_version");
    // SAFETY: it takes nothing and gives a number. The numbers of handle kinds are those of libuv 1.
    if unsafe { version() } >> 16 != 1 {
        return None;
    }
    Some(Functions {
        backend_fd: function!(c"uv_backend_fd"),
        backend_timeout: function!(c"uv_backend_timeout"),
        close: function!(c"uv_close"),
        handle_get_data: function!(c"uv_handle_get_data"),
        handle_set_data: function!(c"uv_handle_set_data"),
        handle_size: function!(c"uv_handle_size"),
        poll_init: function!(c"uv_poll_init"),
        poll_start: function!(c"uv_poll_start"),
        prepare_init: function!(c"uv_prepare_init"),
        prepare_start: function!(c"uv_prepare_start"),
        prepare_stop: function!(c"uv_prepare_stop"),
        handle_ref: function!(c"uv_ref"),
        handle_unref: function!(c"uv_unref"),
        timer_init: function!(c"uv_timer_init"),
        timer_start: function!(c"uv_timer_start"),
        timer_stop: function!(c"uv_timer_stop"),
        update_time: function!(c"uv_update_time"),
    })
}
