//! Finds the JSON objects in a stream of protocol 1, which writes them with nothing in between.

use memchr::memchr2;

use crate::protocol::{Partial, ProtocolError};

/// Where the search for the end of an object stands.
#[derive(Debug)]
pub struct Splitter {
    /// An object whose end has not been read yet.
    partial: Vec<u8>,
    depth: usize,
    in_string: bool,
    escaped: bool,
    limit: usize,
}

impl Splitter {
    /// For objects of at most `limit` bytes.
    pub fn new(limit: usize) -> Splitter {
        Splitter { partial: Vec::new(), depth: 0, in_string: false, escaped: false, limit }
    }

    /// Changes the limit of bytes.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// What has been read of an object whose end has not. The rest is taken to be as long.
    pub fn unfinished(&self) -> Partial {
        Partial { bytes: self.partial.len(), missing: self.partial.len() }
    }

    /// Takes the first whole object out of `bytes`, together with what is left from the reads before. `None`
    /// when there is no whole one: the rest has then been kept.
    pub fn next(&mut self, bytes: &mut &[u8]) -> Result<Option<Vec<u8>>, ProtocolError> {
        let mut next = 0;
        while let Some(&byte) = bytes.get(next) {
            let index = next;
            next += 1;
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_string => self.escaped = true,
                b'"' if self.depth > 0 => self.in_string = !self.in_string,
                // Most of a message are strings: what ends one, or escapes what follows, is found many bytes at once.
                _ if self.in_string => next += memchr2(b'"', b'\\', &bytes[next..]).unwrap_or(bytes.len() - next),
                b'{' => self.depth += 1,
                b'}' if self.depth > 1 => self.depth -= 1,
                b'}' if self.depth == 1 => {
                    self.depth = 0;
                    let (end, rest) = bytes.split_at(index + 1);
                    self.check_size(end.len())?;
                    self.partial.extend_from_slice(end);
                    *bytes = rest;
                    return Ok(Some(std::mem::take(&mut self.partial)));
                }
                byte if self.depth == 0 && !byte.is_ascii_whitespace() => return Err(ProtocolError::InvalidMessage),
                _ => {}
            }
        }
        self.check_size(bytes.len())?;
        self.partial.extend_from_slice(bytes);
        *bytes = &[];
        Ok(None)
    }

    /// Whether it stands between two objects.
    pub fn is_empty(&self) -> bool {
        self.depth == 0
    }

    /// Whether `more` bytes fit into the limit.
    fn check_size(&self, more: usize) -> Result<(), ProtocolError> {
        if self.partial.len() + more > self.limit { Err(ProtocolError::TooLarge(self.limit)) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str, step: usize) -> Vec<String> {
        let (mut splitter, mut found) = (Splitter::new(1 << 20), Vec::new());
        for mut read in text.as_bytes().chunks(step) {
            while let Some(object) = splitter.next(&mut read).unwrap() {
                found.push(String::from_utf8(object).unwrap().trim().to_owned());
            }
        }
        assert!(splitter.is_empty());
        found
    }

    #[test]
    fn objects_are_found_wherever_the_reads_cut_them() {
        let objects =
            [r#"{"a":"}{"}"#, r#"{"a":{"b":[{}]}}"#, r#"{"ž":"\"}\\"}"#, r#"{}"#, r#"{"data":"{\"a\":\"}\\\\\"}"}"#];
        let text = objects.concat() + " \n" + objects[1];
        for step in 1..text.len() {
            let mut expected = objects.to_vec();
            expected.push(objects[1]);
            assert_eq!(split(&text, step), expected, "reads of {step} bytes");
        }
    }

    #[test]
    fn what_begins_like_no_object_is_refused() {
        for text in ["[1]", "}", "hello", "\"{}\""] {
            assert_eq!(Splitter::new(100).next(&mut text.as_bytes()), Err(ProtocolError::InvalidMessage), "{text}");
        }
    }

    #[test]
    fn an_object_above_the_limit_is_refused() {
        let text = format!("{{\"a\":\"{}", "x".repeat(1_000));
        assert_eq!(Splitter::new(100).next(&mut text.as_bytes()), Err(ProtocolError::TooLarge(100)));
        let whole = text + "\"}";
        assert_eq!(Splitter::new(100).next(&mut whole.as_bytes()), Err(ProtocolError::TooLarge(100)));
        let mut splitter = Splitter::new(100);
        splitter.set_limit(2_000);
        assert_eq!(splitter.next(&mut &whole.as_bytes()[..500]), Ok(None));
        assert_eq!(splitter.unfinished().bytes, 500);
        assert!(splitter.next(&mut &whole.as_bytes()[500..]).unwrap().is_some_and(|object| object == whole.as_bytes()));
        assert_eq!(splitter.unfinished(), Partial::default());
    }
}
