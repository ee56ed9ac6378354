//! The store compared with a map: random operations give the same answers, and the accounts are
//! exact after each.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::operations::{Age, Entry, KEYS, Op, key_of, op, settings, value_of};
use super::*;
use crate::limits::SLOTS_PER_KEY;

/// The store and what it should hold.
struct Model {
    store: Store,
    replicated: bool,
    entries: BTreeMap<u8, Entry>,
    now: Now,
    highest: Timestamp,
    flush_at_ms: u64,
    announced: BTreeSet<u64>,
}

impl Model {
    fn new(replicated: bool, colliding: bool) -> Self {
        let config = StoreConfig {
            replicated,
            ..config(64 * MEBIBYTE)
        };
        let hasher = match colliding {
            true => KeyHasher::colliding(),
            false => KeyHasher::new(&[1; 16]),
        };
        Self {
            store: Store::with_hasher(&config, hasher),
            replicated,
            entries: BTreeMap::new(),
            now: START,
            highest: Timestamp::ZERO,
            flush_at_ms: NEVER,
            announced: BTreeSet::new(),
        }
    }

    fn deadline(&self, ttl: u64) -> u64 {
        if ttl == 0 {
            NEVER
        } else {
            self.now.boot_ms + ttl
        }
    }

    fn is_dead(&self, entry: &Entry) -> bool {
        let Entry::Live {
            deadline_ms,
            version,
            ..
        } = entry
        else {
            return false;
        };
        *deadline_ms <= self.now.boot_ms || version.timestamp < self.store.flush_watermark()
    }

    fn live_value(&self, key: u8) -> Option<Vec<u8>> {
        match self.entries.get(&key) {
            Some(entry @ Entry::Live { value, .. }) if !self.is_dead(entry) => Some(value.clone()),
            _ => None,
        }
    }

    /// A lookup removes an expired or flushed item; an unconfirmed one leaves a tombstone.
    fn look_up(&mut self, key: u8) {
        let entry = self.entries.get(&key).filter(|entry| self.is_dead(entry));
        let Some(&Entry::Live {
            version, confirmed, ..
        }) = entry
        else {
            return;
        };
        let flushed = version.timestamp < self.store.flush_watermark();
        if self.replicated && !confirmed && !flushed {
            self.entries.insert(key, Entry::Tombstone(version));
        } else {
            self.entries.remove(&key);
        }
    }

    fn read(&mut self, key: u8) {
        let mut context = OpContext::at(self.now);
        let read = self.store.get(&key_of(key), &mut context);
        self.took(context);
        assert_eq!(read.ok(), self.live_value(key), "read of {key}");
        self.look_up(key);
    }

    fn took(&mut self, context: OpContext) {
        assert!(context.retired.is_empty());
        self.announced.extend(context.dirty);
    }

    fn new_timestamp(&mut self, timestamp: Option<Timestamp>) -> Timestamp {
        let timestamp = timestamp.expect("a write has a timestamp");
        assert!(timestamp > self.highest, "timestamps rise");
        self.highest = timestamp;
        timestamp
    }

    fn insert(&mut self, key: u8, value: Vec<u8>, deadline_ms: u64, version: Version, ours: bool) {
        let entry = Entry::Live {
            value,
            deadline_ms,
            version,
            confirmed: !ours,
        };
        self.entries.insert(key, entry);
    }

    fn set(&mut self, key: u8, value: u8, ttl: u64) {
        let deadline_ms = self.deadline(ttl);
        let mut context = OpContext::at(self.now);
        let value = value_of(value);
        let name = key_of(key);
        let timestamp = self.store.put(&name, &value, deadline_ms, &mut context);
        let version = Version::written(self.new_timestamp(timestamp));
        self.took(context);
        self.insert(key, value, deadline_ms, version, true);
    }

    fn add(&mut self, key: u8, value: u8) {
        let expected = self.live_value(key).is_none();
        let mut context = OpContext::at(self.now);
        let value = value_of(value);
        let head = ItemHead::default();
        let name = key_of(key);
        let mut pending = self.store.pending_item(&name, &head, value.len()).unwrap();
        pending.fill(|to| to.copy_from_slice(&value));
        let mut pending = Some(pending);
        let add = |found: Result<&Item, Miss>| match found {
            Ok(_) => (Action::Promote, false),
            Err(_) => (pending.take().map_or(Action::Keep, Action::Put), true),
        };
        let (added, timestamp) = self.store.update(&name, &mut context, add);
        drop(pending);
        self.took(context);
        assert_eq!(added, expected);
        if added {
            let version = Version::written(self.new_timestamp(timestamp));
            self.insert(key, value, NEVER, version, true);
        }
    }

    fn remove(&mut self, key: u8) {
        let expected = self.live_value(key).is_some();
        let mut context = OpContext::at(self.now);
        let name = key_of(key);
        let (found, timestamp) = self
            .store
            .update(&name, &mut context, |found| (Action::Remove, found.is_ok()));
        self.took(context);
        assert_eq!(found, expected);
        self.entries.remove(&key);
        if self.replicated {
            let version = Version::written(self.new_timestamp(timestamp));
            self.entries.insert(key, Entry::Tombstone(version));
        }
    }

    fn touch(&mut self, key: u8, ttl: u64) {
        let deadline = self.deadline(ttl);
        let expected = self.live_value(key).is_some();
        let mut context = OpContext::at(self.now);
        let name = key_of(key);
        let (found, timestamp) = self.store.update(&name, &mut context, |found| {
            (Action::Touch(deadline), found.is_ok())
        });
        self.took(context);
        assert_eq!(found, expected);
        self.look_up(key);
        if found {
            let timestamp = self.new_timestamp(timestamp);
            if let Some(Entry::Live {
                deadline_ms,
                version,
                confirmed,
                ..
            }) = self.entries.get_mut(&key)
            {
                (*deadline_ms, version.touched, *confirmed) = (deadline, timestamp, false);
            }
        }
    }

    fn look_up_all(&mut self) {
        (0..KEYS).for_each(|key| self.read(key));
    }

    fn step(&mut self, ms: u64) {
        self.now = after(self.now, ms);
        let due = self.flush_at_ms <= self.now.boot_ms;
        if due {
            self.look_up_all();
            self.flush_at_ms = NEVER;
        }
        let fired = self.store.flush_if_due(self.now);
        assert_eq!(fired.is_some(), due);
        if due {
            self.new_timestamp(fired);
        }
    }

    /// Housekeeping removes everything below the flush watermark, tombstones included.
    fn expire(&mut self) {
        let announced = |context: &mut OpContext| self.announced.extend(context.dirty.drain(..));
        self.store.expire(self.now, announced);
        self.entries
            .retain(|_, entry| entry.version().timestamp >= self.store.flush_watermark());
    }

    fn version_of(&mut self, key: u8, age: Age) -> Version {
        let held = self.entries.get(&key).map(Entry::version);
        let held = held.unwrap_or_default();
        match age {
            Age::Same => held,
            Age::Older => version(held.timestamp.get().saturating_sub(1)),
            Age::Newest => version(self.highest.get() + 5001),
        }
    }

    /// How a record compares: `Ok(true)` if it is newer, `Ok(false)` if equal.
    fn order_of(&mut self, key: u8, arriving: Version) -> Result<bool, Version> {
        self.highest = self.highest.max(arriving.latest());
        let held = self.entries.get(&key).map(Entry::version);
        match held {
            _ if arriving.timestamp < self.store.flush_watermark() => {
                Err(Version::written(self.store.flush_watermark()))
            }
            Some(held) if held > arriving => Err(held),
            held => Ok(held != Some(arriving)),
        }
    }

    fn record(&mut self, (key, value, age, ttl, live): (u8, u8, Age, u64, bool)) {
        self.read(key);
        let version = self.version_of(key, age);
        let origin = if live { Origin::Live } else { Origin::Sync };
        let deadline_ms = (ttl != 0).then_some(self.now.boot_ms + ttl);
        let head = RecordHead {
            version,
            deadline_ms,
            ..RecordHead::default()
        };
        let value = value_of(value);
        let result = self
            .store
            .record_with(&key_of(key), &value, &head, origin, self.now);
        let deadline = self.deadline(ttl);
        let expected = match self.order_of(key, version) {
            Err(newer) => ApplyResult::Superseded(newer),
            Ok(true) => {
                self.insert(key, value, deadline, version, false);
                ApplyResult::Applied
            }
            Ok(false) => match self.entries.get_mut(&key) {
                Some(Entry::Live {
                    deadline_ms,
                    confirmed,
                    ..
                }) => {
                    (*deadline_ms, *confirmed) = (deadline.min(*deadline_ms), true);
                    ApplyResult::Applied
                }
                _ => ApplyResult::Superseded(version),
            },
        };
        assert_eq!(result, expected);
    }

    fn tombstone(&mut self, key: u8, age: Age, refused: bool) {
        self.read(key);
        let version = self.version_of(key, age);
        let name = key_of(key);
        let result = if refused {
            let context = &mut OpContext::at(self.now);
            self.store
                .refuse(&name, version, RefuseReason::TooLarge, context)
        } else {
            self.store
                .apply_tombstone(&name, version, &mut OpContext::at(self.now))
        };
        let expected = match self.order_of(key, version) {
            Err(newer) => ApplyResult::Superseded(newer),
            Ok(true) => {
                self.entries.remove(&key);
                if refused {
                    ApplyResult::NoRoom(RefuseReason::TooLarge)
                } else {
                    ApplyResult::Applied
                }
            }
            Ok(false) => match self.entries.get_mut(&key) {
                Some(Entry::Tombstone(_)) if refused => ApplyResult::Superseded(version),
                Some(Entry::Live { confirmed, .. }) => {
                    // The partner has had this version.
                    *confirmed = true;
                    ApplyResult::Applied
                }
                _ => ApplyResult::Applied,
            },
        };
        assert_eq!(result, expected);
    }

    fn confirm(&mut self, key: u8, right: bool) {
        self.read(key);
        let name = key_of(key);
        let hash = self.store.shared.hasher.hash(&name);
        let shard = self.store.shard(hash.slot()).lock();
        let slot = shard.find(hash, &name).map(|found| found.0);
        drop(shard);
        let (Some(slot), Some(entry)) = (slot, self.entries.get_mut(&key)) else {
            return;
        };
        if !right {
            return self
                .store
                .confirm(slot, version(entry.version().timestamp.get() + 7));
        }
        self.store.confirm(slot, entry.version());
        match entry {
            Entry::Live { confirmed, .. } => *confirmed = true,
            Entry::Tombstone(_) => _ = self.entries.remove(&key),
        }
    }

    fn run(&mut self, op: Op) {
        match op {
            Op::Read(key) => self.read(key),
            Op::Set(key, value, ttl) => self.set(key, value, ttl),
            Op::Add(key, value) => self.add(key, value),
            Op::Remove(key) => self.remove(key),
            Op::Touch(key, ttl) => self.touch(key, ttl),
            Op::Flush => {
                self.look_up_all();
                let flush_watermark = self.store.flush(&mut OpContext::at(self.now));
                self.new_timestamp(Some(flush_watermark));
                self.flush_at_ms = NEVER;
            }
            Op::FlushLater(ms) => {
                self.flush_at_ms = self.now.boot_ms + ms;
                self.store.flush_later(self.flush_at_ms);
            }
            Op::Step(ms) => self.step(ms),
            Op::Expire => self.expire(),
            Op::Record(key, value, age, ttl, live) if self.replicated => {
                self.record((key, value, age, ttl, live));
            }
            Op::Tombstone(key, age) if self.replicated => self.tombstone(key, age, false),
            Op::Refuse(key, age) if self.replicated => self.tombstone(key, age, true),
            Op::Confirm(key, right) => self.confirm(key, right),
            Op::Record(..) | Op::Tombstone(..) | Op::Refuse(..) => {}
        }
    }

    fn check(&self) {
        self.store.audit(self.now);
        for key in 0..KEYS {
            let held = self.store.held(&key_of(key));
            let entry = self.entries.get(&key);
            if held.as_ref().is_some_and(|held| !held.is_confirmed()) && self.replicated {
                let hash = self.store.shared.hasher.hash(&key_of(key));
                let slots: Vec<_> = (0..SLOTS_PER_KEY).map(|i| hash.nth_slot(i)).collect();
                let announced = slots.iter().any(|slot| self.announced.contains(slot));
                assert!(announced, "{key} is unconfirmed and was never handed over");
            }
            if let Some(held) = &held {
                self.compare(key, held, entry);
            } else {
                let gone = entry.is_none_or(|entry| self.is_dead(entry));
                assert!(gone, "{key} is lost, expected {entry:?}");
            }
        }
    }

    fn compare(&self, key: u8, held: &Item, entry: Option<&Entry>) {
        let entry = entry.unwrap_or_else(|| panic!("{key} should be gone"));
        assert_eq!(held.version(), entry.version(), "version of {key}");
        match entry {
            Entry::Tombstone(_) => assert!(held.is_tombstone()),
            Entry::Live { .. } if held.is_tombstone() => assert!(self.is_dead(entry)),
            Entry::Live {
                value,
                deadline_ms,
                confirmed,
                ..
            } => {
                assert_eq!(held.value(), value);
                assert_eq!(held.deadline_ms(), *deadline_ms);
                assert_eq!(held.is_confirmed(), *confirmed);
            }
        }
    }
}

fn run(ops: Vec<Op>, replicated: bool, colliding: bool) {
    let mut model = Model::new(replicated, colliding);
    for op in ops {
        model.run(op);
        model.check();
    }
}

proptest! {
    #![proptest_config(settings())]

    #[test]
    fn a_lone_store_answers_like_a_map(ops in prop::collection::vec(op(), 1..120)) {
        run(ops, false, false);
    }

    #[test]
    fn a_store_with_a_partner_answers_like_a_map(ops in prop::collection::vec(op(), 1..120)) {
        run(ops, true, false);
    }

    #[test]
    fn keys_of_one_hash_answer_like_a_map(ops in prop::collection::vec(op(), 1..120)) {
        run(ops, true, true);
    }
}
