//! User ids, in user namespaces in which not every user has an id.
//!
//! Containers on Linux have a user namespace. There, only some users have an id. All others appear under the same id, the
//! overflow uid.

#[cfg(any(target_os = "linux", target_os = "android"))]
use std::{fs::read_to_string, sync::OnceLock};

/// The overflow uid, if the system does not tell.
#[cfg(any(target_os = "linux", target_os = "android"))]
const USUAL_OVERFLOW: u32 = 65534;

/// The number of users in the initial namespace, which has all of them.
#[cfg(any(target_os = "linux", target_os = "android"))]
const ALL: u64 = u32::MAX as u64;

/// Whether it is the user of this process.
pub(super) fn is_own(uid: u32) -> bool {
    uid == rustix::process::geteuid().as_raw() && is_one_user(uid)
}

/// Whether this id belongs to one user, and is not the overflow uid of many.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn is_one_user(_: u32) -> bool {
    true
}

/// Whether this id belongs to one user, and is not the overflow uid of many.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn is_one_user(uid: u32) -> bool {
    static OVERFLOW: OnceLock<u32> = OnceLock::new();
    let overflow = || {
        let text = read_to_string("/proc/sys/kernel/overflowuid").ok()?;
        text.trim().parse().ok()
    };
    // Without the map, an id that equals the overflow uid counts as many users.
    uid != *OVERFLOW.get_or_init(|| overflow().unwrap_or(USUAL_OVERFLOW))
        || read_to_string("/proc/self/uid_map").is_ok_and(|map| is_of_all(&map))
}

/// Whether a map of users has all of them. Its lines are `inside outside count`.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn is_of_all(map: &str) -> bool {
    let counts = map.lines().filter_map(|line| line.split_whitespace().nth(2)?.parse::<u64>().ok());
    counts.sum::<u64>() >= ALL
}

#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
mod tests {
    use super::*;

    #[test]
    fn the_overflow_uid_is_not_one_user_if_not_every_user_has_an_id() {
        assert!(is_of_all("         0          0 4294967295\n"));
        assert!(is_of_all("0 0 1000\n1000 100000 1\n1001 1001 4294966294\n"));
        for map in ["0 1000 1\n", "0 1000 1\n1 100000 65536\n", "", "nonsense"] {
            assert!(!is_of_all(map), "{map:?}");
        }
        assert!(is_one_user(0) && is_one_user(1000));
    }
}
