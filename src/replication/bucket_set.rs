//! A set of buckets of keys: a bit for each of 65,536.

use crate::limits::sizes;
use crate::store::bucket_of;

/// Bits of a word.
const WORD_BITS: usize = u64::BITS as usize;

/// Words of a set.
fn words_max() -> usize {
    sizes().buckets() / WORD_BITS
}

/// A set of buckets. One that was always empty takes no memory, any other 8 KiB.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BucketSet {
    /// None, or a bit for each bucket.
    words: Vec<u64>,
    count: usize,
}

impl BucketSet {
    /// All buckets.
    #[must_use]
    pub fn all() -> Self {
        Self {
            words: vec![u64::MAX; words_max()],
            count: sizes().buckets(),
        }
    }

    /// The buckets whose bits are set; `words` gives the bits, lowest buckets first.
    pub(super) fn of_words(words: impl Iterator<Item = u64>) -> Self {
        let words: Vec<u64> = words.take(words_max()).collect();
        let count = words.iter().map(|word| word.count_ones() as usize).sum();
        Self { words, count }
    }

    /// The bits, lowest buckets first.
    pub(super) fn words(&self) -> impl Iterator<Item = u64> {
        let none = words_max() - self.words.len();
        let words = self.words.iter().copied();
        words.chain(std::iter::repeat_n(0, none))
    }

    /// The word and the bit of a bucket.
    pub(super) fn place(bucket: usize) -> (usize, u64) {
        (bucket / WORD_BITS, 1 << (bucket % WORD_BITS))
    }

    /// Adds a bucket.
    pub fn insert(&mut self, bucket: usize) {
        let (at, bit) = Self::place(bucket);
        if self.words.is_empty() {
            self.words = vec![0; words_max()];
        }
        self.count += usize::from(self.words[at] & bit == 0);
        self.words[at] |= bit;
    }

    /// Adds the bucket of a slot.
    pub fn insert_slot(&mut self, slot: u64) {
        self.insert(usize::from(bucket_of(slot)));
    }

    /// Removes a bucket.
    pub fn remove(&mut self, bucket: usize) {
        let (at, bit) = Self::place(bucket);
        if self.contains(bucket) {
            self.count -= 1;
            self.words[at] &= !bit;
        }
    }

    /// Whether a bucket is in it.
    #[must_use]
    pub fn contains(&self, bucket: usize) -> bool {
        let (at, bit) = Self::place(bucket);
        self.words.get(at).is_some_and(|word| word & bit != 0)
    }

    /// The first bucket from `from` on.
    #[must_use]
    pub fn first_from(&self, from: usize) -> Option<usize> {
        if self.count == 0 || from >= sizes().buckets() {
            return None;
        }
        let (at, bit) = Self::place(from);
        let first = self.words[at] & !(bit - 1);
        let later = self.words.iter().enumerate().skip(at + 1);
        let mut words = std::iter::once((at, first)).chain(later.map(|(at, word)| (at, *word)));
        let (at, word) = words.find(|(_, word)| *word != 0)?;
        Some(at * WORD_BITS + word.trailing_zeros() as usize)
    }

    /// Adds the buckets of another set.
    pub fn add(&mut self, other: &Self) {
        *self = Self::of_words(self.words().zip(other.words()).map(|(own, it)| own | it));
    }

    /// Removes the buckets of another set.
    pub fn subtract(&mut self, other: &Self) {
        if !self.is_empty() && !other.is_empty() {
            *self = Self::of_words(self.words().zip(other.words()).map(|(own, it)| own & !it));
        }
    }

    /// How many buckets it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

impl Extend<u64> for BucketSet {
    /// Adds the buckets of slots.
    fn extend<I: IntoIterator<Item = u64>>(&mut self, slots: I) {
        slots.into_iter().for_each(|slot| self.insert_slot(slot));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::BUCKETS;

    fn set_of(buckets: &[usize]) -> BucketSet {
        let mut set = BucketSet::default();
        buckets.iter().for_each(|&bucket| set.insert(bucket));
        set
    }

    fn listed(set: &BucketSet) -> Vec<usize> {
        let mut from = 0;
        let next = || {
            let bucket = set.first_from(from)?;
            from = bucket + 1;
            Some(bucket)
        };
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn a_set_has_what_was_added_and_not_removed() {
        let mut set = set_of(&[0, 63, 64, 64, 65_535]);
        assert_eq!((listed(&set), set.len()), (vec![0, 63, 64, 65_535], 4));
        set.remove(63);
        set.remove(62);
        set.add(&set_of(&[7, 64]));
        set.subtract(&set_of(&[0, 1]));
        assert_eq!((listed(&set), set.len()), (vec![7, 64, 65_535], 3));
        assert!(set.contains(7) && !set.contains(0));
        let same = BucketSet::of_words(set.words());
        assert_eq!(same, set);
    }

    #[test]
    fn the_empty_set_and_the_full_one() {
        let mut empty = BucketSet::default();
        assert_eq!((listed(&empty), empty.is_empty()), (Vec::new(), true));
        empty.remove(5);
        empty.subtract(&BucketSet::all());
        assert!(empty.is_empty());
        let mut all = BucketSet::default();
        all.add(&BucketSet::all());
        assert_eq!((all.len(), listed(&all).len()), (BUCKETS, BUCKETS));
        assert_eq!(all, BucketSet::all());
        all.subtract(&BucketSet::all());
        assert_eq!(all.first_from(0), None);
    }

    #[test]
    fn slots_are_added_by_their_buckets() {
        let mut set = BucketSet::default();
        set.extend([5 << 40 | 77, 5 << 40 | 78 | 1 << 60, 9 << 40]);
        assert_eq!(listed(&set), [5, 9]);
    }
}
