//! Users, where not each of them has a number of its own.
//!
//! In a user namespace of Linux, as containers have one, only some users have a number. All others read as the same one,
//! the overflow uid, which says nothing of who they are.

#[cfg(any(target_os = "linux", target_os = "android"))]
use std::{fs::read_to_string, sync::OnceLock};

/// What the overflow uid is where nobody can say.
#[cfg(any(target_os = "linux", target_os = "android"))]
const USUAL_OVERFLOW: u32 = 65534;

/// How many users there are at most, and are in the namespace that all others come from.
#[cfg(any(target_os = "linux", target_os = "android"))]
const ALL: u64 = u32::MAX as u64;

/// Whether it is the user of this process.
pub(super) fn is_own(uid: u32) -> bool {
    uid == rustix::process::geteuid().as_raw() && is_somebody(uid)
}

/// Whether this number is that of one user, and not of many.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn is_somebody(_: u32) -> bool {
    true
}

/// Whether this number is that of one user, and not of many.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn is_somebody(uid: u32) -> bool {
    static OVERFLOW: OnceLock<u32> = OnceLock::new();
    let overflow = || {
        let text = read_to_string("/proc/sys/kernel/overflowuid").ok()?;
        text.trim().parse().ok()
    };
    // Where the map can't be read, nobody knows.
    uid != *OVERFLOW.get_or_init(|| overflow().unwrap_or(USUAL_OVERFLOW))
        || read_to_string("/proc/self/uid_map").is_ok_and(|map| is_of_all(&map))
}

/// Whether a map of users, lines of `inside outside count`, has all of them.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn is_of_all(map: &str) -> bool {
    let counts = map.lines().filter_map(|line| line.split_whitespace().nth(2)?.parse::<u64>().ok());
    counts.sum::<u64>() >= ALL
}

#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
mod tests {
    use super::*;

    #[test]
    fn the_overflow_uid_is_nobody_where_not_every_user_has_a_number() {
        assert!(is_of_all("         0          0 4294967295\n"));
        assert!(is_of_all("0 0 1000\n1000 100000 1\n1001 1001 4294966294\n"));
        for map in ["0 1000 1\n", "0 1000 1\n1 100000 65536\n", "", "nonsense"] {
            assert!(!is_of_all(map), "{map:?}");
        }
        assert!(is_somebody(0) && is_somebody(1000));
    }
}
