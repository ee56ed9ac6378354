//! `stats settings`: what a command line sets is shown as memcached shows it.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use protocol_tests::server::Server;
use protocol_tests::subject::{Kind, Subject};

/// What COMPATIBILITY.md says is different, and the port, which is another one for each server.
const DIFFERENT: [&str; 3] = ["tcpport", "hash_algorithm", "read_buf_mem_limit"];
/// Where 1.6.18 prints other defaults, or another name for none.
const OTHERWISE_OLD: [&str; 2] = ["slab_automove_window", "num_napi_ids"];

fn settings(subject: &Subject, flags: &[&str]) -> Result<BTreeMap<String, String>> {
    let server = Server::start(subject, flags)?;
    let stats = server.connect()?.stats("stats settings")?;
    Ok(stats.into_iter().collect())
}

#[test]
fn flags_are_shown_as_memcached_shows_them() -> Result<()> {
    for line in [
        "",
        "-m 128 -c 2000 -t 3 -R 7 -b 500 -I 2m -M -f 1.5 -n 96 -v",
        "-A -C -F -X -W -D /",
        "-B ascii -l 127.0.0.2",
        "-B auto -l 127.0.0.2,127.0.0.3 -l 127.0.0.4",
        "-o maxconns_fast,hashpower=16,no_hashexpand,slab_reassign,slab_automove=2",
        "-o slab_automove_ratio=0.5,slab_automove_window=20,tail_repair_time=60",
        "-o lru_crawler_sleep=200,lru_crawler_tocrawl=9,hot_lru_pct=10,warm_lru_pct=30",
        "-o hot_max_factor=0.5,warm_max_factor=3,temporary_ttl=30,idle_timeout=600",
        "-o watcher_logbuf_size=8,track_sizes,no_inline_ascii_resp",
        "-o no_slab_reassign,no_slab_automove,no_maxconns_fast,slab_automove_freeratio=0.05",
        "-o no_lru_crawler,no_lru_maintainer,modern",
        "-o no_modern",
    ] {
        let flags: Vec<&str> = line.split_whitespace().collect();
        let memcached = Subject::memcached()?;
        let is_old = memcached.kind() == Kind::MemcachedOld;
        let theirs = settings(&memcached, &flags)?;
        let ours = settings(&Subject::memtwin()?, &flags)?;
        for (key, value) in &theirs {
            // Keys of what Debian builds in, and memtwin shows where it is turned on.
            let is_built_in = key == "drop_privileges" || key.starts_with("ssl_");
            let key = key.as_str();
            if is_built_in || DIFFERENT.contains(&key) || is_old && OTHERWISE_OLD.contains(&key) {
                continue;
            }
            let got = ours.get(key);
            ensure!(
                got == Some(value),
                "{line}: {key} is {got:?}, memcached's {value}"
            );
        }
    }
    Ok(())
}
