//! Counters: one set per worker for its clients, one per node for the rest.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::limits::CLASSES;
use crate::store::classes::index;

/// A counter that one thread writes and others read, so that an addition needs no locked
/// instruction.
///
/// A reset records the present count instead of writing 0: a concurrent addition would restore the
/// old count.
#[derive(Debug, Default)]
pub struct Counter {
    count: AtomicU64,
    reset_at: AtomicU64,
}

impl Counter {
    /// Counts one.
    pub fn count(&self) {
        self.add(1);
    }

    /// Adds a number. Only the owning thread may call it.
    pub fn add(&self, amount: u64) {
        let count = self.count.load(Ordering::Relaxed);
        self.count
            .store(count.wrapping_add(amount), Ordering::Relaxed);
    }

    /// Counts one from any thread.
    pub fn count_shared(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    /// Subtracts one from any thread.
    pub fn uncount_shared(&self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }

    /// The count since the last reset.
    pub fn get(&self) -> u64 {
        let reset_at = self.reset_at.load(Ordering::Relaxed);
        self.count.load(Ordering::Relaxed).wrapping_sub(reset_at)
    }

    /// Resets the count (`stats reset`).
    pub fn reset(&self) {
        let count = self.count.load(Ordering::Relaxed);
        self.reset_at.store(count, Ordering::Relaxed);
    }
}

macro_rules! counters {
    (
        $(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident,)* }
        $($(#[$part_doc:meta])* with $part:ident: $type:ty)?
    ) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        // Sets of different writers share no cache line, nor two lines that are fetched together.
        #[repr(align(128))]
        pub struct $name {
            $($(#[$field_doc])* pub $field: Counter,)*
            $($(#[$part_doc])* pub $part: $type,)?
        }

        impl $name {
            /// All counters with their names.
            pub fn each(&self) -> impl Iterator<Item = (&'static str, &Counter)> {
                [$((stringify!($field), &self.$field),)*].into_iter()
            }
        }
    };
}

counters! {
    /// Counters of one worker's clients, with memcached's names.
    WorkerCounters {
        /// Keys of `get` and `gets`.
        cmd_get,
        /// Keys of `get` and `gets` that were not found; see [`ClassCounts::get_hits`].
        get_misses,
        /// Lookups that found an expired item.
        get_expired,
        /// Lookups that found a flushed item.
        get_flushed,
        /// Items put into the table.
        total_items,
        /// `flush_all` commands.
        cmd_flush,
        /// Keys of `touch`, `gat`, `gats`.
        cmd_touch,
        /// `me` commands; memcached does not count the others here.
        cmd_meta,
        /// Keys of touching commands that were not found; see [`ClassCounts::touch_hits`].
        touch_misses,
        /// Deletions of absent keys.
        delete_misses,
        /// Increments of absent keys.
        incr_misses,
        /// Decrements of absent keys.
        decr_misses,
        /// `cas` on absent keys.
        cas_misses,
        /// Attempts to authenticate.
        auth_cmds,
        /// Failed attempts to authenticate.
        auth_errors,
        /// Items refused by `-I`.
        store_too_large,
        /// Items refused for want of memory.
        store_no_memory,
        /// Bytes received from clients.
        bytes_read,
        /// Bytes sent to clients.
        bytes_written,
        /// Turns that ended at their budget with requests left.
        conn_yields,
        /// Connections closed because they were idle for too long.
        idle_kicks,
    }
    /// Counters by slab class.
    with by_class: ByClass
}

counters! {
    /// Counters of one worker's clients for the items of one class.
    ClassCounts {
        /// Keys found by `get` and `gets`.
        get_hits,
        /// Storage commands whose data was read.
        cmd_set,
        /// Deletions of items.
        delete_hits,
        /// Increments of items.
        incr_hits,
        /// Decrements of items.
        decr_hits,
        /// `cas` with the item's CAS unique.
        cas_hits,
        /// `cas` with another CAS unique.
        cas_badval,
        /// Keys found by `touch`, `gat`, `gats`.
        touch_hits,
    }
}

/// Counters of all classes.
#[derive(Debug)]
pub struct ByClass([ClassCounts; CLASSES]);

impl ByClass {
    /// All classes from 0 on; class 0 counts commands without an item.
    pub fn each(&self) -> impl Iterator<Item = &ClassCounts> {
        self.0.iter()
    }
}

impl Default for ByClass {
    fn default() -> Self {
        Self(std::array::from_fn(|_| ClassCounts::default()))
    }
}

impl WorkerCounters {
    /// The counters of a class, see [`crate::store::Item::class`].
    pub fn class(&self, class: u8) -> &ClassCounts {
        &self.by_class.0[index(class)]
    }
}

counters! {
    /// Counters of the node, written by any thread.
    NodeCounters {
        /// Client connections that are open now; no reset changes it.
        curr_connections,
        /// Client connections ever accepted.
        total_connections,
        /// Connections refused at `-c`.
        rejected_connections,
        /// Whether accepting fails now, 0 or 1; no reset changes it.
        listen_disabled,
        /// How often accepting started to fail, for want of descriptors.
        listen_disabled_num,
        /// How long it failed, in microseconds.
        time_in_listen_disabled_us,
        /// Lines written to event logs.
        log_worker_written,
        /// Lines dropped because an event log was full.
        log_worker_dropped,
        /// Lines sent to watchers.
        log_watcher_sent,
        /// Lines that watchers missed because they did not read.
        log_watcher_skipped,
        /// Clients that watch now; no reset changes it.
        log_watchers,
        /// Connections closed because unfinished lines held their share of memory.
        requests_refused,
        /// TLS handshakes that failed or were aborted.
        ssl_handshake_errors,
        /// TLS connections with a protocol error after the handshake.
        ssl_proto_errors,
        /// TLS sessions that were not resumed.
        ssl_new_sessions,
    }
}
