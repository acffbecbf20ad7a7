//! Whether this process and a peer can run at the same time. If not, polling for the peer's answer would only
//! keep the peer from running.

use std::os::unix::net::UnixStream;

#[cfg(target_os = "linux")]
use rustix::thread::{CpuSet, sched_getaffinity};

/// Whether both ends of a connection have a processor each.
#[cfg(target_os = "linux")]
pub(crate) fn run_side_by_side(stream: &UnixStream) -> bool {
    let Ok(own) = sched_getaffinity(None) else { return false };
    // A peer of another container has no process id here: its processors are unknown, and taken to be all.
    let peer =
        rustix::net::sockopt::socket_peercred(stream).ok().and_then(|peer| sched_getaffinity(Some(peer.pid)).ok());
    let together = (0..CpuSet::MAX_CPU).filter(|&cpu| own.is_set(cpu) || peer.is_some_and(|peer| peer.is_set(cpu)));
    together.take(2).count() == 2 && quota().is_none_or(|quota| quota >= 2.0)
}

/// Whether both ends of a connection have a processor each.
#[cfg(not(target_os = "linux"))]
pub(crate) fn run_side_by_side(_: &UnixStream) -> bool {
    std::thread::available_parallelism().is_ok_and(|count| count.get() >= 2)
}

/// How many processors the control groups of this process allow it, if they limit them.
#[cfg(target_os = "linux")]
fn quota() -> Option<f64> {
    static QUOTA: std::sync::OnceLock<Option<f64>> = std::sync::OnceLock::new();
    *QUOTA.get_or_init(|| {
        let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
        let own = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
        let folder = std::path::Path::new("/sys/fs/cgroup").join(own);
        let limits = folder.ancestors().filter_map(|folder| std::fs::read_to_string(folder.join("cpu.max")).ok());
        limits.filter_map(|limit| parse_quota(&limit)).reduce(f64::min)
    })
}

/// What `cpu.max` says: `max 100000` or a quota and its period in microseconds.
#[cfg(target_os = "linux")]
fn parse_quota(limit: &str) -> Option<f64> {
    let (quota, period) = limit.trim().split_once(' ')?;
    Some(quota.parse::<f64>().ok()? / period.parse::<f64>().ok()?)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_read_as_a_number_of_processors() {
        assert_eq!(parse_quota("150000 100000\n"), Some(1.5));
        assert_eq!(parse_quota("max 100000\n"), None);
    }
}
