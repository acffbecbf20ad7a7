//! The handshake that every version of the protocol begins with: a message of protocol 1 with one field more.

use serde::{Deserialize, Serialize};

use super::json;
use super::v1::message;

/// The highest version of the protocol that this side speaks.
pub const VERSION: u32 = 3;

/// The largest handshake, in bytes: the longest name and the text around it.
pub const MAX_HANDSHAKE: usize = 65 * 1024;

/// The longest [`Hello::session`], in bytes.
pub const MAX_SESSION: usize = 128;

/// The `data` of an `error` message: the name is taken.
pub const NAME_TAKEN: &str = "201";

/// The `data` of an `error` message: the other side's user is not allowed.
pub const NOT_TRUSTED: &str = "202";

/// The `data` of an `error` message: the server takes no more clients for now.
pub const TOO_MANY: &str = "203";

/// The `data` of an `error` message: what the handshake says makes no sense.
pub const NO_SENSE: &str = "204";

/// What a client's handshake says beyond protocol 1.
#[derive(Debug, Deserialize, Serialize)]
pub struct Hello {
    /// The highest version that the client speaks.
    pub version: u32,
    /// The client's session: the same as long as its queue lives.
    pub session: String,
    /// Counts the client's connections: a handshake that was overtaken by a later one says nothing any more.
    #[serde(default)]
    pub attempt: u32,
    /// The [`Welcome::server`] that `received` is about.
    pub server: Option<String>,
    /// Sequenced frames that this session has received from that server.
    pub received: u64,
    /// The largest payload that the client takes, in bytes.
    pub limit: u64,
}

/// What a server's answer says beyond protocol 1.
#[derive(Debug, Deserialize, Serialize)]
pub struct Welcome {
    /// The version that is spoken from now on.
    pub version: u32,
    /// What the server knows of the session; another one after it was forgotten, as by a restart.
    pub server: String,
    /// Whether the session is known. If not, both sides count their frames from 1.
    pub resumed: bool,
    /// Sequenced frames that the server has received from this session.
    pub received: u64,
    /// The largest payload that the server takes, in bytes.
    pub limit: u64,
}

impl Hello {
    /// What makes no sense in it, if anything does.
    pub fn mistake(&self) -> Option<&'static str> {
        let session = self.session.len();
        match self {
            Hello { version: 0, .. } => Some("there is no version 0"),
            Hello { limit: 0, .. } => Some("nothing is within a limit of 0"),
            _ if session == 0 => Some("the session has no id"),
            _ if session > MAX_SESSION => Some("the session's id is too long"),
            _ => None,
        }
    }
}

/// Appends a handshake or its answer, with what it says beyond protocol 1.
pub fn write(id: Option<&str>, data: &str, extension: Option<&impl Serialize>, out: &mut Vec<u8>) {
    let extension = extension.and_then(|value| serde_json::to_vec(value).ok());
    let mut payload = Vec::new();
    json::write_string(data, &mut payload);
    message::write_extended(id, "handshake", &payload, None, extension.as_deref(), out);
}

/// A new id in the form that 0.6.2 gives to names, deliveries and private sockets: a UUIDv4 without dashes.
pub fn random_hex() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handshake_carries_its_extension_behind_the_fields_of_0_6_2() {
        let mut out = Vec::new();
        let hello = Hello { version: 2, session: "s".into(), attempt: 1, server: None, received: 0, limit: 9 };
        write(None, "bob", Some(&hello), &mut out);
        assert_eq!(
            String::from_utf8(out.clone()).unwrap(),
            r#"{"id":null,"command":"handshake","data":"bob","delivery":null,"ipcio":{"version":2,"session":"s","attempt":1,"server":null,"received":0,"limit":9}}"#
        );
        let read: Hello = message::Message::parse(&out).unwrap().extension().unwrap();
        assert_eq!(read.session, "s");
    }
}
