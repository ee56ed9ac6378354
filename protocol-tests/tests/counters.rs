//! After the same traffic every statistic says what memcached's says, or its reason is told.
//!
//! Counters had tests one by one, where somebody had thought of them. `bytes_written` that never
//! counted was noticed by none: graphs of a pair would have shown a node that answers nobody.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use protocol_tests::compatibility::told;
use protocol_tests::server::Server;
use protocol_tests::subject::{Kind, Subject};
use protocol_tests::tally::{self, Counted};

/// How long memcached may take to count what it did, and its maintainer to let go of an item.
const COUNTED: Duration = Duration::from_millis(300);

/// Names and values of an answer.
type Stats = BTreeMap<String, String>;

/// What no two processes have alike.
const OF_EACH_PROCESS: [&str; 7] = [
    "pid",
    "time",
    "version",
    "rusage_user",
    "rusage_system",
    "tcpport",
    "libevent",
];

/// What need not be equal, by command, and why; a star stands for many names. COMPATIBILITY.md says
/// of each that it is different or without effect.
const DIFFERENT: [(&str, &str, &str); 37] = [
    ("stats", "uptime", "memcached begins with 2"),
    (
        "stats",
        "connection_structures",
        "memcached counts the listening socket",
    ),
    ("stats", "response_obj_*", "replies are no objects"),
    ("stats", "read_buf_count", "one for each worker"),
    ("stats", "read_buf_bytes", "one for each worker"),
    ("stats", "read_buf_bytes_free", "one for each worker"),
    ("stats", "reserved_fds", "what each needs"),
    ("stats", "conn_yields", "memcached's turns are shorter"),
    ("stats", "hash_power_level", "of the shards"),
    ("stats", "hash_bytes", "of the tables"),
    (
        "stats",
        "get_expired",
        "an overdue item may have been taken back before",
    ),
    ("stats", "lru_maintainer_juggles", "no such thread"),
    ("stats", "slab_reassign_*", "no such thread"),
    ("stats", "slabs_moved", "no such thread"),
    ("stats", "slab_global_page_pool", "no pages"),
    ("stats", "crawler_*", "no such thread"),
    (
        "stats",
        "lru_crawler_starts",
        "memcached starts some by itself",
    ),
    (
        "stats",
        "lru_crawler_running",
        "memcached starts some by itself",
    ),
    ("stats", "moves_*", "one LRU"),
    ("stats", "lrutail_reflocked", "one LRU"),
    (
        "stats",
        "bytes",
        "with what an item takes beside what was asked for",
    ),
    (
        "stats",
        "curr_items",
        "flushed and overdue items go at another time",
    ),
    (
        "stats",
        "reclaimed",
        "flushed and overdue items go at another time",
    ),
    (
        "stats",
        "expired_unfetched",
        "flushed and overdue items go at another time",
    ),
    ("stats", "direct_reclaims", "as reclaimed"),
    ("stats items", "number_*", "one LRU"),
    ("stats items", "hits_to_*", "one LRU"),
    ("stats items", "moves_*", "one LRU"),
    ("stats items", "crawler_*", "no such thread"),
    ("stats items", "lrutail_reflocked", "one LRU"),
    ("stats items", "age*", "seconds, which pass"),
    ("stats items", "expired_unfetched", "as above"),
    ("stats items", "reclaimed", "as above"),
    ("stats settings", "hash_algorithm", "keyed by a secret"),
    (
        "stats settings",
        "oldest",
        "memcached's clock begins a minute before the start",
    ),
    ("stats settings", "read_buf_mem_limit", "half of -m"),
    ("stats slabs", "total_malloced", "no pages"),
];

fn is_named(name: &str, key: &str) -> bool {
    match name.strip_suffix('*') {
        Some(beginning) => key.starts_with(beginning),
        None => name == key,
    }
}

/// The name without the class or size before it.
fn plain(key: &str) -> &str {
    key.rsplit(':').next().unwrap_or(key)
}

fn may_differ(command: &str, key: &str) -> bool {
    let key = plain(key);
    let is_listed = |(of, name, _): &(&str, &str, &str)| *of == command && is_named(name, key);
    OF_EACH_PROCESS.contains(&key) || DIFFERENT.iter().any(is_listed)
}

fn stats(client: &mut Counted, command: &str) -> Result<Stats> {
    client.send(format!("{command}\r\n").as_bytes())?;
    let answer = String::from_utf8(client.read_until(b"END\r\n")?)?;
    let mut all = Stats::new();
    for line in answer.lines().filter(|line| *line != "END") {
        let pair = line.strip_prefix("STAT ").and_then(|it| it.split_once(' '));
        let (key, value) = pair.with_context(|| format!("{command}: {line}"))?;
        all.insert(key.to_owned(), value.to_owned());
    }
    Ok(all)
}

/// The statistics after the traffic by command; bytes are compared with what went over the wires.
fn after_traffic(subject: &Subject) -> Result<BTreeMap<&'static str, Stats>> {
    // Its maintainer looks at items by itself, and memcached makes a new item of a number that
    // somebody looks at.
    let server = Server::start(subject, &["-o", "track_sizes,no_lru_maintainer"])?;
    let mut text = Counted::connect(&server)?;
    // memcached counts what it has sent a moment later: before, what was said to whoever waited for
    // its start; at the end, who left.
    thread::sleep(COUNTED);
    text.send(b"stats reset\r\n")?;
    text.read_until(b"RESET\r\n")?;
    // The request was read before the reset, the answer written after it.
    text.sent_bytes = 0;
    tally::text_storage(&mut text)?;
    tally::text_others(&mut text)?;
    tally::meta(&mut text)?;
    let mut binary = Counted::connect(&server)?;
    tally::binary(&mut binary)?;
    tally::flushed_and_overdue(&mut text)?;
    text.text("stats detail on\r\n")?;
    let prefixes = tally::prefixes(&mut text)?;
    let mut visitors = tally::visitors(&server)?;
    thread::sleep(COUNTED);
    let mut all = BTreeMap::new();
    for command in [
        "stats slabs",
        "stats items",
        "stats sizes",
        "stats settings",
        "stats",
    ] {
        all.insert(command, stats(&mut text, command)?);
    }
    let prefixes = prefixes.into_iter().map(|line| (line, String::new()));
    all.insert("stats detail dump", prefixes.collect());
    let general = &all["stats"];
    visitors.extend([text, binary]);
    let sent: u64 = visitors.iter().map(|client| client.sent_bytes).sum();
    let received: u64 = visitors.iter().map(|client| client.received_bytes).sum();
    let last_answer: usize = general
        .iter()
        .map(|(key, value)| key.len() + value.len() + "STAT  \r\n".len())
        .sum();
    let received = received - (last_answer + "END\r\n".len()) as u64;
    let kind = subject.kind();
    for (key, bytes) in [("bytes_read", sent), ("bytes_written", received)] {
        let shown: u64 = general[key].parse()?;
        ensure!(
            shown == bytes,
            "{kind}: {key} is {shown}, on the wire {bytes}"
        );
    }
    Ok(all)
}

#[test]
fn statistics_say_what_memcached_says() -> Result<()> {
    let memcached = Subject::memcached()?;
    let is_old = memcached.kind() == Kind::MemcachedOld;
    let memtwin = Subject::memtwin()?;
    let (theirs, ours) = thread::scope(|scope| {
        let theirs = scope.spawn(|| after_traffic(&memcached));
        let ours = after_traffic(&memtwin);
        (theirs.join(), ours)
    });
    let theirs = theirs.map_err(|_| anyhow::anyhow!("a panic"))??;
    let ours = ours?;
    let mut differences = Vec::new();
    for (command, theirs) in &theirs {
        let ours = &ours[command];
        let keys: BTreeSet<_> = theirs.keys().chain(ours.keys()).collect();
        for key in keys.into_iter().filter(|key| !may_differ(command, key)) {
            let pair = (theirs.get(key), ours.get(key));
            let is_byte_count = ["bytes_read", "bytes_written"].contains(&key.as_str());
            // A release has keys that another one has not; bytes were compared with the wire.
            if pair.0 == pair.1 || is_byte_count || is_old && of_one_release(command, key, pair) {
                continue;
            }
            differences.push(format!(
                "{command}: {key} is {:?} there, {:?} here",
                pair.0, pair.1
            ));
        }
    }
    ensure!(differences.is_empty(), "\n{}", differences.join("\n"));
    Ok(())
}

/// What differs because the memcached is 1.6.18.
fn of_one_release(command: &str, key: &str, pair: (Option<&String>, Option<&String>)) -> bool {
    let is_settings = command == "stats settings";
    let is_missing = pair.0.is_none() || pair.1.is_none();
    is_missing && (is_settings || command == "stats")
        || is_settings && ["slab_automove_window", "num_napi_ids"].contains(&key)
}

/// Whatever need not be equal has its row, which does not say that it is the same.
#[test]
fn what_differs_is_told() -> Result<()> {
    for (command, name, _) in DIFFERENT {
        let key = name.trim_end_matches('*');
        let rows = told(command)?;
        let is_told = rows.iter().any(|row| {
            let is_one_of_them = name.ends_with('*') && row.name.starts_with(key);
            (row.speaks_of(key) || is_one_of_them) && row.verdict != "same"
        });
        ensure!(is_told, "{command}: no row says that {name} is different");
    }
    Ok(())
}

const KEYS: u64 = 2000;

/// Sets more than there is room for, each key once; what is asked for is read before the next.
fn under_pressure(subject: &Subject, is_read: bool) -> Result<()> {
    let server = Server::start(subject, &["-m", "8"])?;
    let mut client = Counted::connect(&server)?;
    let value = "v".repeat(10_000);
    for nth in 0..KEYS {
        let exptime = if nth % 2 == 0 { 0 } else { 1000 };
        let set = format!("set k{nth} 0 {exptime} 10000\r\n{value}\r\n");
        ensure!(client.text(set)? == b"STORED\r\n");
        if is_read {
            client.text(format!("get k{nth}\r\n"))?;
        }
    }
    thread::sleep(COUNTED);
    let general = stats(&mut client, "stats")?;
    let items = stats(&mut client, "stats items")?;
    let number = |name: &str| -> Result<u64> { Ok(general[name].parse()?) };
    let sum = |name: &str| -> Result<u64> {
        let of_classes = items.iter().filter(|(key, _)| plain(key) == name);
        of_classes.map(|(_, value)| Ok(value.parse::<u64>()?)).sum()
    };
    let kind = subject.kind();
    let evictions = number("evictions")?;
    ensure!(evictions > KEYS / 4, "{kind}: only {evictions} evictions");
    ensure!(number("total_items")? == KEYS && number("cmd_set")? == KEYS);
    ensure!(
        number("curr_items")? + evictions == KEYS,
        "{kind}: {general:?}"
    );
    ensure!(sum("evicted")? == evictions && sum("number")? == number("curr_items")?);
    let unfetched = if is_read { 0 } else { evictions };
    ensure!(
        number("evicted_unfetched")? == unfetched,
        "{kind}: {general:?}"
    );
    ensure!(sum("evicted_unfetched")? == unfetched);
    let nonzero = sum("evicted_nonzero")?;
    ensure!(
        (evictions / 4..evictions).contains(&nonzero),
        "{kind}: {nonzero} with a deadline"
    );
    ensure!(number("reclaimed")? == 0 && number("expired_unfetched")? == 0);
    ensure!(number("get_hits")? == if is_read { KEYS } else { 0 });
    Ok(())
}

#[test]
fn evictions_add_up() -> Result<()> {
    for subject in [Subject::memcached()?, Subject::memtwin()?] {
        under_pressure(&subject, false)?;
        under_pressure(&subject, true)?;
    }
    Ok(())
}
