//! What belongs to a thread with Node: its environments and the instances in them.
//!
//! A thread has one environment for each time that the addon was loaded there (Jest loads it for each test
//! file), and workers have their own. JavaScript knows an instance by its number.

#![allow(unsafe_code, reason = "hooks that Node-API calls, which is C")]

use std::cell::{OnceCell, RefCell};
use std::ffi::c_void;
use std::rc::Rc;

use napi::sys;
use rustc_hash::FxHashMap;

use crate::event_loop::EventLoop;
use crate::instance::Instance;
use crate::raw::{self, Env, guard};
use ipcio::Error;

thread_local! {
    static THREAD: RefCell<Thread> = RefCell::default();
}

#[derive(Default)]
struct Thread {
    environments: FxHashMap<usize, Rc<Environment>>,
    instances: FxHashMap<u32, Rc<Instance>>,
    next: u32,
}

/// An environment of Node.
#[derive(Debug)]
pub(crate) struct Environment {
    pub(crate) env: Env,
    id: usize,
    event_loop: OnceCell<Rc<EventLoop>>,
}

impl Environment {
    /// Its loop, which is watched from now on.
    pub(crate) fn event_loop(&self) -> Result<Rc<EventLoop>, Error> {
        if let Some(event_loop) = self.event_loop.get() {
            return Ok(Rc::clone(event_loop));
        }
        let made = EventLoop::new(self.env)
            .map_err(|error| Error::system(&error, "watch Node's event loop (use driver: 'thread')"))?;
        self.env.on_loop_cleanup(on_loop_cleanup, self.id as *mut c_void);
        Ok(Rc::clone(self.event_loop.get_or_init(|| made)))
    }
}

/// The environment of a call, which is known from now on.
pub(crate) fn of(env: Env) -> Rc<Environment> {
    let known = THREAD.with_borrow(|thread| thread.environments.values().find(|known| known.env == env).cloned());
    known.unwrap_or_else(|| {
        let id = THREAD.with_borrow_mut(|thread| {
            thread.next += 1;
            thread.next as usize
        });
        let made = Rc::new(Environment { env, id, event_loop: OnceCell::new() });
        THREAD.with_borrow_mut(|thread| thread.environments.insert(id, Rc::clone(&made)));
        env.on_cleanup(on_cleanup, id as *mut c_void);
        made
    })
}

/// The environment of this number.
fn find(id: usize) -> Option<Rc<Environment>> {
    THREAD.with_borrow(|thread| thread.environments.get(&id).cloned())
}

/// The instance of this number.
pub(crate) fn instance(id: u32) -> Option<Rc<Instance>> {
    THREAD.with_borrow(|thread| thread.instances.get(&id).cloned())
}

/// All instances of this thread.
pub(crate) fn instances() -> Vec<Rc<Instance>> {
    THREAD.with_borrow(|thread| thread.instances.values().cloned().collect())
}

/// Gives an instance a number.
pub(crate) fn add(instance: Rc<Instance>) -> u32 {
    THREAD.with_borrow_mut(|thread| {
        thread.next += 1;
        thread.instances.insert(thread.next, instance);
        thread.next
    })
}

/// Forgets an instance.
pub(crate) fn remove(id: u32) {
    // JavaScript objects may be collected after the thread's own data has been.
    let removed =
        THREAD.try_with(|thread| thread.try_borrow_mut().ok().and_then(|mut thread| thread.instances.remove(&id)));
    drop(removed);
}

/// The environment ends: a worker is terminated, or the process.
extern "C" fn on_cleanup(id: *mut c_void) {
    guard((), || {
        if let Some(environment) = find(id as usize) {
            end_instances(&environment);
            // The handles of a loop driver are still being closed.
            if environment.event_loop.get().is_none() {
                THREAD.with_borrow_mut(|thread| thread.environments.remove(&environment.id));
            }
        }
    });
}

/// The same where there is a loop driver. Asynchronous, because libuv needs another iteration of the loop to close
/// handles; freeing them at once, or not at all, aborts the process.
extern "C" fn on_loop_cleanup(handle: sys::napi_async_cleanup_hook_handle, id: *mut c_void) {
    guard((), || {
        let environment = find(id as usize);
        let event_loop = environment.as_ref().and_then(|environment| environment.event_loop.get().cloned());
        let (Some(environment), Some(event_loop)) = (environment, event_loop) else {
            // SAFETY: this is the hook that the handle is for, and it ends here.
            unsafe { raw::finish_cleanup(handle) };
            return;
        };
        end_instances(&environment);
        event_loop.close(move || {
            THREAD.with_borrow_mut(|thread| thread.environments.remove(&environment.id));
            // SAFETY: as above: it has waited for the handles until now.
            unsafe { raw::finish_cleanup(handle) };
        });
    });
}

/// Ends all instances of an environment.
fn end_instances(environment: &Environment) {
    let own: Vec<u32> = THREAD.with_borrow(|thread| {
        let own = thread.instances.iter().filter(|(_, instance)| instance.env() == environment.env);
        own.map(|(&id, _)| id).collect()
    });
    for id in own {
        if let Some(instance) = instance(id) {
            instance.abandon();
        }
        remove(id);
    }
}
