//! The replies of a turn: bytes, and handles to values too large to copy.

use crate::limits::VALUE_COPY_BYTES;
use crate::store::Item;

/// See the module.
#[derive(Debug, Default)]
pub struct Output {
    /// Everything but the large values.
    pub bytes: Vec<u8>,
    /// Large values, each with the place in `bytes` it goes before.
    large: Vec<(usize, Item)>,
    large_bytes: usize,
}

/// A run of reply bytes.
pub enum Chunk<'a> {
    /// Copied bytes.
    Bytes(&'a [u8]),
    /// A value that stays in its item.
    Value(&'a Item),
}

impl Chunk<'_> {
    /// The bytes to send.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Value(item) => item.value(),
        }
    }
}

impl Output {
    /// Appends an item's value: copied if small, else as a handle.
    #[inline(always)]
    pub fn push_value(&mut self, item: &Item) {
        let value = item.value();
        if value.len() <= VALUE_COPY_BYTES {
            self.bytes.extend_from_slice(value);
        } else {
            self.large_bytes += value.len();
            self.large.push((self.bytes.len(), item.clone()));
        }
    }

    /// Bytes to send, large values included.
    pub fn len(&self) -> usize {
        self.bytes.len() + self.large_bytes
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether all of it is in `bytes`.
    pub fn is_flat(&self) -> bool {
        self.large.is_empty()
    }

    /// The runs to send, in order, without the first `skip` bytes of the whole.
    pub fn chunks_after(&self, skip: usize) -> impl Iterator<Item = (usize, Chunk<'_>)> {
        let mut start = 0;
        let tail = self.large.last().map_or(0, |(place, _)| *place);
        let runs = self.large.iter().flat_map(move |(place, item)| {
            let run = Chunk::Bytes(&self.bytes[start..*place]);
            start = *place;
            [run, Chunk::Value(item)]
        });
        let runs = runs.chain([Chunk::Bytes(&self.bytes[tail..])]);
        let mut skip = skip;
        runs.filter_map(move |chunk| {
            let len = chunk.bytes().len();
            let skipped = skip.min(len);
            skip -= skipped;
            (skipped < len).then_some((skipped, chunk))
        })
    }

    /// Takes the replies out, in a buffer of about their size: a client may leave them unread for
    /// long.
    pub fn detach(&mut self) -> Self {
        let mut detached = std::mem::take(self);
        if detached.bytes.capacity() > 2 * detached.bytes.len() {
            let exact = detached.bytes.as_slice().to_vec();
            self.bytes = std::mem::replace(&mut detached.bytes, exact);
            self.bytes.clear();
        }
        detached
    }

    /// Forgets everything, keeping the buffer.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.large.clear();
        self.large_bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{ItemHead, OpContext, Store, StoreConfig};

    #[test]
    fn large_values_keep_their_place_among_the_bytes() {
        let store = Store::new(&StoreConfig::of_a_test());
        let mut op = OpContext::default();
        let head = ItemHead::default();
        let pending = store.pending_item(b"k", &head, VALUE_COPY_BYTES + 1);
        let mut pending = pending.unwrap();
        pending.fill(|value| value.fill(b'v'));
        store.update(b"k", &mut op, |_| (crate::store::Action::Put(pending), ()));
        let mut output = Output::default();
        output.bytes.extend_from_slice(b"head ");
        store
            .read(b"k", &mut op, |item| output.push_value(item))
            .unwrap();
        output.bytes.extend_from_slice(b" tail");
        let expected = [&b"head "[..], &vec![b'v'; VALUE_COPY_BYTES + 1], b" tail"].concat();
        for skip in [0, 3, 5, 6, VALUE_COPY_BYTES + 6, expected.len()] {
            let chunks = output.chunks_after(skip);
            let sent: Vec<u8> = chunks
                .flat_map(|(from, chunk)| chunk.bytes()[from..].to_vec())
                .collect();
            assert_eq!(sent, expected[skip..], "after {skip}");
        }
        assert_eq!(output.len(), expected.len());
    }
}
