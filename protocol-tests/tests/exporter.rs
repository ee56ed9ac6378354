//! What prometheus/memcached_exporter reads is there, and in the form it reads.
//!
//! It sends `stats`, `stats slabs`, `stats items` and `stats settings`. A key that it cannot do
//! without takes the whole target down; another one only its metric.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail, ensure};
use protocol_tests::client::Client;
use protocol_tests::server::Server;
use protocol_tests::subject::Subject;

/// Missing or no number: `memcached_up` is 0. Those of a class for every class of `stats slabs`.
const MANDATORY: &str = "cmd_set cas_hits cas_misses cas_badval";
const MANDATORY_OF_CLASS: &str = "cmd_set cas_hits cas_badval";

const GENERAL: &str = "\
    uptime time get_hits get_misses delete_hits delete_misses incr_hits incr_misses decr_hits \
    decr_misses cas_hits cas_misses touch_hits touch_misses cas_badval cmd_flush cmd_set \
    rusage_user rusage_system bytes limit_maxbytes curr_items total_items bytes_read \
    bytes_written curr_connections total_connections rejected_connections conn_yields \
    listen_disabled_num evictions reclaimed store_too_large store_no_memory lru_crawler_starts \
    direct_reclaims crawler_items_checked crawler_reclaimed moves_to_cold moves_to_warm \
    moves_within_lru total_malloced accepting_conns";

const SLABS: &str = "\
    get_hits delete_hits incr_hits decr_hits cas_hits touch_hits cas_badval cmd_set chunk_size \
    chunks_per_page total_pages total_chunks used_chunks free_chunks free_chunks_end";

const ITEMS: &str = "\
    number age hits_to_hot hits_to_warm hits_to_cold hits_to_temp crawler_reclaimed evicted \
    evicted_nonzero evicted_time evicted_unfetched expired_unfetched outofmemory reclaimed \
    store_too_large store_no_memory tailrepairs mem_requested moves_to_cold moves_to_warm \
    moves_within_lru number_hot number_warm number_cold number_temp age_hot age_warm";

const SETTINGS: &str = "\
    maxconns lru_crawler_sleep lru_crawler_tocrawl hot_lru_pct warm_lru_pct hot_max_factor \
    warm_max_factor";

/// What one scrape finds, sorted as the exporter sorts it.
#[derive(Debug, Default)]
struct Scrape {
    general: BTreeMap<String, String>,
    slabs: BTreeMap<u32, BTreeMap<String, String>>,
    items: BTreeMap<u32, BTreeMap<String, String>>,
    settings: BTreeMap<String, String>,
}

impl Scrape {
    fn of(client: &mut Client) -> Result<Self> {
        let mut scrape = Self::default();
        for command in ["stats", "stats slabs", "stats items"] {
            for line in lines(client, command)? {
                scrape.sort_in(&line)?;
            }
        }
        for line in lines(client, "stats settings")? {
            let words: Vec<_> = line.split(' ').collect();
            let ["STAT", key, value, ..] = words[..] else {
                bail!("the exporter fails at {line:?}");
            };
            scrape.settings.insert(key.to_owned(), value.to_owned());
        }
        Ok(scrape)
    }

    /// Lines of another form are passed over; a class that is no number fails the scrape.
    fn sort_in(&mut self, line: &str) -> Result<()> {
        let words: Vec<_> = line.split(' ').collect();
        let ["STAT", key, value] = words[..] else {
            return Ok(());
        };
        let class = |class: &str| -> Result<u32> {
            class
                .parse()
                .with_context(|| format!("no class in {line:?}"))
        };
        let (place, key) = match key.split(':').collect::<Vec<_>>()[..] {
            [key] => (&mut self.general, key),
            [number, key] => (self.slabs.entry(class(number)?).or_default(), key),
            ["items", number, key] => (self.items.entry(class(number)?).or_default(), key),
            _ => return Ok(()),
        };
        place.insert(key.to_owned(), value.to_owned());
        Ok(())
    }

    /// The keys the exporter finds: of a list, and only those whose value it can read.
    fn found(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut look = |part: &str, wanted: &str, there: &BTreeMap<String, String>| {
            for key in wanted.split_whitespace() {
                if there.get(key).is_some_and(|value| is_number(value)) {
                    found.insert(format!("{part} {key}"));
                }
            }
        };
        look("stats", GENERAL, &self.general);
        look("settings", SETTINGS, &self.settings);
        for class in self.slabs.values() {
            look("slabs", SLABS, class);
        }
        for class in self.items.values() {
            look("items", ITEMS, class);
        }
        for key in ["lru_crawler", "lru_maintainer_thread"] {
            if let Some("yes" | "no") = self.settings.get(key).map(String::as_str) {
                found.insert(format!("settings {key}"));
            }
        }
        if self.general.contains_key("version") {
            found.insert("stats version".to_owned());
        }
        found
    }

    /// What it cannot do without.
    fn is_up(&self) -> Result<()> {
        let classes = self.slabs.values().map(|class| (MANDATORY_OF_CLASS, class));
        for (wanted, there) in classes.chain([(MANDATORY, &self.general)]) {
            for key in wanted.split_whitespace() {
                let value = there
                    .get(key)
                    .with_context(|| format!("{key} is missing"))?;
                ensure!(is_number(value), "{key} is {value:?}");
            }
        }
        Ok(())
    }
}

fn is_number(value: &str) -> bool {
    value.parse::<f64>().is_ok()
}

fn lines(client: &mut Client, command: &str) -> Result<Vec<String>> {
    client.send_line(command)?;
    let mut lines = Vec::new();
    loop {
        match client.read_text_line()? {
            line if line == "END" => return Ok(lines),
            line => lines.push(line),
        }
    }
}

/// Scrapes a server that holds nothing, and again when items of two classes have been used.
fn scrape(subject: &Subject) -> Result<Scrape> {
    let server = Server::start(subject, &[])?;
    let mut client = server.connect()?;
    let empty = Scrape::of(&mut client)?;
    empty.is_up()?;
    ensure!(empty.items.is_empty(), "items where there are none");
    client.set("small", b"1")?;
    client.set("large", &vec![b'v'; 600_000])?;
    client.get("small")?;
    client.expect("incr small 1", "2")?;
    let scrape = Scrape::of(&mut client)?;
    scrape.is_up()?;
    for classes in [&scrape.slabs, &scrape.items] {
        let has_both = classes.contains_key(&1) && classes.contains_key(&39);
        ensure!(has_both, "{classes:?}");
    }
    Ok(scrape)
}

#[test]
fn what_the_exporter_finds_in_memcached_it_finds_in_memtwin() -> Result<()> {
    let memcached = scrape(&Subject::memcached()?)?.found();
    let memtwin = scrape(&Subject::memtwin()?)?.found();
    let missing: Vec<_> = memcached.difference(&memtwin).collect();
    ensure!(missing.is_empty(), "missing: {missing:?}");
    // What it looks for and neither release prints by default.
    let wanted = [GENERAL, SLABS, ITEMS, SETTINGS];
    let wanted: usize = wanted
        .iter()
        .map(|list| list.split_whitespace().count())
        .sum();
    let unknown = [
        "items store_too_large",
        "items store_no_memory",
        "items number_temp",
    ];
    ensure!(unknown.iter().all(|key| !memtwin.contains(*key)));
    let found = memtwin.len() + unknown.len();
    ensure!(
        found == wanted + 3,
        "{found} of {wanted} and 3: {memtwin:?}"
    );
    Ok(())
}
