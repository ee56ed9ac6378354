//! What the partner is known to hold of an entry.
//!
//! It is known of one life of the partner, which is one of its processes: the next one starts
//! empty. Each entry keeps what is known together with the life of which it is known, so that
//! nothing is known of any entry once another life begins, and no entry changes for that.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use parking_lot::Mutex;

use super::hlc::{HybridClock, Timestamp};
use crate::rules::{Rule, holds};

/// The partner has had this version or a newer one: nothing older is left there.
const VERSION: u32 = 1;
/// The partner has no more than this value with the same item flags and no later deadline.
const DEADLINE: u32 = 2;
/// The partner holds this value or a newer one.
const VALUE: u32 = 4;
/// Bits of these.
const FACT_BITS: u32 = 3;
const FACTS: u32 = (1 << FACT_BITS) - 1;
/// Lives are counted in the other bits: a partner that restarts each second reaches the first
/// number again after 17 years.
const LIFE_MAX: u32 = u32::MAX >> FACT_BITS;

/// A life of the partner. Never 0, which is the life of an entry of which nothing is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PartnerLife(u32);

impl Default for PartnerLife {
    /// The first.
    fn default() -> Self {
        Self(1)
    }
}

/// What the partner has said of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PartnerSays {
    /// It holds this version.
    Holds,
    /// It holds a newer version.
    HoldsNewer,
    /// It holds this value, without the last touch.
    HoldsValue,
    /// It has had this version, and has removed it.
    Removed,
    /// It has evicted this value, perhaps with an older touch.
    Evicted,
    /// It has no room for it, and holds nothing of the key.
    Refused,
}

/// What the partner is known to hold of an entry, and in which life: four bytes of each entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Confirmed(u32);

impl Confirmed {
    pub(crate) fn from_raw(raw: u32) -> Self {
        Self(raw)
    }

    pub(crate) fn raw(self) -> u32 {
        self.0
    }

    /// What is known of an entry after the partner has said this in its present life.
    pub(crate) fn after(self, says: PartnerSays, life: PartnerLife) -> Self {
        let facts = match says {
            PartnerSays::Holds => VERSION | DEADLINE | VALUE,
            PartnerSays::HoldsNewer => VERSION | VALUE,
            PartnerSays::HoldsValue => self.facts(life) | VALUE,
            PartnerSays::Removed => VERSION | DEADLINE,
            PartnerSays::Evicted => self.facts(life) & !VALUE,
            PartnerSays::Refused => 0,
        };
        Self(life.0 << FACT_BITS | facts)
    }

    /// What is known of it after a touch. `outlives`: with the same item flags, and a deadline that
    /// is no earlier.
    pub(crate) fn touched(self, outlives: bool) -> Self {
        let lost = if outlives { 0 } else { DEADLINE };
        Self(self.0 & !(VERSION | lost))
    }

    /// Whether the partner has had this version or a newer one, so that nothing older is there.
    pub(crate) fn has_had_version(self, life: PartnerLife) -> bool {
        self.facts(life) & VERSION != 0
    }

    /// Whether what the partner has of the key, if anything, is this value with the same item flags
    /// and no later deadline.
    pub(crate) fn has_had_deadline(self, life: PartnerLife) -> bool {
        self.facts(life) & DEADLINE != 0
    }

    /// Whether the partner holds this value or a newer one, perhaps without the last touch.
    pub(crate) fn has_value(self, life: PartnerLife) -> bool {
        self.facts(life) & VALUE != 0
    }

    /// Whether the partner holds this version or a newer one.
    pub(crate) fn is_held(self, life: PartnerLife) -> bool {
        self.facts(life) & (VERSION | VALUE) == VERSION | VALUE
    }

    fn facts(self, life: PartnerLife) -> u32 {
        if self.0 >> FACT_BITS == life.0 || !holds(Rule::ConfirmedPerLife) {
            self.0 & FACTS
        } else {
            0
        }
    }

    /// [`Self::has_had_version`] in whichever life the partner last said something.
    #[cfg(test)]
    pub(crate) fn has_had_version_once(self) -> bool {
        self.0 & VERSION != 0
    }

    /// [`Self::has_had_deadline`] in whichever life the partner last said something.
    #[cfg(test)]
    pub(crate) fn has_had_deadline_once(self) -> bool {
        self.0 & DEADLINE != 0
    }
}

/// The present life of the partner.
#[derive(Debug)]
pub(crate) struct PartnerLives {
    /// The number that its process has given itself; `None` before the first link.
    incarnation: Mutex<Option<u64>>,
    life: AtomicU32,
    /// The clock of this node when that life became known.
    began: AtomicU64,
}

impl Default for PartnerLives {
    fn default() -> Self {
        Self {
            incarnation: Mutex::new(None),
            life: AtomicU32::new(PartnerLife::default().0),
            began: AtomicU64::new(0),
        }
    }
}

impl PartnerLives {
    pub(crate) fn present(&self) -> PartnerLife {
        // Acquire, paired with `linked`: who sees a life sees when it began.
        PartnerLife(self.life.load(Ordering::Acquire))
    }

    /// When the present life became known; [`Timestamp::ZERO`] in the first.
    pub(crate) fn began(&self) -> Timestamp {
        Timestamp::from_raw(self.began.load(Ordering::Relaxed))
    }

    /// A link to this process of the partner is up. Another process than that of the last link
    /// begins another life.
    pub(crate) fn linked(&self, incarnation: u64, clock: &HybridClock) {
        let before = self.incarnation.lock().replace(incarnation);
        if before.is_none_or(|before| before == incarnation) {
            return;
        }
        self.began.store(clock.highest().get(), Ordering::Relaxed);
        let life = self.life.load(Ordering::Relaxed);
        let next = if life == LIFE_MAX { 1 } else { life + 1 };
        self.life.store(next, Ordering::Release);
    }
}
