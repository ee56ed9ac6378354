//! What memcached checks of settings that have no meaning here: who cannot start it with them finds
//! out here, too.

use super::super::startup_error::EXIT_USAGE;
use super::super::tuning::{SLAB_PAGE_BYTES, Slabs};
use super::super::{Config, Tuning};
use super::error::{ConfigError, refuse};
use crate::limits::{HOT_AND_WARM_PCT_MAX, SLAB_SIZES_MAX};

/// A class's chunks begin at multiples of this.
const CHUNK_ALIGN_BYTES: u32 = 8;

pub(super) fn check(config: &Config) -> Result<(), ConfigError> {
    let Tuning { lru, slabs, .. } = &config.tuning;
    let wrong = |text: String| refuse("tuning", EXIT_USAGE, text);
    if config.tuning.napi_ids > config.client.threads as i64 {
        return wrong(format!(
            "Number of napi_ids({}) cannot be greater than number of threads({})",
            config.tuning.napi_ids, config.client.threads
        ));
    }
    if let Some(text) = wrong_chunk(slabs, config.memory.max_item_bytes) {
        return wrong(text);
    }
    if let Some(text) = wrong_sizes(slabs) {
        return wrong(text);
    }
    if lru.hot_pct + lru.warm_pct > i64::from(HOT_AND_WARM_PCT_MAX) {
        return wrong("hot_lru_pct + warm_lru_pct cannot be more than 80% combined".to_owned());
    }
    if lru.temporary && !lru.maintainer {
        return wrong("temporary_ttl requires lru_maintainer to be enabled".to_owned());
    }
    Ok(())
}

/// A chunk size that was asked for must fit the largest item; memtwin's own has none to fit.
fn wrong_chunk(slabs: &Slabs, item: usize) -> Option<String> {
    let chunk = slabs.chunk_max_bytes;
    if !slabs.chunk_max_given {
        return None;
    }
    if chunk > item {
        return Some(format!(
            "slab_chunk_max (bytes: {chunk}) cannot be larger than -I (item_size_max {item})"
        ));
    }
    if !item.is_multiple_of(chunk) {
        return Some(format!(
            "-I (item_size_max: {item}) must be evenly divisible by slab_chunk_max (bytes: {chunk})"
        ));
    }
    (!SLAB_PAGE_BYTES.is_multiple_of(chunk)).then(|| {
        format!(
            "slab_chunk_max (bytes: {chunk}) must divide evenly into {SLAB_PAGE_BYTES} \
             (slab_page_size)"
        )
    })
}

fn wrong_sizes(slabs: &Slabs) -> Option<String> {
    if slabs.sizes_bytes.len() > SLAB_SIZES_MAX {
        return Some("too many slab classes specified".to_owned());
    }
    let mut last = 0;
    for size in &slabs.sizes_bytes {
        let bytes = *size as usize;
        if bytes < slabs.min_size_bytes || bytes > slabs.chunk_max_bytes {
            return Some(format!("slab size {size} is out of valid range"));
        }
        if *size <= last {
            return Some(format!(
                "slab size {size} cannot be lower than or equal to a previous class size"
            ));
        }
        if *size <= last + CHUNK_ALIGN_BYTES {
            return Some(format!(
                "slab size {size} must be at least {CHUNK_ALIGN_BYTES} bytes larger than previous \
                 class"
            ));
        }
        last = *size;
    }
    None
}
