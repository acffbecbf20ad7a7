//! The messages of protocol 1, and the handshake that both protocols begin with.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::ProtocolError;

/// The highest version of the protocol that this side speaks.
pub const VERSION: u32 = 3;

/// The largest handshake, in bytes: the longest name, and what stands around it.
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

/// Commands that are part of the protocol: nobody may send them or handle them as their own.
pub const RESTRICTED: [&str; 6] = ["handshake", "discover", "broadcast", "emit", "deliver", "error"];

/// One message of protocol 1.
#[derive(Debug, Deserialize)]
pub struct Message<'a> {
    /// Whom it is for or from, depending on the command.
    #[serde(borrow, default)]
    pub id: Option<Cow<'a, str>>,
    /// The command.
    #[serde(borrow, default)]
    pub command: Option<Cow<'a, str>>,
    /// The payload as it stands there; left out for `undefined`.
    #[serde(borrow, default)]
    pub data: Option<&'a RawValue>,
    /// The delivery that it belongs to.
    #[serde(borrow, default)]
    pub delivery: Option<Cow<'a, str>>,
    /// What a handshake says beyond protocol 1, which ignores it.
    #[serde(borrow, default)]
    pub ipcio: Option<&'a RawValue>,
}

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

impl<'a> Message<'a> {
    /// Reads one object.
    pub fn parse(bytes: &'a [u8]) -> Result<Message<'a>, ProtocolError> {
        if super::json::is_too_deep(bytes) {
            return Err(ProtocolError::InvalidMessage);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| ProtocolError::InvalidMessage)?;
        // Serde would take an array for the fields in their order.
        if !text.trim_start().starts_with('{') {
            return Err(ProtocolError::InvalidMessage);
        }
        serde_json::from_str(text).map_err(|_| ProtocolError::InvalidMessage)
    }

    /// The command; empty where none is given.
    pub fn command(&self) -> &str {
        self.command.as_deref().unwrap_or_default()
    }

    /// The payload as JSON text.
    pub fn payload(&self) -> &'a str {
        self.data.map_or("null", RawValue::get)
    }

    /// Whether the payload is within the limit.
    ///
    /// # Errors
    /// [`ProtocolError::TooLarge`].
    pub fn check_size(&self, limit: usize) -> Result<(), ProtocolError> {
        if self.payload().len() > limit { Err(ProtocolError::TooLarge(limit)) } else { Ok(()) }
    }

    /// The payload, if it is a string.
    pub fn text(&self) -> Option<String> {
        serde_json::from_str(self.payload()).ok()
    }

    /// What the field `ipcio` says, if it is there and of the expected form.
    pub fn extension<T: for<'de> Deserialize<'de>>(&self) -> Option<T> {
        self.ipcio.and_then(|raw| serde_json::from_str(raw.get()).ok())
    }
}

/// Appends a message whose payload is JSON text.
pub fn write(id: Option<&str>, command: &str, payload: &[u8], delivery: Option<&str>, out: &mut Vec<u8>) {
    write_extended(id, command, payload, delivery, None, out);
}

/// Appends a handshake or its answer, with what it says beyond protocol 1.
pub fn write_handshake(id: Option<&str>, data: &str, extension: Option<&impl Serialize>, out: &mut Vec<u8>) {
    let extension = extension.and_then(|value| serde_json::to_vec(value).ok());
    let mut payload = Vec::new();
    super::json::write_string(data, &mut payload);
    write_extended(id, "handshake", &payload, None, extension.as_deref(), out);
}

fn write_extended(
    id: Option<&str>,
    command: &str,
    payload: &[u8],
    delivery: Option<&str>,
    extension: Option<&[u8]>,
    out: &mut Vec<u8>,
) {
    let optional = |value: Option<&str>, out: &mut Vec<u8>| match value {
        Some(text) => super::json::write_string(text, out),
        None => out.extend_from_slice(b"null"),
    };
    out.reserve(payload.len() + command.len() + 96);
    out.extend_from_slice(b"{\"id\":");
    optional(id, out);
    out.extend_from_slice(b",\"command\":");
    super::json::write_string(command, out);
    out.extend_from_slice(b",\"data\":");
    out.extend_from_slice(payload);
    out.extend_from_slice(b",\"delivery\":");
    optional(delivery, out);
    if let Some(extension) = extension {
        out.extend_from_slice(b",\"ipcio\":");
        out.extend_from_slice(extension);
    }
    out.push(b'}');
}

/// Appends a message that carries another one as a string: `emit` and `broadcast` of a client.
pub fn write_wrapped(own: &str, command: &str, delivery: Option<&str>, inner: &[u8], out: &mut Vec<u8>) {
    let mut payload = Vec::with_capacity(inner.len() + inner.len() / 8 + 2);
    super::json::write_string(&String::from_utf8_lossy(inner), &mut payload);
    write(Some(own), command, &payload, delivery, out);
}

/// A name in the form that 0.6.2 gives to names, deliveries and private sockets: a UUIDv4 without dashes.
pub fn random_hex() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// Raw bytes as the JSON text that `Buffer.prototype.toJSON` gives, the only way to say them on protocol 1.
pub fn bytes_as_json(bytes: &[u8]) -> Vec<u8> {
    let mut text = b"{\"type\":\"Buffer\",\"data\":".to_vec();
    // Writing numbers into memory has no way to fail.
    let _ = serde_json::to_writer(&mut text, bytes);
    text.push(b'}');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_written_as_0_6_2_writes_it() {
        let mut out = Vec::new();
        write(None, "echo", br#"{"a":1}"#, None, &mut out);
        assert_eq!(out, br#"{"id":null,"command":"echo","data":{"a":1},"delivery":null}"#);
        let mut wrapped = Vec::new();
        write_wrapped("alice", "broadcast", None, &out, &mut wrapped);
        assert_eq!(
            String::from_utf8(wrapped).unwrap(),
            r#"{"id":"alice","command":"broadcast","data":"{\"id\":null,\"command\":\"echo\",\"data\":{\"a\":1},\"delivery\":null}","delivery":null}"#
        );
    }

    #[test]
    fn a_message_is_read_with_its_payload_untouched() {
        let text = r#"{"id":null,"command":"c","data":{"b":1.0,"a":"\ud800"},"delivery":"d"}"#;
        let message = Message::parse(text.as_bytes()).unwrap();
        assert_eq!(message.payload(), r#"{"b":1.0,"a":"\ud800"}"#);
        assert_eq!(message.delivery.as_deref(), Some("d"));
        let without = Message::parse(br#"{"id":null,"command":"c","delivery":null}"#).unwrap();
        assert_eq!(without.payload(), "null");
    }

    #[test]
    fn a_handshake_carries_its_extension_behind_the_fields_of_0_6_2() {
        let mut out = Vec::new();
        let hello = Hello { version: 2, session: "s".into(), attempt: 1, server: None, received: 0, limit: 9 };
        write_handshake(None, "bob", Some(&hello), &mut out);
        assert_eq!(
            String::from_utf8(out.clone()).unwrap(),
            r#"{"id":null,"command":"handshake","data":"bob","delivery":null,"ipcio":{"version":2,"session":"s","attempt":1,"server":null,"received":0,"limit":9}}"#
        );
        let read: Hello = Message::parse(&out).unwrap().extension().unwrap();
        assert_eq!(read.session, "s");
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for text in ["{}x", "[]", "{\"id\":1,\"command\":\"c\"}", "{\"command\":7}"] {
            assert!(Message::parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn bytes_become_what_a_buffer_says_of_itself() {
        assert_eq!(bytes_as_json(&[1, 255]), br#"{"type":"Buffer","data":[1,255]}"#);
    }
}
