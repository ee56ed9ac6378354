//! One entry of the table, an item or a tombstone: header, key and value in one allocation.
//!
//! Handles are counted references. Fields that change while others hold one (deadline, version of a
//! touch, access times, item flags) are atomic; key and value never change once the item is in the
//! table.

use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

use triomphe::ThinArc;

use super::clock::Now;
use super::confirmed::Confirmed;
use super::hlc::{Timestamp, Version};

/// Bytes of an item's allocation before its key: reference count, header, length.
pub(crate) const ITEM_HEADER_BYTES: usize = 8 + size_of::<Header>() + 8;
/// Bytes kept between key and value when the CAS unique was set by the client.
const CAS_BYTES: usize = 8;
/// The initial contents of items up to the default of `-I`. Copying it compiles to one `memset`;
/// filling byte by byte takes twice as long for a short item, and a hundred times in a debug build.
static ZEROES: [u8; 1 << 20] = [0; 1 << 20];
/// Access times are in units of 64 ms (a shift of 6 bits), so that 32 bits last for years.
const TICK_SHIFT: u32 = 6;
const RELAXED: Ordering = Ordering::Relaxed;

/// The deadline of an item that never expires.
pub const NEVER: u64 = u64::MAX;

/// The flags of an item that the partner gets, too, as a bit set.
pub mod item_flags {
    /// Set by a meta delete with invalidation: the value is stale.
    pub const STALE: u8 = 1;
    /// A client was asked to refresh the stale value.
    pub const TOKEN_SENT: u8 = 2;
    /// The key was given in base64.
    pub const BASE64_KEY: u8 = 4;
    /// All of them.
    pub const ALL: u8 = STALE | TOKEN_SENT | BASE64_KEY;
}

/// Flags that only this node uses.
mod local {
    pub(super) const TOMBSTONE: u8 = 1;
    /// It is not in the first slot of its key.
    pub(super) const DISPLACED: u8 = 2;
    pub(super) const FETCHED: u8 = 4;
    pub(super) const CAS_OVERRIDE: u8 = 8;
    /// The node gives its items no CAS unique.
    pub(super) const NO_CAS: u8 = 16;
}

#[derive(Debug)]
struct Header {
    timestamp: AtomicU64,
    touched: AtomicU64,
    deadline_ms: AtomicU64,
    client_flags: u32,
    promoted: AtomicU32,
    accessed: AtomicU32,
    expiry_bucket: AtomicU32,
    /// See [`Confirmed`].
    confirmed: AtomicU32,
    local: AtomicU8,
    item_flags: AtomicU8,
    class: AtomicU8,
    key_len: u8,
}

/// An item without its key and value.
#[derive(Clone, Copy, Debug)]
pub struct ItemHead {
    /// The client's opaque 32 bits.
    pub client_flags: u32,
    /// Milliseconds on the boot-time clock, or [`NEVER`].
    pub deadline_ms: u64,
    /// See [`item_flags`](mod@item_flags).
    pub item_flags: u8,
    /// A CAS unique set by the client instead of the timestamp.
    pub cas: Option<u64>,
}

impl Default for ItemHead {
    /// Never expires.
    fn default() -> Self {
        Self {
            client_flags: 0,
            deadline_ms: NEVER,
            item_flags: 0,
            cas: None,
        }
    }
}

/// A counted reference to one entry.
#[derive(Clone, Debug)]
pub struct Item(ThinArc<Header, u8>);

impl Item {
    /// Allocates an item with a zeroed value. `None` if the machine has no memory.
    pub(crate) fn allocate(key: &[u8], head: &ItemHead, value_len: usize) -> Option<Self> {
        debug_assert!(key.len() <= usize::from(u8::MAX));
        let cas_len = head.cas.map_or(0, |_| CAS_BYTES);
        let len = key.len() + cas_len + value_len;
        let header = Header {
            timestamp: AtomicU64::new(0),
            touched: AtomicU64::new(0),
            deadline_ms: AtomicU64::new(head.deadline_ms),
            client_flags: head.client_flags,
            promoted: AtomicU32::new(0),
            accessed: AtomicU32::new(0),
            expiry_bucket: AtomicU32::new(0),
            confirmed: AtomicU32::new(Confirmed::default().raw()),
            local: AtomicU8::new(if cas_len == 0 { 0 } else { local::CAS_OVERRIDE }),
            item_flags: AtomicU8::new(head.item_flags & item_flags::ALL),
            class: AtomicU8::new(0),
            key_len: key.len() as u8,
        };
        let item = match ZEROES.get(..len) {
            Some(zeroes) => ThinArc::try_from_header_and_slice(header, zeroes),
            None => ThinArc::try_from_header_and_iter(header, std::iter::repeat_n(0, len)),
        };
        let mut item = Self(item.ok()?);
        item.write(|bytes| {
            bytes[..key.len()].copy_from_slice(key);
            if let Some(cas) = head.cas {
                bytes[key.len()..key.len() + CAS_BYTES].copy_from_slice(&cas.to_be_bytes());
            }
        });
        Some(item)
    }

    /// A tombstone of `version`. It keeps the key, which the partner needs to find its copy.
    pub(crate) fn tombstone(key: &[u8], version: Version) -> Option<Self> {
        let item = Self::allocate(key, &ItemHead::default(), 0)?;
        item.set_local(local::TOMBSTONE, true);
        item.set_version(version);
        Some(item)
    }

    /// Writes into an item that has only this handle; does nothing otherwise.
    fn write(&mut self, write: impl FnOnce(&mut [u8])) {
        self.0.with_arc_mut(|arc| {
            if let Some(inner) = triomphe::Arc::get_mut(arc) {
                write(inner.slice_mut());
            }
        });
    }

    /// Calls `fill` with the value of an item that has only this handle.
    pub(crate) fn with_value_mut(&mut self, fill: impl FnOnce(&mut [u8])) {
        let start = self.value_start();
        self.write(|bytes| fill(&mut bytes[start..]));
    }

    fn header(&self) -> &Header {
        &self.0.header.header
    }

    fn value_start(&self) -> usize {
        let cas_len = if self.local(local::CAS_OVERRIDE) {
            CAS_BYTES
        } else {
            0
        };
        usize::from(self.header().key_len) + cas_len
    }

    /// Its key, 1 to 250 bytes.
    pub fn key(&self) -> &[u8] {
        &self.0.slice[..usize::from(self.header().key_len)]
    }

    /// Its value; empty for a tombstone.
    pub fn value(&self) -> &[u8] {
        &self.0.slice[self.value_start()..]
    }

    /// The client's opaque 32 bits.
    pub fn client_flags(&self) -> u32 {
        self.header().client_flags
    }

    /// Its version.
    pub fn version(&self) -> Version {
        // Acquire, paired with `set_version`: a reader that sees the touch sees its deadline.
        let touched = Timestamp::from_raw(self.header().touched.load(Ordering::Acquire));
        Version {
            timestamp: Timestamp::from_raw(self.header().timestamp.load(RELAXED)),
            touched,
        }
    }

    /// The timestamp of its value.
    pub(crate) fn timestamp(&self) -> Timestamp {
        Timestamp::from_raw(self.header().timestamp.load(RELAXED))
    }

    pub(crate) fn set_version(&self, version: Version) {
        self.header()
            .timestamp
            .store(version.timestamp.get(), RELAXED);
        self.header()
            .touched
            .store(version.touched.get(), Ordering::Release);
    }

    /// The CAS unique: the one a client set, else the timestamp; 0 on a node without CAS.
    pub fn cas(&self) -> u64 {
        if self.has_cas() {
            self.inherited_cas()
        } else {
            0
        }
    }

    /// The CAS unique that a rewritten item inherits: the partner may show it even if this node has
    /// no CAS.
    pub fn inherited_cas(&self) -> u64 {
        self.cas_override()
            .unwrap_or_else(|| self.timestamp().get())
    }

    /// Whether it has one of its flags, see [`item_flags`](mod@item_flags).
    pub fn has_flag(&self, flag: u8) -> bool {
        self.item_flags() & flag != 0
    }

    /// Whether it has a CAS unique.
    pub fn has_cas(&self) -> bool {
        !self.local(local::NO_CAS)
    }

    /// Makes it have no CAS unique.
    pub(crate) fn hide_cas(&self) {
        self.set_local(local::NO_CAS, true);
    }

    /// The CAS unique a client set itself.
    pub fn cas_override(&self) -> Option<u64> {
        if !self.local(local::CAS_OVERRIDE) {
            return None;
        }
        let start = usize::from(self.header().key_len);
        let bytes = self.0.slice.get(start..start + CAS_BYTES)?;
        let fold = |cas, &byte: &u8| cas << 8 | u64::from(byte);
        Some(bytes.iter().fold(0, fold))
    }

    /// Whether it is a tombstone.
    pub fn is_tombstone(&self) -> bool {
        self.local(local::TOMBSTONE)
    }

    /// Its deadline in boot-time milliseconds, or [`NEVER`].
    pub fn deadline_ms(&self) -> u64 {
        self.header().deadline_ms.load(RELAXED)
    }

    pub(crate) fn set_deadline_ms(&self, deadline_ms: u64) {
        self.header().deadline_ms.store(deadline_ms, RELAXED);
    }

    /// Whether its deadline has passed.
    pub fn is_expired(&self, now: Now) -> bool {
        self.deadline_ms() <= now.boot_ms
    }

    /// Its flags, see [`item_flags`](mod@item_flags).
    pub fn item_flags(&self) -> u8 {
        self.header().item_flags.load(RELAXED)
    }

    pub(crate) fn set_item_flags(&self, item_flags: u8) {
        self.header()
            .item_flags
            .store(item_flags & item_flags::ALL, RELAXED);
    }

    /// Its slab class, see [`super::classes`]; 0 for a tombstone.
    pub fn class(&self) -> u8 {
        self.header().class.load(RELAXED)
    }

    pub(crate) fn set_class(&self, class: u8) {
        self.header().class.store(class, RELAXED);
    }

    /// Whether a client has read it since it was stored.
    pub fn is_fetched(&self) -> bool {
        self.local(local::FETCHED)
    }

    /// What the partner is known to hold of it.
    pub(crate) fn confirmed(&self) -> Confirmed {
        Confirmed::from_raw(self.header().confirmed.load(RELAXED))
    }

    /// Called only by the owner of the item or under the lock of its shard.
    pub(crate) fn set_confirmed(&self, confirmed: Confirmed) {
        self.header().confirmed.store(confirmed.raw(), RELAXED);
    }

    /// Whether the partner has had this version, in whichever of its lives.
    #[cfg(test)]
    pub(crate) fn is_confirmed(&self) -> bool {
        self.confirmed().has_had_version_once()
    }

    /// Whether the partner has had the value, with a deadline that is not later, in whichever of
    /// its lives.
    #[cfg(test)]
    pub(crate) fn is_value_confirmed(&self) -> bool {
        self.confirmed().has_had_deadline_once()
    }

    pub(crate) fn is_displaced(&self) -> bool {
        self.local(local::DISPLACED)
    }

    pub(crate) fn set_displaced(&self) {
        self.set_local(local::DISPLACED, true);
    }

    fn local(&self, bit: u8) -> bool {
        self.header().local.load(RELAXED) & bit != 0
    }

    /// Called only by the owner of the item or under the lock of its shard.
    fn set_local(&self, bit: u8, on: bool) {
        let bits = self.header().local.load(RELAXED);
        let bits = if on { bits | bit } else { bits & !bit };
        self.header().local.store(bits, RELAXED);
    }

    /// Notes a client's read.
    pub(crate) fn mark_fetched(&self, tick: u32) {
        if self.header().accessed.load(RELAXED) != tick {
            self.header().accessed.store(tick, RELAXED);
        }
        if !self.local(local::FETCHED) {
            self.set_local(local::FETCHED, true);
        }
    }

    /// Copies from another entry whether and when it was last read, for a rewrite that readers take
    /// for the same item.
    pub(crate) fn set_history_of(&self, other: &Self) {
        self.set_local(local::FETCHED, other.is_fetched());
        self.set_accessed(other.header().accessed.load(RELAXED));
    }

    /// Sets the access time, unless it was copied from another entry.
    pub(crate) fn begin_history(&self, tick: u32) {
        if self.header().accessed.load(RELAXED) == 0 {
            self.set_accessed(tick);
        }
    }

    /// Copies the times of the last promotion and use of another entry.
    pub(crate) fn set_times_of(&self, other: &Self) {
        self.set_promoted(other.promoted());
        self.set_accessed(other.header().accessed.load(RELAXED));
    }

    /// The tick of its last promotion, see [`tick_of`].
    pub(crate) fn promoted(&self) -> u32 {
        self.header().promoted.load(RELAXED)
    }

    pub(crate) fn set_promoted(&self, tick: u32) {
        self.header().promoted.store(tick, RELAXED);
    }

    /// Milliseconds since a client last used it, to 64 ms.
    pub fn idle_ms(&self, now: Now) -> u64 {
        let accessed = self.header().accessed.load(RELAXED);
        u64::from(ticks_since(tick_of(now), accessed)) << TICK_SHIFT
    }

    /// When a client last used it, in boot-time milliseconds, to 64 ms. It does not depend on the
    /// time `now` of the call.
    pub fn used_boot_ms(&self, now: Now) -> u64 {
        let accessed = self.header().accessed.load(RELAXED);
        let since = tick_of(now).wrapping_sub(accessed) as i32;
        let ticks = (now.boot_ms >> TICK_SHIFT).saturating_add_signed(-i64::from(since));
        ticks << TICK_SHIFT
    }

    pub(crate) fn set_accessed(&self, tick: u32) {
        self.header().accessed.store(tick, RELAXED);
    }

    pub(crate) fn expiry_bucket(&self) -> u32 {
        self.header().expiry_bucket.load(RELAXED)
    }

    pub(crate) fn set_expiry_bucket(&self, slot: u32) {
        self.header().expiry_bucket.store(slot, RELAXED);
    }

    /// Bytes requested for its allocation.
    pub(crate) fn allocated_bytes(&self) -> usize {
        ITEM_HEADER_BYTES + self.0.slice.len()
    }

    /// Bytes to request for an item's allocation.
    pub(crate) fn bytes_to_allocate(key: &[u8], head: &ItemHead, value_len: usize) -> usize {
        let cas_len = head.cas.map_or(0, |_| CAS_BYTES);
        ITEM_HEADER_BYTES + key.len() + cas_len + value_len
    }

    /// Whether both are handles to one entry.
    pub fn is_same(&self, other: &Self) -> bool {
        std::ptr::eq(self.header(), other.header())
    }

    /// Whether this is the only handle.
    pub(crate) fn is_unique(&self) -> bool {
        self.0.with_arc(triomphe::Arc::is_unique)
    }
}

/// A moment in units of 64 ms on the boot-time clock.
pub(crate) fn tick_of(now: Now) -> u32 {
    (now.boot_ms >> TICK_SHIFT) as u32
}

/// Ticks from `earlier` to `tick`; 0 if `earlier` is later: turns of several threads overlap, so an
/// entry may have been used a tick after this turn began.
pub(crate) fn ticks_since(tick: u32, earlier: u32) -> u32 {
    (tick.wrapping_sub(earlier) as i32).max(0) as u32
}

/// Ticks in a number of milliseconds.
pub(crate) const fn ticks(ms: u64) -> u32 {
    (ms >> TICK_SHIFT) as u32
}
