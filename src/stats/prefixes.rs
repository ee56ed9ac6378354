//! `stats detail`: commands of clients by the prefix of the key.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use parking_lot::Mutex;

use crate::limits::{PREFIX_BYTES_MAX, PREFIXES_MAX};
use crate::logs::Repeated;
use crate::protocol::text::reply;

/// Counters by prefix, while they are on. A key without the delimiter has no prefix.
#[derive(Debug)]
pub struct Prefixes {
    delimiter: u8,
    is_on: AtomicBool,
    counts: Mutex<Counts>,
    /// Limits the log lines, because clients can fill and clear the table repeatedly.
    overflows: Mutex<Repeated>,
}

#[derive(Debug, Default)]
struct Counts {
    by_prefix: BTreeMap<Box<[u8]>, PrefixCounts>,
    prefix_bytes: usize,
    /// Whether a prefix was left out since the table was last cleared.
    is_full: bool,
}

#[derive(Debug, Default)]
struct PrefixCounts {
    gets: u64,
    hits: u64,
    sets: u64,
    deletes: u64,
}

impl Prefixes {
    /// An empty table, which counts from the start if `is_on`.
    pub fn new(delimiter: u8, is_on: bool) -> Self {
        Self {
            delimiter,
            is_on: AtomicBool::new(is_on),
            counts: Mutex::default(),
            overflows: Mutex::default(),
        }
    }

    /// Whether it counts.
    pub fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Relaxed)
    }

    /// Starts or stops counting; the counts stay.
    pub fn turn(&self, on: bool) {
        self.is_on.store(on, Ordering::Relaxed);
    }

    /// Counts a lookup, while it is on.
    pub fn count_get(&self, key: &[u8], found: bool) {
        if self.is_on() {
            self.count(key, |counts| {
                counts.gets += 1;
                counts.hits += u64::from(found);
            });
        }
    }

    /// Counts a storage command, stored or not.
    pub fn count_set(&self, key: &[u8]) {
        if self.is_on() {
            self.count(key, |counts| counts.sets += 1);
        }
    }

    /// Counts a deletion.
    pub fn count_delete(&self, key: &[u8]) {
        if self.is_on() {
            self.count(key, |counts| counts.deletes += 1);
        }
    }

    /// Clears all counts.
    pub fn clear(&self) {
        let old = std::mem::take(&mut *self.counts.lock());
        drop(old);
    }

    /// Prints all counts in the order of the prefixes.
    pub fn dump(&self, out: &mut Vec<u8>) {
        for (prefix, counts) in &self.counts.lock().by_prefix {
            let PrefixCounts {
                gets,
                hits,
                sets,
                deletes,
            } = counts;
            out.extend_from_slice(b"PREFIX ");
            out.extend_from_slice(prefix);
            // Writing to a Vec cannot fail.
            let _ = write!(out, " get {gets} hit {hits} set {sets} del {deletes}\r\n");
        }
        out.extend_from_slice(reply::END);
    }

    #[cold]
    fn count(&self, key: &[u8], count: impl FnOnce(&mut PrefixCounts)) {
        let Some(end) = memchr::memchr2(self.delimiter, 0, key) else {
            return;
        };
        if key[end] != self.delimiter {
            return;
        }
        let prefix = &key[..end];
        let mut counts = self.counts.lock();
        if let Some(found) = counts.by_prefix.get_mut(prefix) {
            return count(found);
        }
        let is_full = counts.by_prefix.len() == PREFIXES_MAX
            || counts.prefix_bytes + prefix.len() > PREFIX_BYTES_MAX;
        if !is_full {
            counts.prefix_bytes += prefix.len();
            return count(counts.by_prefix.entry(prefix.into()).or_default());
        }
        if std::mem::replace(&mut counts.is_full, true) {
            return;
        }
        let mut overflows = self.overflows.lock();
        overflows.changed();
        if let Some(suppressed) = overflows.log_now(Instant::now()) {
            tracing::warn!(
                prefixes = counts.by_prefix.len(),
                suppressed,
                "`stats detail` has no room for more prefixes and leaves out new ones; \
                 `stats reset` clears it, `stats detail off` ends it"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dumped(prefixes: &Prefixes) -> String {
        let mut out = Vec::new();
        prefixes.dump(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_prefix_ends_at_the_first_delimiter() {
        let prefixes = Prefixes::new(b'.', true);
        for key in ["a.b.c", "a.", ".x", "a:b", "plain", "a\0.b"] {
            prefixes.count_set(key.as_bytes());
        }
        prefixes.count_get(b"a.z", true);
        prefixes.count_get(b"a.z", false);
        prefixes.count_delete(b"ab.c");
        let expected = "PREFIX  get 0 hit 0 set 1 del 0\r\n\
                        PREFIX a get 2 hit 1 set 2 del 0\r\n\
                        PREFIX ab get 0 hit 0 set 0 del 1\r\nEND\r\n";
        assert_eq!(dumped(&prefixes), expected);
        prefixes.clear();
        assert_eq!(dumped(&prefixes), "END\r\n");
    }

    /// memcached had no bound until 1.6.41: clients could fill the machine's memory with keys that
    /// were never stored.
    #[test]
    fn prefixes_take_bounded_memory() {
        let prefixes = Prefixes::new(b':', true);
        for nth in 0..=PREFIXES_MAX {
            prefixes.count_get(format!("{nth:x}:").as_bytes(), false);
        }
        assert_eq!(prefixes.counts.lock().by_prefix.len(), PREFIXES_MAX);
        prefixes.clear();
        for nth in 0..=PREFIX_BYTES_MAX / 200 {
            prefixes.count_get(format!("{nth:0200}:").as_bytes(), false);
        }
        let counts = prefixes.counts.lock();
        assert_eq!(counts.by_prefix.len(), PREFIX_BYTES_MAX / 200);
        assert!(counts.is_full);
    }

    #[test]
    fn nothing_is_counted_while_it_is_off() {
        let prefixes = Prefixes::new(b':', false);
        prefixes.count_set(b"a:b");
        assert_eq!(dumped(&prefixes), "END\r\n");
        prefixes.turn(true);
        prefixes.count_set(b"a:b");
        assert_ne!(dumped(&prefixes), "END\r\n");
    }
}
