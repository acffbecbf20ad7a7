//! Whether another process had the CPU of this thread meanwhile.

#![allow(unsafe_code, reason = "a call of the C library that rustix lacks")]

use std::cell::Cell;
use std::ffi::c_long;

/// How often this thread was preempted, as far as it was asked.
#[derive(Debug, Default)]
pub(super) struct Preemption {
    count: Cell<c_long>,
}

impl Preemption {
    /// Whether it happened since this was asked last. A gap in time alone may also be the hypervisor's doing, or an
    /// interrupt's, and says nothing of other processes.
    pub(super) fn happened(&self) -> bool {
        // Where the system does not count, each gap is taken for one.
        involuntary_switches().is_none_or(|count| self.count.replace(count) != count)
    }
}

/// How often the scheduler took the CPU from this thread. `None` where the system counts that for processes only.
#[cfg(target_os = "linux")]
fn involuntary_switches() -> Option<c_long> {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::uninit();
    // SAFETY: there is room for the answer, which is all there once the call has succeeded.
    unsafe { (libc::getrusage(libc::RUSAGE_THREAD, usage.as_mut_ptr()) == 0).then(|| usage.assume_init().ru_nivcsw) }
}

#[cfg(not(target_os = "linux"))]
fn involuntary_switches() -> Option<c_long> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::{Duration, Instant};

    #[test]
    fn a_thread_that_has_to_share_its_cpu_is_preempted() {
        let mut cpus = rustix::thread::sched_getaffinity(None).unwrap();
        let first = (0..rustix::thread::CpuSet::MAX_CPU).find(|&cpu| cpus.is_set(cpu)).unwrap();
        cpus.clear();
        cpus.set(first);
        rustix::thread::sched_setaffinity(None, &cpus).unwrap();
        let preemption = Preemption::default();
        let deadline = Instant::now() + Duration::from_secs(30);
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            // A thread may run where the one that made it may.
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) && Instant::now() < deadline {
                    std::hint::spin_loop();
                }
            });
            preemption.happened();
            while !preemption.happened() && Instant::now() < deadline {
                std::hint::spin_loop();
            }
            over.store(true, Ordering::Relaxed);
        });
        assert!(Instant::now() < deadline, "two threads on one CPU, and neither was preempted");
    }
}
