//! Every option of `-o`, in memcached's order.

use super::option::{Effect, Extended, NO_EFFECT_THERE, OptionValue};
use super::values::*;
use crate::config::tuning::SLAB_PAGE_BYTES;
use Effect::{Nothing, Setting, Shown};
use OptionValue::{Maybe, No, Yes};

/// Rows of a name, whether it has a value, what becomes of the option, and what it sets.
macro_rules! options {
    ($($name:literal $value:ident $effect:expr => $set:expr;)*) => {
        [$(Extended { name: $name, value: $value, effect: $effect, set: $set },)*]
    };
}

/// The table.
pub static OPTIONS: [Extended; 51] = options! {
    "maxconns_fast" No Shown => |c, _| set(&mut c.tuning.maxconns_fast, true);
    "hashpower" Yes Shown => hashpower;
    "no_hashexpand" No Nothing(TABLES_GROW) => nothing;
    "slab_reassign" No Shown => |c, _| set(&mut c.tuning.slabs.reassign, true);
    "slab_automove" Maybe Shown => slab_automove;
    "slab_automove_ratio" Yes Shown => slab_automove_ratio;
    "slab_automove_window" Yes Shown => slab_automove_window;
    "slab_automove_freeratio" Yes Shown =>
        |c, given| set(&mut c.tuning.slabs.automove_freeratio, given.number()?);
    "tail_repair_time" Yes Shown => tail_repair_time;
    "hash_algorithm" Yes Nothing(KEYED_HASH) => hash_algorithm;
    "lru_crawler" No Shown => |c, _| set(&mut c.tuning.lru.crawler, true);
    "lru_crawler_sleep" Yes Shown => lru_crawler_sleep;
    "lru_crawler_tocrawl" Yes Shown => lru_crawler_tocrawl;
    "lru_maintainer" No Shown => |c, _| lru_maintainer(c, true);
    "hot_lru_pct" Yes Shown => |c, given| given.percent(&mut c.tuning.lru.hot_pct);
    "warm_lru_pct" Yes Shown => |c, given| given.percent(&mut c.tuning.lru.warm_pct);
    "hot_max_factor" Yes Shown => |c, given| given.factor(&mut c.tuning.lru.hot_max_factor);
    "warm_max_factor" Yes Shown => |c, given| given.factor(&mut c.tuning.lru.warm_max_factor);
    "temporary_ttl" Yes Shown => temporary_ttl;
    "idle_timeout" Yes Setting("client.idle_timeout") => idle_timeout;
    "watcher_logbuf_size" Yes Setting("client.watcher_logbuf_size") =>
        |c, given| given.kibibytes(&mut c.client.watcher_logbuf_size);
    "worker_logbuf_size" Yes Setting("client.worker_logbuf_size") =>
        |c, given| given.kibibytes(&mut c.client.worker_logbuf_size);
    "slab_sizes" Yes Shown => slab_sizes;
    "slab_chunk_max" Yes Shown => slab_chunk_max;
    "track_sizes" No Setting("client.track_sizes") => |c, _| set(&mut c.client.track_sizes, true);
    "no_inline_ascii_resp" No Nothing(NO_EFFECT_THERE) => nothing;
    "inline_ascii_resp" No Nothing(NO_EFFECT_THERE) => nothing;
    "modern" No Nothing(NO_EFFECT_THERE) => nothing;
    "no_modern" No Shown => no_modern;
    "no_chunked_items" No Shown =>
        |c, _| set(&mut c.tuning.slabs.chunk_max_bytes, SLAB_PAGE_BYTES);
    "no_slab_reassign" No Shown => |c, _| set(&mut c.tuning.slabs.reassign, false);
    "no_slab_automove" No Shown => |c, _| set(&mut c.tuning.slabs.automove, 0);
    "no_maxconns_fast" No Shown => |c, _| set(&mut c.tuning.maxconns_fast, false);
    "no_lru_crawler" No Shown => |c, _| set(&mut c.tuning.lru.crawler, false);
    "no_lru_maintainer" No Shown => |c, _| lru_maintainer(c, false);
    "no_drop_privileges" No Nothing(NO_EFFECT_THERE) => nothing;
    "drop_privileges" No Nothing(NO_SECCOMP) => nothing;
    "resp_obj_mem_limit" Maybe Nothing(NO_EFFECT_THERE) => nothing;
    "read_buf_mem_limit" Yes Nothing(BUFFERS_BOUNDED) => |_, given| given.number::<u32>().map(drop);
    "ssl_chain_cert" Yes Setting("tls.chain_cert") => |c, given| given.path(&mut c.tls.chain_cert);
    "ssl_key" Yes Setting("tls.key") => |c, given| given.path(&mut c.tls.key);
    "ssl_verify_mode" Yes Setting("tls.verify_mode") => ssl_verify_mode;
    "ssl_keyformat" Yes Setting("tls.key_format") =>
        |c, given| set(&mut c.tls.key_format, given.number()?);
    "ssl_ciphers" Yes Setting("tls.ciphers") =>
        |c, given| set(&mut c.tls.ciphers, Some(given.value.to_owned()));
    "ssl_ca_cert" Yes Setting("tls.ca_cert") => |c, given| given.path(&mut c.tls.ca_cert);
    "ssl_wbuf_size" Yes Setting("tls.wbuf_size") =>
        |c, given| given.kibibytes(&mut c.tls.wbuf_bytes);
    "ssl_session_cache" No Setting("tls.session_cache") =>
        |c, _| set(&mut c.tls.session_cache, true);
    "ssl_kernel_tls" No Shown => |c, _| set(&mut c.tls.kernel_tls, true);
    "ssl_min_version" Yes Setting("tls.min_version") => ssl_min_version;
    "relaxed_privileges" No Nothing(NO_EFFECT_THERE) => nothing;
    "sock_cookie_id" Yes Setting("tuning.socket_mark") => sock_cookie_id;
};

const TABLES_GROW: &str = "each shard's table grows by itself";
const KEYED_HASH: &str = "the hash is SipHash with a secret key, which is safe from crafted keys";
const NO_SECCOMP: &str = "system calls are not filtered; a systemd unit can do that";
const BUFFERS_BOUNDED: &str = "buffers are bounded by an eighth of -m already";
