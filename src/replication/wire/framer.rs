//! Cuts a byte stream into frames, however the bytes were chunked.

use super::{Frame, LENGTH_BYTES, WireError, length_max};

/// Keeps the incomplete frame at the end of what was read: at most 64 KiB.
#[derive(Debug, Default)]
pub struct Framer {
    partial: Vec<u8>,
}

impl Framer {
    /// Hands every frame that is complete with `bytes` to `each`, in order.
    ///
    /// # Errors
    /// What the bytes are if they are no frame, or the first error of `each`; the stream cannot be
    /// read on after that.
    pub fn feed<E: From<WireError>>(
        &mut self,
        mut bytes: &[u8],
        mut each: impl FnMut(Frame<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        while !self.partial.is_empty() {
            let wanted = frame_bytes(&self.partial)?.unwrap_or(LENGTH_BYTES);
            let missing = wanted.saturating_sub(self.partial.len());
            if missing == 0 {
                each(Frame::decode(&self.partial[LENGTH_BYTES..])?)?;
                self.partial.clear();
                break;
            }
            if bytes.is_empty() {
                return Ok(());
            }
            let (taken, rest) = bytes.split_at(missing.min(bytes.len()));
            self.partial.extend_from_slice(taken);
            bytes = rest;
        }
        while let Some(frame_len) = frame_bytes(bytes)? {
            let Some((frame, rest)) = bytes.split_at_checked(frame_len) else {
                break;
            };
            each(Frame::decode(&frame[LENGTH_BYTES..])?)?;
            bytes = rest;
        }
        self.partial.extend_from_slice(bytes);
        Ok(())
    }

    /// Bytes kept of an incomplete frame.
    pub fn pending_bytes(&self) -> usize {
        self.partial.len()
    }
}

/// The frame that `bytes` begin with, once all of it is there.
///
/// # Errors
/// What the bytes are if they are no frame.
pub fn first_frame(bytes: &[u8]) -> Result<Option<Frame<'_>>, WireError> {
    let Some(frame_len) = frame_bytes(bytes)? else {
        return Ok(None);
    };
    let frame = bytes.get(LENGTH_BYTES..frame_len);
    frame.map(Frame::decode).transpose()
}

/// Length of the whole frame that `bytes` begin, if its length field is there.
fn frame_bytes(bytes: &[u8]) -> Result<Option<usize>, WireError> {
    let Some((length, _)) = bytes.split_first_chunk::<LENGTH_BYTES>() else {
        return Ok(None);
    };
    let length = u32::from_be_bytes(*length) as usize;
    if length == 0 || length > length_max() {
        return Err(WireError::Length(length));
    }
    Ok(Some(LENGTH_BYTES + length))
}
