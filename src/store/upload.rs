//! A client's value that arrives over several turns.
//!
//! Memory is taken for what has arrived, not for what was announced: a large value is received into
//! a buffer that grows with it, and its item is allocated once a good part has arrived. Values of
//! common sizes are received straight into their item.

use super::Store;
use super::input_reservation::InputReservation;
use super::item::{Item, ItemHead};
use super::memory::{cost_bytes, cost_of_allocation, size_class_bytes};
use super::op_context::OpContext;
use super::pending_item::{NoRoom, PendingItem};
use super::relief::{self, FailedAllocation};
use crate::limits::{UPLOAD_AT_ONCE_BYTES, UPLOAD_GROWTH, UPLOAD_GROWTH_SCARCE, UPLOAD_STEP_BYTES};

/// A value that is being received.
#[derive(Debug)]
pub struct Upload {
    body: Body,
    filled_bytes: usize,
    held: InputReservation,
}

#[derive(Debug)]
enum Body {
    /// A buffer that is shorter than the value.
    Buffer {
        key: Box<[u8]>,
        head: ItemHead,
        value_len: usize,
        bytes: Vec<u8>,
    },
    /// The item itself.
    Whole(Item),
}

impl Upload {
    /// Its key.
    pub fn key(&self) -> &[u8] {
        match &self.body {
            Body::Buffer { key, .. } => key,
            Body::Whole(item) => item.key(),
        }
    }

    /// Length of the whole value.
    pub fn value_len(&self) -> usize {
        match &self.body {
            Body::Buffer { value_len, .. } => *value_len,
            Body::Whole(item) => item.value().len(),
        }
    }

    /// The value; empty while it is in a buffer.
    pub fn value(&self) -> &[u8] {
        match &self.body {
            Body::Buffer { .. } => &[],
            Body::Whole(item) => item.value(),
        }
    }

    /// Bytes of the value received.
    pub fn received_bytes(&self) -> usize {
        self.filled_bytes
    }

    /// Bytes of the value that are still missing.
    pub fn missing_bytes(&self) -> usize {
        self.value_len() - self.filled_bytes
    }

    /// Bytes that can be received before more must be allocated.
    pub fn room_bytes(&self) -> usize {
        match &self.body {
            Body::Buffer { bytes, .. } => bytes.len() - self.filled_bytes,
            Body::Whole(item) => item.value().len() - self.filled_bytes,
        }
    }

    /// The reservation of its memory.
    pub fn held(&self) -> &InputReservation {
        &self.held
    }

    /// The reservation of its memory, and the bytes it will reserve once the value is complete.
    pub fn held_mut(&mut self) -> (&mut InputReservation, u64) {
        let whole_bytes = match &self.body {
            Body::Buffer {
                key,
                head,
                value_len,
                ..
            } => cost_of_allocation(Item::bytes_to_allocate(key, head, *value_len)),
            Body::Whole(_) => self.held.bytes(),
        };
        (&mut self.held, whole_bytes)
    }

    /// Calls `fill` with the part of the allocated memory that is not filled yet.
    pub fn rest(&mut self, fill: impl FnOnce(&mut [u8]) -> usize) {
        let start = self.filled_bytes;
        let mut filled = 0;
        let fill = |room: &mut [u8]| {
            let room_bytes = room.len();
            filled = fill(room).min(room_bytes);
        };
        match &mut self.body {
            Body::Buffer { bytes, .. } => fill(&mut bytes[start..]),
            Body::Whole(item) => item.with_value_mut(|value| fill(&mut value[start..])),
        }
        self.filled_bytes += filled;
    }

    /// The complete value as a pending item.
    pub fn into_pending_item(mut self, store: &Store) -> PendingItem<'_> {
        let item = match self.body {
            Body::Whole(item) => Some(item),
            Body::Buffer { .. } => None,
        };
        if item.is_some() {
            self.held.finish();
        }
        store.pending_item_of(item)
    }
}

impl Store {
    /// Starts to receive a value. Under `-M` all of it is allocated at once or refused, as in
    /// memcached, because nothing can be evicted for it later.
    pub fn upload(
        &self,
        key: &[u8],
        head: &ItemHead,
        value_len: usize,
        context: &mut OpContext,
    ) -> Result<Upload, NoRoom> {
        let account = &self.shared.account;
        let cost = cost_of_allocation(Item::bytes_to_allocate(key, head, value_len));
        let is_ample = account.unfinished.is_ample(cost, account.budget_bytes());
        let mut held = self.unfinished_input();
        let body = if !self.shared.evicting || (is_ample && value_len <= UPLOAD_AT_ONCE_BYTES) {
            let allocate = |_: &mut _| self.allocate(key, head, value_len);
            let item = self.retry(context, |context| context, allocate, Result::is_err)?;
            held.take_over(cost);
            self.evict_to_budget(context);
            Body::Whole(item)
        } else {
            Body::Buffer {
                key: key.into(),
                head: *head,
                value_len,
                bytes: Vec::new(),
            }
        };
        Ok(Upload {
            body,
            filled_bytes: 0,
            held,
        })
    }

    /// A reservation for a client's unfinished line.
    pub fn unfinished_input(&self) -> InputReservation {
        InputReservation::new(std::sync::Arc::clone(&self.shared))
    }

    /// Takes bytes of a value. Returns how many: bytes after the end of the value are not taken.
    ///
    /// # Errors
    /// The machine is out of memory; the value cannot be stored.
    pub fn receive(
        &self,
        upload: &mut Upload,
        bytes: &[u8],
        context: &mut OpContext,
    ) -> Result<usize, NoRoom> {
        let taken = bytes.len().min(upload.missing_bytes());
        while upload.room_bytes() < taken {
            let enlarge = |context: &mut OpContext| self.enlarge(upload, taken, context);
            self.retry(context, |context| context, enlarge, Result::is_err)?;
        }
        upload.rest(|room| {
            room[..taken].copy_from_slice(&bytes[..taken]);
            taken
        });
        Ok(taken)
    }

    /// Allocates memory for `more` bytes: the next larger buffer, or the item.
    fn enlarge(
        &self,
        upload: &mut Upload,
        more: usize,
        context: &mut OpContext,
    ) -> Result<(), NoRoom> {
        let Body::Buffer {
            key,
            head,
            value_len,
            bytes,
        } = &mut upload.body
        else {
            return Err(NoRoom);
        };
        let account = &self.shared.account;
        let is_ample = account.unfinished.is_ample(0, account.budget_bytes());
        let (least, growth) = if is_ample {
            (UPLOAD_STEP_BYTES, UPLOAD_GROWTH)
        } else {
            (0, UPLOAD_GROWTH_SCARCE)
        };
        let needed = upload.filled_bytes + more;
        let next_len = needed.max(least).max(growth * bytes.len());
        if next_len < *value_len {
            upload.held.hold(buffer_cost(next_len));
            self.evict_to_budget(context);
            if bytes.try_reserve_exact(next_len - bytes.len()).is_err() {
                upload.held.hold(buffer_cost(bytes.len()));
                relief::note(FailedAllocation {
                    bytes: buffer_cost(next_len),
                    class: self.class_of(key, head, *value_len),
                });
                return Err(NoRoom);
            }
            bytes.resize(next_len, 0);
            return Ok(());
        }
        let mut item = self.allocate(key, head, *value_len)?;
        self.evict_to_budget(context);
        let arrived = &bytes[..upload.filled_bytes];
        item.with_value_mut(|value| value[..arrived.len()].copy_from_slice(arrived));
        let cost = cost_bytes(&item);
        upload.body = Body::Whole(item);
        upload.held.take_over(cost);
        Ok(())
    }
}

fn buffer_cost(len: usize) -> u64 {
    match len {
        0 => 0,
        _ => size_class_bytes(len) as u64,
    }
}
