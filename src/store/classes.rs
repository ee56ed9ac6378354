//! memcached's slab classes. There are no slabs here, but statistics, `me` and dumps show classes.
//!
//! An item has the class memcached would choose for it. The totals of each class are counted at
//! every change of an entry, so that statistics need no walk of the store.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::item::Item;
use crate::limits::CLASSES;

/// The size of memcached's slab pages.
pub const PAGE_BYTES: u64 = 1 << 20;

/// memcached's header of an item.
const HEADER_BYTES: usize = 48;
/// The CAS unique that memcached stores after the header.
pub(super) const CAS_BYTES: usize = 8;
/// The NUL after the key, and CR LF after the value.
const ENDS_BYTES: usize = 1 + 2;
/// Client flags other than 0.
const FLAGS_BYTES: usize = 4;
/// memcached's chunk sizes are multiples of this.
const ALIGN_BYTES: usize = 8;
/// The width of a bucket of `stats sizes`.
const SIZE_STEP_BYTES: usize = 32;
const RELAXED: Ordering = Ordering::Relaxed;

/// How memcached's classes are sized.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassPlan {
    /// `-f`: each class is larger than the one before by this factor.
    pub growth_factor: f64,
    /// `-n`: room for key, value and flags in the smallest class, in bytes.
    pub min_bytes: usize,
    /// The largest chunk, in bytes.
    pub chunk_max_bytes: usize,
    /// The sizes of all classes but the last, in bytes; empty: they follow from the others.
    pub given_bytes: Vec<u32>,
    /// Whether the sizes of items are counted (`-o track_sizes`), which takes an eighth of `-I`.
    pub tracks_sizes: bool,
}

impl Default for ClassPlan {
    /// memcached's defaults.
    fn default() -> Self {
        Self {
            growth_factor: 1.25,
            min_bytes: 48,
            chunk_max_bytes: 512 << 10,
            given_bytes: Vec::new(),
            tracks_sizes: false,
        }
    }
}

/// The totals of a class, including expired items that were not removed yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClassFigures {
    /// The number of items.
    pub items: u64,
    /// Their bytes, as memcached counts them.
    pub item_bytes: u64,
}

/// The classes of a store and their totals.
#[derive(Debug)]
pub struct Classes {
    /// Bytes of a chunk of each class, from class 1 on.
    chunks: Vec<u32>,
    /// The first class (less 1) to look at for a size, by its highest bit.
    first: [u8; usize::BITS as usize],
    held: Box<[ClassTotals; CLASSES]>,
    /// How many items there are of each 32 bytes of size; empty unless they are tracked.
    sizes: Box<[AtomicU32]>,
}

/// The totals of one class. All workers write them, so no two classes share a cache line.
#[derive(Debug, Default)]
#[repr(align(64))]
struct ClassTotals {
    items: AtomicU64,
    item_bytes: AtomicU64,
}

impl Classes {
    /// Empty classes for items up to a size.
    pub(super) fn new(plan: &ClassPlan, item_bytes_max: usize) -> Self {
        let chunks = chunks(plan);
        let class_for = |bytes: usize| chunks.iter().take_while(|&&c| (c as usize) < bytes).count();
        let first = std::array::from_fn(|bit| class_for(1 << bit) as u8);
        let buckets = if plan.tracks_sizes {
            item_bytes_max / SIZE_STEP_BYTES + 1
        } else {
            0
        };
        Self {
            first,
            chunks,
            held: Box::new(std::array::from_fn(|_| ClassTotals::default())),
            sizes: (0..buckets).map(|_| AtomicU32::new(0)).collect(),
        }
    }

    /// The class of an item of so many bytes. The last class takes larger items, too.
    pub fn of(&self, item_bytes: usize) -> u8 {
        let last = self.chunks.len() - 1;
        let mut class = usize::from(self.first[item_bytes.max(1).ilog2() as usize]);
        while class < last && (self.chunks[class] as usize) < item_bytes {
            class += 1;
        }
        class.min(last) as u8 + 1
    }

    /// All classes with the bytes of their chunks.
    pub fn each(&self) -> impl Iterator<Item = (u8, u64)> {
        (1u8..).zip(self.chunks.iter().map(|&bytes| u64::from(bytes)))
    }

    /// The totals of a class.
    pub fn figures(&self, class: u8) -> ClassFigures {
        let held = &self.held[index(class)];
        ClassFigures {
            items: held.items.load(RELAXED),
            item_bytes: held.item_bytes.load(RELAXED),
        }
    }

    /// The sizes of items in bytes, rounded up to 32, with the number of items of each: `None`
    /// unless sizes are tracked.
    pub fn sizes(&self) -> Option<impl Iterator<Item = (usize, u32)>> {
        let counts = self.sizes.iter().map(|count| count.load(RELAXED));
        let sizes = (0..).step_by(SIZE_STEP_BYTES).zip(counts);
        (!self.sizes.is_empty()).then(|| sizes.filter(|(_, count)| *count != 0))
    }

    /// Counts the change of a slot.
    pub(super) fn count(&self, old: Option<&Item>, new: Option<&Item>) {
        let old = old.filter(|item| !item.is_tombstone());
        let new = new.filter(|item| !item.is_tombstone());
        let size = |item: Option<&Item>| item.map(|item| (item.class(), counted_bytes(item)));
        let (old, new) = (size(old), size(new));
        if old == new {
            return;
        }
        if let Some((class, bytes)) = new {
            let held = &self.held[index(class)];
            held.items.fetch_add(1, RELAXED);
            held.item_bytes.fetch_add(bytes as u64, RELAXED);
            self.track(bytes, 1);
        }
        if let Some((class, bytes)) = old {
            let held = &self.held[index(class)];
            held.items.fetch_sub(1, RELAXED);
            held.item_bytes.fetch_sub(bytes as u64, RELAXED);
            self.track(bytes, u32::MAX);
        }
    }

    fn track(&self, bytes: usize, change: u32) {
        if let Some(count) = self.sizes.get(bytes.div_ceil(SIZE_STEP_BYTES)) {
            count.fetch_add(change, RELAXED);
        }
    }
}

/// The place of a class in an array of all.
pub fn index(class: u8) -> usize {
    usize::from(class) % CLASSES
}

/// The bytes of an item as memcached counts them.
pub fn item_bytes(key_len: usize, client_flags: u32, value_len: usize) -> usize {
    let flags_len = if client_flags == 0 { 0 } else { FLAGS_BYTES };
    HEADER_BYTES + CAS_BYTES + ENDS_BYTES + key_len + flags_len + value_len
}

/// The bytes of an existing item as memcached counts them.
pub fn counted_bytes(item: &Item) -> usize {
    let bytes = item_bytes(item.key().len(), item.client_flags(), item.value().len());
    if item.has_cas() {
        bytes
    } else {
        bytes - CAS_BYTES
    }
}

/// The chunk sizes of all classes in bytes: at most 63, the last of them the largest.
fn chunks(plan: &ClassPlan) -> Vec<u32> {
    let aligned = |bytes: usize| bytes.next_multiple_of(ALIGN_BYTES) as u32;
    let mut chunks = Vec::with_capacity(CLASSES);
    if plan.given_bytes.is_empty() {
        let bytes_max = plan.chunk_max_bytes as f64 / plan.growth_factor;
        let mut bytes = HEADER_BYTES + plan.min_bytes;
        while chunks.len() < CLASSES - 2 && (bytes as f64) < bytes_max {
            chunks.push(aligned(bytes));
            let grown = bytes.next_multiple_of(ALIGN_BYTES) as f64 * plan.growth_factor;
            bytes = grown as usize;
        }
    } else {
        let given = plan.given_bytes.iter().take(CLASSES - 2);
        chunks.extend(given.map(|&bytes| aligned(bytes as usize)));
    }
    chunks.push(plan.chunk_max_bytes as u32);
    chunks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(plan: &ClassPlan) -> Classes {
        Classes::new(plan, 1 << 20)
    }

    /// As `memcached -vv` 1.6.45 prints them.
    #[test]
    fn the_default_classes_are_those_of_memcached() {
        let classes = classes(&ClassPlan::default());
        for (bytes, class) in [
            (1, 1),
            (61, 1),
            (96, 1),
            (97, 2),
            (120, 2),
            (121, 3),
            (66_629, 31),
            (394_840, 38),
            (394_841, 39),
            (1 << 20, 39),
            (1 << 30, 39),
        ] {
            assert_eq!(classes.of(bytes), class, "{bytes}");
        }
        let each: Vec<_> = classes.each().collect();
        assert_eq!(each.len(), 39);
        assert_eq!(each[37..], [(38, 394_840), (39, 524_288)]);
    }

    #[test]
    fn classes_follow_the_growth_factor_and_the_smallest_size() {
        let plan = |growth_factor, min_bytes| ClassPlan {
            growth_factor,
            min_bytes,
            ..ClassPlan::default()
        };
        let chunks = |plan: ClassPlan| classes(&plan).chunks;
        let doubling = chunks(plan(2.0, 5));
        assert_eq!(doubling[..3], [56, 112, 224]);
        assert_eq!(doubling.last(), Some(&(512 << 10)));
        let fine = chunks(plan(1.01, 48));
        assert_eq!((fine.len(), fine[0], fine[1]), (63, 96, 96));
        let given = ClassPlan {
            given_bytes: vec![100, 300],
            ..ClassPlan::default()
        };
        assert_eq!(chunks(given), [104, 304, 512 << 10]);
        let small = ClassPlan {
            chunk_max_bytes: 1024,
            ..ClassPlan::default()
        };
        assert_eq!(chunks(small).len(), 11);
    }

    #[test]
    fn every_size_is_in_the_first_class_it_fits() {
        for growth_factor in [1.01, 1.25, 3.0] {
            let classes = classes(&ClassPlan {
                growth_factor,
                ..ClassPlan::default()
            });
            let last = classes.chunks.len() - 1;
            for bytes in (1..5000).chain((5000..600_000).step_by(97)) {
                let fits = |chunk: &u32| *chunk as usize >= bytes;
                let first = classes.chunks.iter().position(fits).unwrap_or(last);
                assert_eq!(usize::from(classes.of(bytes)), first + 1, "{bytes}");
            }
        }
    }
}
