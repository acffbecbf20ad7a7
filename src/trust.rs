//! Whether the process at the other end may be there.

use crate::error::{Code, Error};
use crate::machine::Credentials;

/// The users that may be at the other end: always this process's own and root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trust {
    /// The user that this process runs as.
    pub own: u32,
    /// Who else.
    pub others: Others,
}

/// The users that are allowed beside one's own and root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Others {
    /// All users.
    Any,
    /// These, by their uid.
    These(Vec<u32>),
}

impl Trust {
    /// Whether the peer, a `role` such as `server`, is allowed.
    ///
    /// # Errors
    /// [`Code::NotTrusted`].
    pub fn check(&self, peer: Credentials, role: &str) -> Result<(), Error> {
        let allowed = match &self.others {
            Others::Any => true,
            Others::These(_) if peer.uid == Credentials::UNKNOWN => {
                return Err(Error::new(
                    Code::NotTrusted,
                    format!(
                        "The {role} runs as a user without an id in this user namespace; run both sides in one user namespace, or set the option allowUsers to 'any'."
                    ),
                ));
            }
            Others::These(users) => peer.uid == self.own || peer.uid == 0 || users.contains(&peer.uid),
        };
        if allowed {
            return Ok(());
        }
        Err(Error::new(
            Code::NotTrusted,
            format!("The {role} runs as user {}, who is not allowed; add this id to the option allowUsers.", peer.uid),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oneself_and_root_are_trusted_and_others_only_by_name() {
        let trust = |others| Trust { own: 7, others };
        let check = |trust: &Trust, uid| trust.check(Credentials::new(1, uid, 1), "server").is_ok();
        let narrow = trust(Others::These(vec![9]));
        assert_eq!([0, 7, 8, 9].map(|uid| check(&narrow, uid)), [true, true, false, true]);
        assert!(check(&trust(Others::Any), 8));
    }

    #[test]
    fn an_unknown_user_is_neither_our_own_nor_a_named_one() {
        let uid = Credentials::UNKNOWN;
        let check = |others| Trust { own: uid, others }.check(Credentials::new(1, uid, 1), "client").is_ok();
        assert!(!check(Others::These(vec![uid])));
        assert!(check(Others::Any));
    }
}
