mod classes;

use super::*;
use crate::config::{Config, Listen, TlsVersion};
use crate::store::{Now, OpContext, Store, StoreConfig};

/// The keys that memcached 1.6.45 prints, from `server_stats`, `get_stats` and `item_stats_totals`
/// in its source.
const GENERAL: &str = "\
    pid uptime time version libevent pointer_size rusage_user rusage_system max_connections \
    curr_connections total_connections rejected_connections connection_structures \
    response_obj_oom response_obj_count response_obj_bytes read_buf_count read_buf_bytes \
    read_buf_bytes_free read_buf_oom reserved_fds cmd_get cmd_set cmd_flush cmd_touch cmd_meta \
    get_hits get_misses get_expired get_flushed delete_misses delete_hits incr_misses incr_hits \
    decr_misses decr_hits cas_misses cas_hits cas_badval touch_hits touch_misses store_too_large \
    store_no_memory auth_cmds auth_errors bytes_read bytes_written limit_maxbytes \
    accepting_conns listen_disabled_num time_in_listen_disabled_us threads conn_yields \
    hash_power_level hash_bytes hash_is_expanding slab_reassign_rescues \
    slab_reassign_chunk_rescues slab_reassign_inline_reclaim slab_reassign_busy_items \
    slab_reassign_busy_deletes slab_reassign_busy_nomem slab_reassign_last_busy_status \
    slab_reassign_running slabs_moved lru_crawler_running lru_crawler_starts \
    lru_maintainer_juggles malloc_fails log_worker_dropped log_worker_written \
    log_watcher_skipped log_watcher_sent log_watchers unexpected_napi_ids round_robin_fallback \
    bytes curr_items total_items slab_global_page_pool expired_unfetched evicted_unfetched \
    evicted_active evictions reclaimed crawler_reclaimed crawler_items_checked \
    lrutail_reflocked moves_to_cold moves_to_warm moves_within_lru direct_reclaims \
    lru_bumps_dropped";

/// The keys of `process_stat_settings`.
const SETTINGS: &str = "\
    maxbytes maxconns tcpport udpport inter verbosity oldest evictions domain_socket umask \
    shutdown_command growth_factor chunk_size num_threads num_threads_per_udp stat_key_prefix \
    detail_enabled reqs_per_event cas_enabled tcp_backlog binding_protocol auth_enabled_sasl \
    auth_enabled_ascii item_size_max maxconns_fast hashpower_init slab_reassign slab_automove \
    slab_automove_ratio slab_automove_window slab_chunk_max lru_crawler lru_crawler_sleep \
    lru_crawler_tocrawl tail_repair_time flush_enabled dump_enabled hash_algorithm \
    lru_maintainer_thread lru_segmented hot_lru_pct warm_lru_pct hot_max_factor warm_max_factor \
    temp_lru temporary_ttl idle_timeout watcher_logbuf_size worker_logbuf_size \
    read_buf_mem_limit track_sizes inline_ascii_response ext_item_size ext_item_age ext_low_ttl \
    ext_recache_rate ext_wbuf_size ext_compact_under ext_drop_under ext_max_sleep ext_max_frag \
    slab_automove_freeratio ext_drop_unread ssl_enabled ssl_chain_cert ssl_key ssl_verify_mode \
    ssl_keyformat ssl_ciphers ssl_ca_cert ssl_wbuf_size ssl_session_cache ssl_kernel_tls \
    ssl_min_version num_napi_ids memory_file client_flags_size";

const STARTED_BOOT_MS: u64 = 1_000_000;

struct TestNode {
    config: Config,
    store: Store,
    workers: Vec<WorkerCounters>,
    counters: NodeCounters,
    prefixes: Prefixes,
    now: Now,
}

impl TestNode {
    fn new() -> Self {
        Self {
            config: Config::default(),
            store: Store::new(&StoreConfig::of_a_test()),
            workers: (0..3).map(|_| WorkerCounters::default()).collect(),
            counters: NodeCounters::default(),
            prefixes: Prefixes::new(b':', true),
            now: Now::of(STARTED_BOOT_MS, 5_000_000_000),
        }
    }

    fn answer(&self, args: &str) -> String {
        let view = NodeView {
            config: &self.config,
            store: &self.store,
            workers: &self.workers,
            counters: &self.counters,
            prefixes: &self.prefixes,
            now: self.now,
            started_boot_ms: STARTED_BOOT_MS,
            verbosity: 0,
            tls_refreshed_boot_ms: self.config.tls.enabled.then_some(STARTED_BOOT_MS),
            tuning: self.config.tuning.clone(),
            crawls: 3,
            is_crawling: false,
        };
        let args: Vec<_> = args.split_whitespace().map(str::as_bytes).collect();
        let mut out = Vec::new();
        let replication = |out: &mut Vec<u8>| out.extend_from_slice(b"STAT link none\r\n");
        let connections = |out: &mut Vec<u8>| out.extend_from_slice(b"STAT 7:state conn_read\r\n");
        let others = StatSources {
            replication: &replication,
            connections: &connections,
        };
        answer(&view, &others, &args, &mut out);
        String::from_utf8(out).unwrap()
    }

    /// The value of one key.
    fn value(&self, args: &str, wanted: &str) -> String {
        let answer = self.answer(args);
        let stats = lines(&answer);
        let found = stats.iter().find(|(name, _)| *name == wanted);
        found.map(|(_, value)| (*value).to_owned()).unwrap()
    }
}

/// Names and values of a reply that consists of `STAT` lines and an `END`.
fn lines(answer: &str) -> Vec<(&str, &str)> {
    let stats = answer.strip_suffix("END\r\n").unwrap();
    let rows = stats.split_terminator("\r\n");
    let rows = rows.map(|line| line.strip_prefix("STAT ").unwrap());
    rows.map(|row| row.split_once(' ').unwrap()).collect()
}

fn names(answer: &str) -> Vec<&str> {
    lines(answer).into_iter().map(|(name, _)| name).collect()
}

#[test]
fn stats_prints_memcacheds_keys_in_its_order() {
    let node = TestNode::new();
    let general: Vec<_> = GENERAL.split_whitespace().collect();
    assert_eq!(general.len(), 93);
    assert_eq!(names(&node.answer("")), general);
    let settings: Vec<_> = SETTINGS.split_whitespace().collect();
    assert_eq!(names(&node.answer("settings")), settings);
}

/// Threads that are turned off have no keys: memcached's stats.t counts 84.
#[test]
fn threads_that_are_turned_off_have_no_keys() {
    let mut node = TestNode::new();
    let general = |node: &TestNode| names(&node.answer("")).len();
    node.config.tuning.lru.crawler = false;
    assert_eq!(general(&node), 91);
    node.config.tuning.lru.maintainer = false;
    assert_eq!(general(&node), 84);
    node.config.tuning.slabs.reassign = false;
    assert_eq!(general(&node), 75);
    node.config.tuning.maxconns_fast = false;
    assert_eq!(general(&node), 74);
}

/// memcached's `get_stats` has three more keys, and one with session resumption.
#[test]
fn tls_has_keys_of_its_own() {
    let mut node = TestNode::new();
    node.config.tls.enabled = true;
    let tls = "ssl_handshake_errors ssl_proto_errors time_since_server_cert_refresh";
    for (session_cache, first) in [(false, ""), (true, "ssl_new_sessions ")] {
        node.config.tls.session_cache = session_cache;
        let before = "log_watchers ";
        let wanted = GENERAL.replace(before, &format!("{before}{first}{tls} "));
        let wanted: Vec<_> = wanted.split_whitespace().collect();
        assert_eq!(names(&node.answer("")), wanted);
    }
    node.now.boot_ms += 5_999;
    assert_eq!(node.value("", "time_since_server_cert_refresh"), "5");
}

/// `ssl_verify_mode` is shown as OpenSSL's bits.
#[test]
fn tls_settings_are_shown_in_openssls_numbers() {
    let mut node = TestNode::new();
    for (mode, bits) in [(0, "0"), (1, "1"), (2, "3"), (3, "7")] {
        node.config.tls.verify_mode = mode;
        assert_eq!(node.value("settings", "ssl_verify_mode"), bits);
    }
    assert_eq!(node.value("settings", "ssl_key"), "(null)");
    node.config.tls.key = Some("/etc/key.pem".into());
    assert_eq!(node.value("settings", "ssl_key"), "/etc/key.pem");
    node.config.tls.min_version = TlsVersion::V1_0;
    assert_eq!(node.value("settings", "ssl_min_version"), "tlsv1.2");
}

/// prometheus/memcached_exporter drops a line whose value has a space.
#[test]
fn every_value_is_one_word() {
    let node = TestNode::new();
    for answer in [node.answer(""), node.answer("settings")] {
        for (name, value) in lines(&answer) {
            assert!(!value.is_empty() && !value.contains(' '), "{name} {value}");
        }
    }
}

/// Every counter must have a row. Each gets a number of its own here.
#[test]
fn every_counter_is_shown() {
    let mut node = TestNode::new();
    node.config.client.idle_timeout = Some(std::time::Duration::from_secs(1));
    node.config.tls.enabled = true;
    node.config.tls.session_cache = true;
    let mut expected = Vec::new();
    let of_worker = node.workers[1].each();
    let all = of_worker.chain(node.workers[1].class(5).each());
    for (number, (name, counter)) in (700_000..).zip(all.chain(node.counters.each())) {
        counter.add(number);
        expected.push((name, number));
    }
    for (name, number) in expected {
        // memcached has another name for this one.
        let key = match name {
            // 0 or 1, and shown inverted as `accepting_conns`.
            "listen_disabled" => continue,
            "requests_refused" => "read_buf_oom",
            name => name,
        };
        assert_eq!(node.value("", key), number.to_string(), "{name}");
    }
}

/// Gives each counter of a class a number of its own, from `base` + 1 on.
fn count_in_class(store: &Store, class: u8, base: u64) {
    for (counter, number) in store.counters().class(class).each().zip(base + 1..) {
        counter.store(number, std::sync::atomic::Ordering::Relaxed);
    }
}

#[test]
fn counters_of_the_store_are_shown() {
    let node = TestNode::new();
    count_in_class(&node.store, 1, 100);
    count_in_class(&node.store, 39, 10);
    for (key, value) in [
        ("evictions", "112"),
        ("evicted_unfetched", "118"),
        ("reclaimed", "122"),
        ("direct_reclaims", "234"),
        ("expired_unfetched", "124"),
    ] {
        assert_eq!(node.value("", key), value, "{key}");
    }
}

#[test]
fn counters_are_summed_over_the_workers() {
    let node = TestNode::new();
    node.workers[0].class(1).get_hits.add(5);
    node.workers[2].class(2).get_hits.add(7);
    assert_eq!(node.value("", "get_hits"), "12");
    assert_eq!(node.value("", "threads"), "3");
}

#[test]
fn a_reset_keeps_present_totals() {
    let node = TestNode::new();
    for (_, counter) in node.workers[0].each().chain(node.counters.each()) {
        counter.add(9);
    }
    node.workers[0].class(3).get_hits.add(9);
    node.prefixes.count_set(b"a:b");
    count_in_class(&node.store, 2, 9);
    assert_eq!(node.answer("reset"), "RESET\r\n");
    for (name, counter) in node.workers[0].each() {
        assert_eq!(counter.get(), 0, "{name}");
    }
    for name in "evictions get_hits total_connections rejected_connections read_buf_oom".split(' ')
    {
        assert_eq!(node.value("", name), "0", "{name}");
    }
    assert_eq!(node.answer("detail dump"), "END\r\n");
    assert_eq!(node.value("", "curr_connections"), "9");
    node.workers[0].cmd_get.count();
    assert_eq!(node.value("", "cmd_get"), "1");
}

#[test]
fn the_beginning_of_a_sub_command_is_enough() {
    let node = TestNode::new();
    for args in ["r", "res", "reset", "reset now"] {
        assert_eq!(node.answer(args), "RESET\r\n", "{args}");
    }
    for args in ["s", "set", "settings", "settings now"] {
        assert!(node.answer(args).starts_with("STAT maxbytes "), "{args}");
    }
    for args in "bogus connsx resets settingsx RESET repl slab itemsx".split(' ') {
        assert_eq!(node.answer(args), "ERROR\r\n", "{args}");
    }
    assert_eq!(node.answer("replication"), "STAT link none\r\nEND\r\n");
    for args in ["conns", "con", "conns now"] {
        let expected = "STAT 7:state conn_read\r\nEND\r\n";
        assert_eq!(node.answer(args), expected, "{args}");
    }
}

#[test]
fn settings_show_the_listening_addresses() {
    let mut node = TestNode::new();
    let mut shown = |listen: &[&str]| {
        let listen = listen.iter().map(|text| Listen::parse(text).unwrap());
        node.config.client.listen = listen.collect();
        let port = node.value("settings", "tcpport");
        (port, node.value("settings", "inter"))
    };
    for (listen, port, inter) in [
        (&["*:11211"][..], "11211", "NULL"),
        (&[], "0", "NULL"),
        (&["127.0.0.1:7", "[::1]:7"], "7", "127.0.0.1,::1"),
        (&["127.0.0.1:7", "[::1]:8"], "7", "127.0.0.1,[::1]:8"),
    ] {
        assert_eq!(shown(listen), (port.to_owned(), inter.to_owned()));
    }
}

#[test]
fn times_are_since_the_start() {
    let mut node = TestNode::new();
    assert_eq!(node.value("", "uptime"), "1");
    assert_eq!(node.value("settings", "oldest"), "0");
    node.store.flush(&mut OpContext::at(node.now));
    assert_eq!(node.value("settings", "oldest"), "1");
    node.now.boot_ms += 61_999;
    node.now.wall_ms += 61_999;
    assert_eq!(node.value("", "uptime"), "62");
    node.store.flush(&mut OpContext::at(node.now));
    assert_eq!(node.value("settings", "oldest"), "61");
    assert_eq!(node.value("", "time"), node.now.unix_secs().to_string());
}

/// Regression: the time of the start, as tools compute it, changed by one second from one scrape to
/// the next, because `time` and `uptime` were rounded separately.
#[test]
fn time_minus_uptime_is_constant() {
    let mut node = TestNode::new();
    node.now.wall_ms += 130;
    let mut starts = std::collections::BTreeSet::new();
    for _ in 0..500 {
        node.now.boot_ms += 77;
        node.now.wall_ms += 77;
        let secs = |name: &str| node.value("", name).parse::<u64>().unwrap();
        starts.insert(secs("time") - secs("uptime"));
    }
    assert_eq!(starts.len(), 1, "{starts:?}");
}
