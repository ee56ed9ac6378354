//! Random operations for the model, and the entries they lead to.

use proptest::prelude::*;

use super::Version;

/// The number of keys that operations use.
pub(super) const KEYS: u8 = 8;

/// An operation. Times to live are in milliseconds, 0 for ever.
#[derive(Clone, Debug)]
pub(super) enum Op {
    Read(u8),
    Set(u8, u8, u64),
    Add(u8, u8),
    Remove(u8),
    Touch(u8, u64),
    Flush,
    FlushLater(u64),
    Step(u64),
    Expire,
    Record(u8, u8, Age, u64, bool),
    Tombstone(u8, Age),
    Refuse(u8, Age),
    Confirm(u8, bool),
}

/// How the version of a record compares with the entry's.
#[derive(Clone, Copy, Debug)]
pub(super) enum Age {
    Newest,
    Same,
    Older,
}

pub(super) fn op() -> impl Strategy<Value = Op> {
    let key = || 0..KEYS;
    // The longest is beyond the horizon of the expiry buckets.
    let ttl = || prop_oneof![Just(0), 1..30_000u64, Just(6_000_000)];
    let age = || prop_oneof![Just(Age::Newest), Just(Age::Same), Just(Age::Older)];
    prop_oneof![
        4 => key().prop_map(Op::Read),
        6 => (key(), any::<u8>(), ttl()).prop_map(|(k, v, t)| Op::Set(k, v, t)),
        2 => (key(), any::<u8>()).prop_map(|(k, v)| Op::Add(k, v)),
        3 => key().prop_map(Op::Remove),
        3 => (key(), ttl()).prop_map(|(k, t)| Op::Touch(k, t)),
        1 => Just(Op::Flush),
        1 => (1..40_000u64).prop_map(Op::FlushLater),
        4 => prop_oneof![1..100u64, 1..60_000u64, Just(5_000_000)].prop_map(Op::Step),
        2 => Just(Op::Expire),
        6 => (key(), any::<u8>(), age(), ttl(), any::<bool>())
            .prop_map(|(k, v, a, t, live)| Op::Record(k, v, a, t, live)),
        3 => (key(), age()).prop_map(|(k, a)| Op::Tombstone(k, a)),
        1 => (key(), age()).prop_map(|(k, a)| Op::Refuse(k, a)),
        4 => (key(), any::<bool>()).prop_map(|(k, right)| Op::Confirm(k, right)),
    ]
}

/// What a key should hold. Expired items stay until a lookup removes them.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Entry {
    Live {
        value: Vec<u8>,
        deadline_ms: u64,
        version: Version,
        confirmed: bool,
    },
    Tombstone(Version),
}

impl Entry {
    pub(super) fn version(&self) -> Version {
        match self {
            Self::Live { version, .. } | Self::Tombstone(version) => *version,
        }
    }
}

pub(super) fn key_of(key: u8) -> Vec<u8> {
    vec![b'k'; 1 + usize::from(key)]
}

/// Values of 1 to 9 size classes.
pub(super) fn value_of(value: u8) -> Vec<u8> {
    vec![value; usize::from(value) * 3]
}

/// 96 histories, of which no failing one is written to a file.
pub(super) fn settings() -> ProptestConfig {
    ProptestConfig {
        cases: 96,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}
