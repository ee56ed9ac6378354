//! Counters: one set per worker for what its clients do, one per node for the rest.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::store::classes::{CLASSES, index};

/// A count that one thread writes and others read: an addition without a locked instruction.
///
/// A reset notes where the count stands instead of writing it, or an addition under way on another
/// thread would bring the old count back.
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

    /// Counts several. Only the owning thread may.
    pub fn add(&self, amount: u64) {
        let count = self.count.load(Ordering::Relaxed);
        self.count
            .store(count.wrapping_add(amount), Ordering::Relaxed);
    }

    /// Counts one from any thread.
    pub fn count_shared(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes one back from any thread.
    pub fn uncount_shared(&self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }

    /// The count since the last reset.
    pub fn get(&self) -> u64 {
        let reset_at = self.reset_at.load(Ordering::Relaxed);
        self.count.load(Ordering::Relaxed).wrapping_sub(reset_at)
    }

    /// Starts again (`stats reset`).
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
        // Sets of different writers share no cache line, and no pair of lines fetched as one.
        #[repr(align(128))]
        pub struct $name {
            $($(#[$field_doc])* pub $field: Counter,)*
            $($(#[$part_doc])* pub $part: $type,)?
        }

        impl $name {
            /// Every counter with its name.
            pub fn each(&self) -> impl Iterator<Item = (&'static str, &Counter)> {
                [$((stringify!($field), &self.$field),)*].into_iter()
            }
        }
    };
}

counters! {
    /// What one worker's clients did. Named as memcached names them.
    WorkerCounters {
        /// Keys asked for by `get` and `gets`.
        cmd_get,
        /// Of these, not found; see [`ClassCounts::get_hits`] for the others.
        get_misses,
        /// Lookups that met an expired item.
        get_expired,
        /// Lookups that met a flushed item.
        get_flushed,
        /// Items put into the table.
        total_items,
        /// `flush_all` commands.
        cmd_flush,
        /// Keys of `touch`, `gat`, `gats`.
        cmd_touch,
        /// `me` commands; memcached does not count the others here.
        cmd_meta,
        /// Of these, not found; see [`ClassCounts::touch_hits`] for the others.
        touch_misses,
        /// Deletions of what was not.
        delete_misses,
        /// Increments of what was not.
        incr_misses,
        /// Decrements of what was not.
        decr_misses,
        /// `cas` on what was not there.
        cas_misses,
        /// Attempts to authenticate.
        auth_cmds,
        /// Of these, failed.
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
    /// What they did with items, by the class of the item.
    with by_class: ByClass
}

counters! {
    /// What one worker's clients did with items of one class.
    ClassCounts {
        /// Keys found by `get` and `gets`.
        get_hits,
        /// Storage commands whose data was taken.
        cmd_set,
        /// Deletions of what was there.
        delete_hits,
        /// Increments of what was there.
        incr_hits,
        /// Decrements of what was there.
        decr_hits,
        /// `cas` on the version held.
        cas_hits,
        /// `cas` on another version.
        cas_badval,
        /// Keys found by `touch`, `gat`, `gats`.
        touch_hits,
    }
}

/// Counts of every class.
#[derive(Debug)]
pub struct ByClass([ClassCounts; CLASSES]);

impl ByClass {
    /// All of them, from class 0 on: what was done with no item at hand.
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
    /// Those of one class, see [`crate::store::Item::class`].
    pub fn class(&self, class: u8) -> &ClassCounts {
        &self.by_class.0[index(class)]
    }
}

counters! {
    /// What the node counts beside its workers; written by any thread.
    NodeCounters {
        /// Client connections that are open now; no reset changes it.
        curr_connections,
        /// Client connections ever accepted.
        total_connections,
        /// Connections refused at `-c`.
        rejected_connections,
        /// Whether accepting fails right now, 0 or 1; no reset changes it.
        listen_disabled,
        /// How often accepting began to fail, for want of descriptors.
        listen_disabled_num,
        /// How long it failed, in microseconds.
        time_in_listen_disabled_us,
        /// Lines for watchers that workers have made.
        log_worker_written,
        /// Lines that workers had no room for.
        log_worker_dropped,
        /// Lines that watchers were sent.
        log_watcher_sent,
        /// Lines that watchers missed because they did not read.
        log_watcher_skipped,
        /// Clients that watch now; no reset changes it.
        log_watchers,
        /// Connections closed because long lines held their share of memory.
        requests_refused,
        /// TLS handshakes that failed or were let go.
        ssl_handshake_errors,
        /// TLS connections that broke its rules after the handshake.
        ssl_proto_errors,
        /// TLS sessions that were not resumed ones.
        ssl_new_sessions,
    }
}
