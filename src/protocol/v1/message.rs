//! The messages of protocol 1. The handshake of every version is one of them.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::protocol::{ProtocolError, json};

/// Commands that are part of the protocol: applications may not send or handle them.
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

impl<'a> Message<'a> {
    /// Reads one object.
    pub fn parse(bytes: &'a [u8]) -> Result<Message<'a>, ProtocolError> {
        if json::is_too_deep(bytes) {
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

/// Appends a message with a field `ipcio`, whose value is JSON text.
pub(in crate::protocol) fn write_extended(
    id: Option<&str>,
    command: &str,
    payload: &[u8],
    delivery: Option<&str>,
    extension: Option<&[u8]>,
    out: &mut Vec<u8>,
) {
    let optional = |value: Option<&str>, out: &mut Vec<u8>| match value {
        Some(text) => json::write_string(text, out),
        None => out.extend_from_slice(b"null"),
    };
    out.reserve(payload.len() + command.len() + 96);
    out.extend_from_slice(b"{\"id\":");
    optional(id, out);
    out.extend_from_slice(b",\"command\":");
    json::write_string(command, out);
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
    json::write_string(&String::from_utf8_lossy(inner), &mut payload);
    write(Some(own), command, &payload, delivery, out);
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
