//! Settings of memcached that have no meaning here: kept, and shown by `stats settings`.
//!
//! It comes from flags only; a file has no such keys, for what can be written there has a meaning.

use std::path::PathBuf;

/// A slab page of memcached.
pub(crate) const SLAB_PAGE_BYTES: usize = 1 << 20;

/// See the module. The values are memcached's defaults.
#[derive(Debug, Clone, PartialEq)]
pub struct Tuning {
    /// `-p` as it was given, or memcached's default where `-l` was given alone.
    pub port: Option<i64>,
    /// `-l` as it was given, repeats joined by commas.
    pub interfaces: Option<String>,
    /// `-N`.
    pub napi_ids: i64,
    /// `-e`.
    pub memory_file: Option<PathBuf>,
    /// `-L`.
    pub large_pages: bool,
    /// `-o sock_cookie_id`, the mark of listening sockets; 0 is none.
    pub socket_mark: u32,
    /// `-o maxconns_fast`.
    pub maxconns_fast: bool,
    /// `-o hashpower`.
    pub hashpower_init: i64,
    /// What was given and has no effect, each with the reason.
    pub without_effect: Vec<(&'static str, &'static str)>,
    /// Slab classes.
    pub slabs: Slabs,
    /// Segments of the LRU, and the threads that look after it.
    pub lru: Lru,
}

/// How memcached divides its memory; it shapes the classes of `stats slabs`.
#[derive(Debug, Clone, PartialEq)]
pub struct Slabs {
    /// `-f`: each class is larger by this factor.
    pub growth_factor: f64,
    /// `-n`: the least room for key, value and flags in the smallest class.
    pub min_size_bytes: usize,
    /// `-o slab_chunk_max`: the largest chunk.
    pub chunk_max_bytes: usize,
    /// Whether `-o slab_chunk_max` was given.
    pub chunk_max_given: bool,
    /// `-o slab_sizes`: the sizes of all classes but the last; empty: they follow from the others.
    pub sizes_bytes: Vec<u32>,
    /// `-o slab_reassign`.
    pub reassign: bool,
    /// `-o slab_automove`, 0 to 2.
    pub automove: i64,
    /// `-o slab_automove_ratio`.
    pub automove_ratio: f64,
    /// `-o slab_automove_window`.
    pub automove_window: i64,
    /// `-o slab_automove_freeratio`.
    pub automove_freeratio: f64,
}

/// How memcached looks after its LRU.
#[derive(Debug, Clone, PartialEq)]
pub struct Lru {
    /// `-o lru_crawler`.
    pub crawler: bool,
    /// `-o lru_crawler_sleep`.
    pub crawler_sleep_us: i64,
    /// `-o lru_crawler_tocrawl`.
    pub crawler_tocrawl: u32,
    /// `-o tail_repair_time`.
    pub tail_repair_secs: i64,
    /// `-o lru_maintainer`.
    pub maintainer: bool,
    /// `-o lru_maintainer` and `-o no_modern`.
    pub segmented: bool,
    /// `-o hot_lru_pct`.
    pub hot_pct: i64,
    /// `-o warm_lru_pct`.
    pub warm_pct: i64,
    /// `-o hot_max_factor`.
    pub hot_max_factor: f64,
    /// `-o warm_max_factor`.
    pub warm_max_factor: f64,
    /// Whether `-o temporary_ttl` was given.
    pub temporary: bool,
    /// `-o temporary_ttl`.
    pub temporary_ttl_secs: u32,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            port: None,
            interfaces: None,
            napi_ids: 0,
            memory_file: None,
            large_pages: false,
            socket_mark: 0,
            maxconns_fast: true,
            hashpower_init: 0,
            without_effect: Vec::new(),
            slabs: Slabs::default(),
            lru: Lru::default(),
        }
    }
}

impl Default for Slabs {
    fn default() -> Self {
        Self {
            growth_factor: 1.25,
            min_size_bytes: 48,
            chunk_max_bytes: SLAB_PAGE_BYTES / 2,
            chunk_max_given: false,
            sizes_bytes: Vec::new(),
            reassign: true,
            automove: 1,
            automove_ratio: 0.8,
            automove_window: 10,
            automove_freeratio: 0.01,
        }
    }
}

impl Default for Lru {
    fn default() -> Self {
        Self {
            crawler: true,
            crawler_sleep_us: 100,
            crawler_tocrawl: 0,
            tail_repair_secs: 0,
            maintainer: true,
            segmented: true,
            hot_pct: 20,
            warm_pct: 40,
            hot_max_factor: 0.2,
            warm_max_factor: 2.0,
            temporary: false,
            temporary_ttl_secs: 61,
        }
    }
}
