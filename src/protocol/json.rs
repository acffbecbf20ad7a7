//! The little that Rust has to know of JSON: whether a text is one value, and how a string is written.

use serde::de::IgnoredAny;

/// Whether `bytes` are exactly one JSON value in UTF-8. Nesting may be of any depth: the value is skipped
/// with a stack of its own, not by recursion.
pub fn is_one_value(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok())
}

/// Appends `text` as a JSON string.
pub fn write_string(text: &str, out: &mut Vec<u8>) {
    // Writing a string into memory has no way to fail.
    let _ = serde_json::to_writer(out, text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_of_any_depth_is_accepted() {
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        for text in ["null", "0", "-1.5e9", "\"\\ud800\"", "{\"a\":[{}]}", "\"\u{2028}\"", " 1 ", &deep] {
            assert!(is_one_value(text.as_bytes()), "{}", &text[..text.len().min(20)]);
        }
    }

    #[test]
    fn anything_else_is_not() {
        for bytes in [&b""[..], b"1,2", b"[1", b"{\"a\":}", b"NaN", b"'a'", b"\"\n\"", b"\"\xc3\"", b"01"] {
            assert!(!is_one_value(bytes), "{bytes:?}");
        }
    }
}
