//! Text that waits to be written to a socket.

/// Room for text that is kept for the next message.
const KEPT: usize = 4 * 1024;

/// The text, and how much of it was written.
#[derive(Debug, Default)]
pub struct Text {
    bytes: Vec<u8>,
    written: usize,
}

impl Text {
    /// What more text is appended to.
    pub fn end(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// What is to be written next.
    pub fn unwritten(&self) -> &[u8] {
        &self.bytes[self.written..]
    }

    /// Notes that `count` bytes were written.
    pub fn advance(&mut self, count: usize) {
        self.written += count;
        if self.written == self.bytes.len() {
            self.written = 0;
            self.bytes.clear();
            self.bytes.shrink_to(KEPT);
        }
    }

    /// Whether all of it is written.
    pub fn is_written(&self) -> bool {
        self.bytes.is_empty()
    }
}
