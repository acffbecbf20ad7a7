//! Payloads as values of JavaScript.

#![allow(unsafe_code, reason = "calls into Node-API, which is C")]

use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;

use napi::sys;

use super::scope::{Scope, Value};
use crate::batch::Attachment;
use crate::memory;

/// From this size on, a Buffer keeps the memory of its bytes instead of copying them.
const LARGE: usize = 64 * 1024;

/// Up to this size, Buffers are freed by scavenges. Larger ones bring about a full collection each, or nearly so.
pub(crate) const SCAVENGED: usize = 16 * 1024 * 1024;

/// From this size on, to copy takes longer than to wait for another thread for a moment.
const WORTH_WAITING: usize = 1024 * 1024;

/// How often another thread is let go first.
const YIELDS: usize = 1000;

impl Scope {
    /// An array of strings and Buffers.
    pub(crate) fn attachments(&self, attachments: Vec<Attachment>) -> Option<Value<'_>> {
        let mut array = ptr::null_mut();
        // SAFETY: the scope's environment is the current one.
        unsafe {
            if sys::napi_create_array_with_length(self.env(), attachments.len(), &raw mut array) != sys::Status::napi_ok
            {
                return None;
            }
            for (index, attachment) in (0..).zip(attachments) {
                let value =
                    if attachment.is_text { self.string(attachment.content()) } else { self.buffer(attachment) };
                // There are texts too long for a string: their place stays empty.
                if let Some(value) = value {
                    sys::napi_set_element(self.env(), array, index, value.raw());
                }
            }
        }
        self.value(sys::Status::napi_ok, array)
    }

    /// A Buffer. Large ones are not copied: they keep the memory of the bytes, if nothing else uses it.
    fn buffer(&self, attachment: Attachment) -> Option<Value<'_>> {
        let Attachment { memory, start, .. } = attachment;
        let length = memory.len() - start;
        if length >= WORTH_WAITING {
            wait_for_others(&memory);
        }
        let mut memory = match Arc::try_unwrap(memory) {
            // Typed arrays of any kind may be laid over it.
            Ok(memory) if length >= LARGE && memory[start..].as_ptr().cast::<u64>().is_aligned() => memory,
            Ok(memory) => return self.copied_buffer(&memory[start..]),
            Err(memory) => return self.copied_buffer(&memory[start..]),
        };
        let mut value = ptr::null_mut();
        let data = memory[start..].as_mut_ptr();
        let kept = Arc::new(memory);
        let owner = Arc::into_raw(Arc::clone(&kept)).cast_mut();
        // SAFETY: the scope's environment is the current one; the memory lives until `release` is called with its owner.
        let status = unsafe {
            sys::napi_create_external_buffer(
                self.env(),
                length,
                data.cast(),
                Some(release),
                owner.cast(),
                &raw mut value,
            )
        };
        match status {
            sys::Status::napi_ok => {
                if length <= SCAVENGED {
                    self.allow_scavenge();
                }
                return self.value(status, value);
            }
            // Node got as far as to take the owner, and calls `release` by itself, now or later.
            sys::Status::napi_generic_failure => {}
            // Some runtimes allow no such Buffers, and none can be made where the environment is ending.
            // SAFETY: the owner was not taken, and comes from `into_raw` above.
            _ => drop(unsafe { Arc::from_raw(owner) }),
        }
        self.copied_buffer(&kept[start..])
    }

    fn copied_buffer(&self, bytes: &[u8]) -> Option<Value<'_>> {
        let mut value = ptr::null_mut();
        // SAFETY: the scope's environment is the current one; the bytes are copied.
        let status = unsafe {
            sys::napi_create_buffer_copy(
                self.env(),
                bytes.len(),
                bytes.as_ptr().cast::<c_void>(),
                ptr::null_mut(),
                &raw mut value,
            )
        };
        self.value(status, value)
    }
}

/// Waits briefly until nothing else uses the memory: the thread that has read it may not have released it yet.
fn wait_for_others(memory: &Arc<Vec<u8>>) {
    for _ in 0..YIELDS {
        if Arc::strong_count(memory) == 1 {
            return;
        }
        std::thread::yield_now();
    }
}

/// JavaScript has no use for a Buffer any more.
unsafe extern "C" fn release(_: sys::napi_env, _: *mut c_void, owner: *mut c_void) {
    // SAFETY: the owner that `Env::buffer` gave away, once.
    drop(unsafe { Arc::from_raw(owner.cast::<Vec<u8>>().cast_const()) });
    memory::give_back();
}
