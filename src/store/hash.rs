//! The hash of a key: 128 bits of SipHash-1-3, keyed by a secret, and the use of its bits.
//!
//! Bits 40 to 55 of the first half are the bucket of the key, see [`super::digests`]; the upper of
//! them select its shard. The hash table inside uses the low bits as index and the top seven as
//! tag: if the shard were selected by those, all keys of a shard would share them, and every miss
//! would be slow.

use std::hash::{BuildHasher, Hasher};

use siphasher::sip128::SipHasher13;

use crate::limits::{BUCKET_BITS, BUCKETS, sizes};

/// The bits of the bucket; all slots of a key share them.
const BUCKET_SHIFT: u32 = 40;
const BUCKET_MASK: u64 = (BUCKETS as u64 - 1) << BUCKET_SHIFT;

/// The hash of a key: its first slot, and the seed of its other slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyHash {
    first: u64,
    second: u64,
}

impl KeyHash {
    /// The first slot of the key.
    pub fn slot(self) -> u64 {
        self.first
    }

    /// The `index`-th of the key's [`SLOTS_PER_KEY`] slots.
    pub(crate) fn nth_slot(self, index: u64) -> u64 {
        if index == 0 {
            return self.first;
        }
        let mixed = (self.second ^ index.wrapping_mul(0x9e37_79b9_7f4a_7c15))
            .wrapping_mul(0xd6e8_feb8_6659_fd93);
        (mixed ^ (mixed >> 32)) & !BUCKET_MASK | self.first & BUCKET_MASK
    }
}

/// Hashes keys with a secret: random on a standalone node, shared by the nodes of a pair.
#[derive(Clone, Debug)]
pub struct KeyHasher {
    sip: SipHasher13,
    #[cfg(test)]
    constant: bool,
    #[cfg(test)]
    one_bucket: bool,
}

impl KeyHasher {
    /// A hasher with a 16-byte secret.
    pub fn new(secret: &[u8; 16]) -> Self {
        Self {
            sip: SipHasher13::new_with_key(secret),
            #[cfg(test)]
            constant: false,
            #[cfg(test)]
            one_bucket: false,
        }
    }

    /// Gives every key the same bucket.
    #[cfg(test)]
    pub(crate) fn of_one_bucket() -> Self {
        Self {
            one_bucket: true,
            ..Self::new(&[0; 16])
        }
    }

    /// Gives every key the same hash, as an attacker who knows the secret could.
    #[cfg(test)]
    pub(crate) fn colliding() -> Self {
        Self {
            constant: true,
            ..Self::new(&[0; 16])
        }
    }

    /// The hash of a key.
    pub fn hash(&self, key: &[u8]) -> KeyHash {
        #[cfg(test)]
        if self.constant {
            return KeyHash {
                first: 0x55,
                second: 0xaa,
            };
        }
        let hash = self.sip.hash(key);
        #[cfg(test)]
        if self.one_bucket {
            return KeyHash {
                first: hash.h1 & !BUCKET_MASK,
                second: hash.h2,
            };
        }
        KeyHash {
            first: hash.h1,
            second: hash.h2,
        }
    }
}

/// The bucket of a slot.
pub fn bucket_of(slot: u64) -> u16 {
    ((slot & BUCKET_MASK) >> (BUCKET_SHIFT + BUCKET_BITS - sizes().bucket_bits)) as u16
}

/// The shard of a slot, of `1 << shard_bits`.
pub(crate) fn shard_of(slot: u64, shard_bits: u32) -> usize {
    ((slot & BUCKET_MASK) >> (BUCKET_SHIFT + BUCKET_BITS - shard_bits)) as usize
}

/// Hashes slots to themselves: they are hashes already.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct BuildIdentity;

/// Returns the `u64` it was given.
#[derive(Default)]
pub(crate) struct Identity(u64);

impl BuildHasher for BuildIdentity {
    type Hasher = Identity;

    fn build_hasher(&self) -> Identity {
        Identity::default()
    }
}

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0 << 8 | u64::from(byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::SLOTS_PER_KEY;

    #[test]
    fn every_slot_of_a_key_is_in_its_shard_and_differs_from_the_others() {
        let hasher = KeyHasher::new(b"0123456789abcdef");
        for key in [&b"a"[..], b"session", b"lock:session"] {
            let hash = hasher.hash(key);
            let slots: Vec<_> = (0..SLOTS_PER_KEY).map(|i| hash.nth_slot(i)).collect();
            for (i, slot) in slots.iter().enumerate() {
                assert_eq!(shard_of(*slot, 14), shard_of(hash.slot(), 14));
                assert_eq!(bucket_of(*slot), bucket_of(hash.slot()));
                assert!(!slots[..i].contains(slot));
            }
        }
    }

    #[test]
    fn the_hash_of_a_key_is_a_wire_constant() {
        // Both nodes of a pair, whatever their versions, must agree on it.
        let hash = KeyHasher::new(b"0123456789abcdef").hash(b"session");
        assert_eq!(hash, KeyHasher::new(b"0123456789abcdef").hash(b"session"));
        assert_ne!(hash, KeyHasher::new(b"0123456789abcdeF").hash(b"session"));
    }
}
