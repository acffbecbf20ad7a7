//! The part of JSON that Rust needs: whether a text is one value, and how a string is written.

use serde::de::IgnoredAny;

/// Whether `bytes` are exactly one JSON value in UTF-8. Nesting may be of any depth: the value is skipped
/// with a stack of its own, not by recursion.
pub fn is_one_value(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok())
}

/// Arrays and objects may not be nested deeper than this: parsing such a text takes seconds for some megabytes of
/// brackets, and V8 can't write one.
pub const MAX_DEPTH: usize = 10_000;

/// Whether arrays and objects are nested deeper in a text than [`MAX_DEPTH`].
pub fn is_too_deep(text: &[u8]) -> bool {
    text.len() > MAX_DEPTH && opening_brackets(text) > MAX_DEPTH && nests_too_deep(text)
}

/// Appends `text` as a JSON string.
pub fn write_string(text: &str, out: &mut Vec<u8>) {
    // Writing a string into memory has no way to fail.
    let _ = serde_json::to_writer(out, text);
}

/// How many there are, those in strings included. Few texts have many, and this costs next to nothing: the compiler
/// makes it one comparison of many bytes at once.
fn opening_brackets(text: &[u8]) -> usize {
    // As many as a byte can count without overflow.
    text.chunks(128).map(|chunk| usize::from(chunk.iter().map(|&byte| u8::from(byte & 0xdf == b'[')).sum::<u8>())).sum()
}

/// The exact answer. A text that is no JSON may get either: its parser refuses it before its depth matters.
fn nests_too_deep(text: &[u8]) -> bool {
    let (mut depth, mut bytes) = (0_usize, text.iter());
    while let Some(byte) = bytes.next() {
        match byte {
            b'[' | b'{' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return true;
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => {
                while let Some(byte) = bytes.next() {
                    match byte {
                        b'"' => break,
                        b'\\' => drop(bytes.next()),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    false
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

    #[test]
    fn what_is_nested_too_deep_is_found_and_nothing_else() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        let objects = |depth: usize| "{\"a\":".repeat(depth) + "1" + &"}".repeat(depth);
        assert!(!is_too_deep(nested(MAX_DEPTH).as_bytes()) && !is_too_deep(objects(MAX_DEPTH).as_bytes()));
        assert!(is_too_deep(nested(MAX_DEPTH + 1).as_bytes()) && is_too_deep(objects(MAX_DEPTH + 1).as_bytes()));
        // Without an end, and behind a string that seems to close what is open.
        assert!(is_too_deep("[".repeat(MAX_DEPTH + 1).as_bytes()));
        let half = "[".repeat(MAX_DEPTH / 2 + 1);
        assert!(is_too_deep(format!("{half}\"\\\"{}\",{half}", "]".repeat(MAX_DEPTH)).as_bytes()));
        // Many, side by side or in strings.
        assert!(!is_too_deep(format!("[{}1]", "[{}],".repeat(MAX_DEPTH)).as_bytes()));
        assert!(!is_too_deep(format!("\"{}\"", "\\\"[{".repeat(MAX_DEPTH)).as_bytes()));
    }
}
