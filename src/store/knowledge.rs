//! Whether this node may answer a client from its own table, or must ask its partner first.
//!
//! After a link was down the partner may hold something newer than this node. The link notes here
//! in which buckets of keys that is so, at the moment at which it reads it; workers look here
//! before a command whose reply depends on what is held.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use super::Store;
use super::hash;
use crate::limits::sizes;
use crate::rules::{Rule, holds};

/// The bit of [`Knowledge::mode`] for a link that is up.
const LINKED: u8 = 1;
/// The bit for a node that has not had its partner's table, nor served without one.
const INCOMPLETE: u8 = 2;
/// The bit for a link whose partner may hold something newer in some bucket.
const UNKNOWN: u8 = 4;

const WORD_BITS: usize = u64::BITS as usize;

/// What a command on a key has to do first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consult {
    /// Nothing: this node's table has the answer.
    Nobody,
    /// The partner is to be asked for this slot.
    Partner(u64),
    /// There is nobody to ask, and this node's table may lack the key: no answer is right.
    NoAnswer,
}

/// See the module. A standalone node, and one whose link was never up, knows everything.
#[derive(Debug, Default)]
pub(crate) struct Knowledge {
    mode: AtomicU8,
    /// A bit for each bucket in which the partner may hold something newer, as long as any is set;
    /// none without a partner.
    unknown: Box<[AtomicU64]>,
}

impl Knowledge {
    pub(super) fn of_pair() -> Self {
        let words = sizes().buckets() / WORD_BITS;
        Self {
            unknown: (0..words).map(|_| AtomicU64::new(0)).collect(),
            ..Self::default()
        }
    }

    fn has(&self, bits: u8) -> bool {
        self.mode.load(Ordering::Acquire) & bits != 0
    }

    fn set(&self, bits: u8) {
        self.mode.fetch_or(bits, Ordering::AcqRel);
    }

    fn clear(&self, bits: u8) {
        self.mode.fetch_and(!bits, Ordering::AcqRel);
    }

    fn is_unknown(&self, slot: u64) -> bool {
        let bucket = usize::from(hash::bucket_of(slot));
        let word = self.unknown.get(bucket / WORD_BITS);
        word.is_some_and(|word| word.load(Ordering::Acquire) >> (bucket % WORD_BITS) & 1 != 0)
    }
}

impl Store {
    /// Whether a command on some key may have to do something first.
    #[inline(always)]
    pub fn consults(&self) -> bool {
        self.shared.knowledge.has(INCOMPLETE | UNKNOWN)
    }

    /// What a command on this key has to do first, if its reply depends on what is held.
    pub fn consult(&self, key: &[u8]) -> Consult {
        let knowledge = &self.shared.knowledge;
        let mode = knowledge.mode.load(Ordering::Acquire);
        if mode & (LINKED | INCOMPLETE) == INCOMPLETE {
            return Consult::NoAnswer;
        }
        if mode & UNKNOWN == 0 {
            return Consult::Nobody;
        }
        let slot = self.shared.hasher.hash(key).slot();
        match knowledge.is_unknown(slot) && holds(Rule::UnknownBucketsAreAskedFor) {
            true => Consult::Partner(slot),
            false => Consult::Nobody,
        }
    }

    /// This node starts, and its partner may hold what it lacks: until it has that, or serves
    /// alone, it gives no answer without the partner.
    pub fn begin_incomplete(&self) {
        self.shared.knowledge.set(INCOMPLETE);
    }

    /// This node has had its partner's table, or serves without it.
    pub fn complete(&self) {
        self.shared.knowledge.clear(INCOMPLETE);
    }

    /// Whether this node may answer without its partner.
    pub fn is_complete(&self) -> bool {
        !self.shared.knowledge.has(INCOMPLETE)
    }

    /// A link has come up: nothing is known of the partner's table.
    pub fn link_begins(&self) {
        let knowledge = &self.shared.knowledge;
        for word in &knowledge.unknown {
            word.store(u64::MAX, Ordering::Relaxed);
        }
        knowledge.set(LINKED | UNKNOWN);
    }

    /// The link has ended: there is nobody to ask.
    pub fn link_ends(&self) {
        self.shared.knowledge.clear(LINKED | UNKNOWN);
    }

    /// The partner holds nothing newer in this bucket.
    pub fn bucket_is_known(&self, bucket: usize) {
        if let Some(word) = self.shared.knowledge.unknown.get(bucket / WORD_BITS) {
            word.fetch_and(!(1 << (bucket % WORD_BITS)), Ordering::AcqRel);
        }
    }

    /// The partner holds nothing newer in any bucket.
    pub fn all_is_known(&self) {
        self.shared.knowledge.clear(UNKNOWN);
    }

    /// The partner may hold something newer in these buckets: a bit for each, the lowest bucket in
    /// the lowest bit of the first word.
    pub fn buckets_are_unknown(&self, words: impl Iterator<Item = u64>) {
        let knowledge = &self.shared.knowledge;
        if !knowledge.has(UNKNOWN) {
            // Bits of the time before.
            for word in &knowledge.unknown {
                word.store(0, Ordering::Relaxed);
            }
        }
        for (word, bits) in knowledge.unknown.iter().zip(words) {
            word.fetch_or(bits, Ordering::AcqRel);
        }
        knowledge.set(UNKNOWN);
    }
}

/// How a command depends on what is held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dependence {
    /// It shows what is held.
    #[default]
    Reads,
    /// It changes what is held, or says whether it did.
    Writes,
}

/// What a client's command must know before it is carried out.
#[derive(Debug, Default)]
pub struct Consultation {
    /// Slots to ask the partner for.
    pub wanted: Vec<u64>,
    /// Why they are wanted.
    pub dependence: Dependence,
    /// The command gets no answer: this node may lack its key, and there is nobody to ask.
    pub is_hopeless: bool,
    /// Slots that are not asked for again: the partner has answered, or is not waited for.
    settled: Vec<u64>,
}

impl Consultation {
    /// Whether a slot is not asked for again.
    pub fn is_settled(&self, slot: u64) -> bool {
        self.settled.binary_search(&slot).is_ok()
    }

    /// Whether any slot is not asked for again: that is so for the next turn only.
    pub fn has_settled(&self) -> bool {
        !self.settled.is_empty()
    }

    /// What was wanted is not asked for again.
    pub fn settle(&mut self) {
        self.settled.append(&mut self.wanted);
        self.settled.sort_unstable();
    }

    /// The command is carried out, or the client is gone.
    pub fn end(&mut self) {
        self.wanted.clear();
        self.settled.clear();
        self.is_hopeless = false;
    }
}
