//! The addon's memory: the allocator, and what gives back to the system what is not needed any more.
//!
//! The system's allocator may give the memory of each large message back at once, and a fresh page costs more than to
//! carry its bytes. This one keeps it, and gives it back on later calls, of which an idle process makes none. So where much
//! has been freed, a thread waits until nothing more is for a second, and has it given back.

#![cfg_attr(not(ipcio_system_allocator), allow(unsafe_code, reason = "an allocator, and calls of one that is C"))]

/// Blocks from this size on are counted when they are freed, in bytes.
const COUNTED: usize = 1024;

/// The amount that must be freed before it is worth a thread.
const MUCH: usize = 4 * 1024 * 1024;

#[cfg(not(ipcio_system_allocator))]
pub(crate) use counting::give_back;

/// Sanitizers know the system's allocator alone, see scripts/sanitize.js.
#[cfg(ipcio_system_allocator)]
mod none {
    pub(crate) fn give_back() {}
}
#[cfg(ipcio_system_allocator)]
pub(crate) use none::give_back;

#[cfg(not(ipcio_system_allocator))]
mod counting {
    use std::alloc::{GlobalAlloc, Layout};
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::thread;
    use std::time::Duration;

    use mimalloc::MiMalloc;

    use super::{COUNTED, MUCH};

    /// Nothing is given back before so long a time without much being freed: it may be needed again.
    const QUIET: Duration = Duration::from_secs(1);

    /// After this many times it does not wait any longer: a process that is never quiet makes the calls with which the
    /// allocator itself returns memory, first what has not been needed for a while.
    const LOOKS: usize = 10;

    #[global_allocator]
    static ALLOCATOR: Counting = Counting;

    /// Bytes of counted blocks that were freed, and how many of them when memory was given back.
    static FREED: AtomicUsize = AtomicUsize::new(0);
    static GIVEN_BACK: AtomicUsize = AtomicUsize::new(0);

    /// Whether the thread is there.
    static WATCHED: AtomicBool = AtomicBool::new(false);

    struct Counting;

    // SAFETY: everything is done by another allocator.
    unsafe impl GlobalAlloc for Counting {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            // SAFETY: the caller's promise.
            unsafe { MiMalloc.alloc(layout) }
        }

        unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
            // SAFETY: the caller's promise.
            unsafe { MiMalloc.alloc_zeroed(layout) }
        }

        unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
            count(layout.size());
            // SAFETY: the caller's promise.
            unsafe { MiMalloc.dealloc(block, layout) }
        }

        unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
            count(layout.size());
            // SAFETY: the caller's promise.
            unsafe { MiMalloc.realloc(block, layout, size) }
        }
    }

    unsafe extern "C" {
        fn mi_collect(force: bool);
    }

    /// Of two threads that count at the same time, one may not: a locked instruction would cost more than that is worth.
    #[inline]
    fn count(size: usize) {
        if size >= COUNTED {
            FREED.store(FREED.load(Ordering::Relaxed).wrapping_add(size), Ordering::Relaxed);
        }
    }

    fn freed_since(before: usize) -> usize {
        FREED.load(Ordering::Relaxed).wrapping_sub(before)
    }

    /// If much was freed, it is given back to the system once it is quiet. To be called when there is nothing else to do.
    #[inline]
    pub(crate) fn give_back() {
        if freed_since(GIVEN_BACK.load(Ordering::Relaxed)) >= MUCH {
            watch();
        }
    }

    #[cold]
    fn watch() {
        if !WATCHED.swap(true, Ordering::Relaxed) {
            let started =
                thread::Builder::new().name("ipcio-memory".into()).stack_size(64 * 1024).spawn(wait_for_quiet);
            if started.is_err() {
                WATCHED.store(false, Ordering::Relaxed);
            }
        }
    }

    fn wait_for_quiet() {
        let is_quiet = (0..LOOKS).any(|_| {
            let before = FREED.load(Ordering::Relaxed);
            thread::sleep(QUIET);
            freed_since(before) < MUCH
        });
        GIVEN_BACK.store(FREED.load(Ordering::Relaxed), Ordering::Relaxed);
        // To a thread that has allocated nothing the allocator does not listen.
        drop(std::hint::black_box(vec![0_u8; COUNTED]));
        // SAFETY: it may be called at any time.
        unsafe { mi_collect(is_quiet) };
        WATCHED.store(false, Ordering::Relaxed);
    }
}
