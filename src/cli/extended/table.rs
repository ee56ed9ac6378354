//! Every option of `-o`, in memcached's order.

use super::option::{Effect, Extended, NO_EFFECT_THERE, OptionValue, Set};
use super::values::*;
use crate::config::tuning::SLAB_PAGE_BYTES;
use Effect::{Nothing, Setting, Shown};
use OptionValue::{Maybe, No, Yes};

const fn row(name: &'static str, value: OptionValue, effect: Effect, set: Set) -> Extended {
    Extended {
        name,
        value,
        effect,
        set,
    }
}

/// The table.
pub static OPTIONS: [Extended; 51] = [
    row("maxconns_fast", No, Shown, |c, _| {
        yes(&mut c.tuning.maxconns_fast)
    }),
    row("hashpower", Yes, Shown, hashpower),
    row("no_hashexpand", No, Nothing(TABLES_GROW), nothing),
    row("slab_reassign", No, Shown, |c, _| {
        yes(&mut c.tuning.slabs.reassign)
    }),
    row("slab_automove", Maybe, Shown, slab_automove),
    row("slab_automove_ratio", Yes, Shown, slab_automove_ratio),
    row("slab_automove_window", Yes, Shown, slab_automove_window),
    row("slab_automove_freeratio", Yes, Shown, |c, given| {
        c.tuning.slabs.automove_freeratio = given.number()?;
        Ok(())
    }),
    row("tail_repair_time", Yes, Shown, tail_repair_time),
    row("hash_algorithm", Yes, Nothing(KEYED_HASH), hash_algorithm),
    row("lru_crawler", No, Shown, |c, _| {
        yes(&mut c.tuning.lru.crawler)
    }),
    row("lru_crawler_sleep", Yes, Shown, lru_crawler_sleep),
    row("lru_crawler_tocrawl", Yes, Shown, lru_crawler_tocrawl),
    row("lru_maintainer", No, Shown, lru_maintainer),
    row("hot_lru_pct", Yes, Shown, |c, given| {
        given.percent(&mut c.tuning.lru.hot_pct)
    }),
    row("warm_lru_pct", Yes, Shown, |c, given| {
        given.percent(&mut c.tuning.lru.warm_pct)
    }),
    row("hot_max_factor", Yes, Shown, |c, given| {
        given.factor(&mut c.tuning.lru.hot_max_factor)
    }),
    row("warm_max_factor", Yes, Shown, |c, given| {
        given.factor(&mut c.tuning.lru.warm_max_factor)
    }),
    row("temporary_ttl", Yes, Shown, temporary_ttl),
    row(
        "idle_timeout",
        Yes,
        Setting("client.idle_timeout"),
        idle_timeout,
    ),
    row(
        "watcher_logbuf_size",
        Yes,
        Setting("client.watcher_logbuf_size"),
        |c, given| given.kibibytes(&mut c.client.watcher_logbuf_size),
    ),
    row(
        "worker_logbuf_size",
        Yes,
        Setting("client.worker_logbuf_size"),
        |c, given| given.kibibytes(&mut c.client.worker_logbuf_size),
    ),
    row("slab_sizes", Yes, Shown, slab_sizes),
    row("slab_chunk_max", Yes, Shown, slab_chunk_max),
    row("track_sizes", No, Setting("client.track_sizes"), |c, _| {
        yes(&mut c.client.track_sizes)
    }),
    row(
        "no_inline_ascii_resp",
        No,
        Nothing(NO_EFFECT_THERE),
        nothing,
    ),
    row("inline_ascii_resp", No, Nothing(NO_EFFECT_THERE), nothing),
    row("modern", No, Nothing(NO_EFFECT_THERE), nothing),
    row("no_modern", No, Shown, no_modern),
    row("no_chunked_items", No, Shown, |c, _| {
        c.tuning.slabs.chunk_max_bytes = SLAB_PAGE_BYTES;
        Ok(())
    }),
    row("no_slab_reassign", No, Shown, |c, _| {
        no(&mut c.tuning.slabs.reassign)
    }),
    row("no_slab_automove", No, Shown, |c, _| {
        c.tuning.slabs.automove = 0;
        Ok(())
    }),
    row("no_maxconns_fast", No, Shown, |c, _| {
        no(&mut c.tuning.maxconns_fast)
    }),
    row("no_lru_crawler", No, Shown, |c, _| {
        no(&mut c.tuning.lru.crawler)
    }),
    row("no_lru_maintainer", No, Shown, no_lru_maintainer),
    row("no_drop_privileges", No, Nothing(NO_EFFECT_THERE), nothing),
    row("drop_privileges", No, Nothing(NO_SECCOMP), nothing),
    row(
        "resp_obj_mem_limit",
        Maybe,
        Nothing(NO_EFFECT_THERE),
        nothing,
    ),
    row(
        "read_buf_mem_limit",
        Yes,
        Nothing(BUFFERS_BOUNDED),
        |_, given| given.number::<u32>().map(drop),
    ),
    row(
        "ssl_chain_cert",
        Yes,
        Setting("tls.chain_cert"),
        |c, given| given.path(&mut c.tls.chain_cert),
    ),
    row("ssl_key", Yes, Setting("tls.key"), |c, given| {
        given.path(&mut c.tls.key)
    }),
    row(
        "ssl_verify_mode",
        Yes,
        Setting("tls.verify_mode"),
        ssl_verify_mode,
    ),
    row(
        "ssl_keyformat",
        Yes,
        Setting("tls.key_format"),
        |c, given| {
            c.tls.key_format = given.number()?;
            Ok(())
        },
    ),
    row("ssl_ciphers", Yes, Setting("tls.ciphers"), |c, given| {
        c.tls.ciphers = Some(given.value.to_owned());
        Ok(())
    }),
    row("ssl_ca_cert", Yes, Setting("tls.ca_cert"), |c, given| {
        given.path(&mut c.tls.ca_cert)
    }),
    row(
        "ssl_wbuf_size",
        Yes,
        Setting("tls.wbuf_size"),
        |c, given| given.kibibytes(&mut c.tls.wbuf_bytes),
    ),
    row(
        "ssl_session_cache",
        No,
        Setting("tls.session_cache"),
        |c, _| yes(&mut c.tls.session_cache),
    ),
    row("ssl_kernel_tls", No, Shown, |c, _| {
        yes(&mut c.tls.kernel_tls)
    }),
    row(
        "ssl_min_version",
        Yes,
        Setting("tls.min_version"),
        ssl_min_version,
    ),
    row("relaxed_privileges", No, Nothing(NO_EFFECT_THERE), nothing),
    row(
        "sock_cookie_id",
        Yes,
        Setting("tuning.socket_mark"),
        sock_cookie_id,
    ),
];

const TABLES_GROW: &str = "each shard's table grows by itself";
const KEYED_HASH: &str = "the hash is SipHash with a secret key, which is safe from crafted keys";
const NO_SECCOMP: &str = "system calls are not filtered; a systemd unit can do that";
const BUFFERS_BOUNDED: &str = "buffers are bounded by an eighth of -m already";
