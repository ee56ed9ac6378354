//! Measures a pair: `pair_figures ITEMS`. What a sync costs, how soon a node that restarts serves,
//! and how long a small write waits behind large ones. Asserts nothing: these are figures.

#![allow(clippy::print_stdout, reason = "it is what somebody reads who runs it")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use protocol_tests::client::Client;
use protocol_tests::pair::{Pair, eventually};
use protocol_tests::process::thread_cpu_ms;

const VALUE_BYTES: usize = 1024;
const LARGE_BYTES: usize = 900 * 1024;
/// Values of that size that are under way at a time.
const LARGE_VALUES: usize = 10;
const SMALL_WRITES: usize = 4000;
/// Keys written while the link is cut.
const CHANGED: usize = 1000;
/// The thread of the link.
const LINK_THREAD: &str = "replication";

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [items] = words.as_slice() else {
        bail!("usage: pair_figures ITEMS");
    };
    let items: usize = items.parse().context("ITEMS is a number")?;
    let memory_mib = ((items * 2 * VALUE_BYTES) >> 20).max(256).to_string();
    let flags = [
        "-m",
        &memory_mib,
        "-I",
        "8m",
        "-t",
        "1",
        "--start-alone-after",
        "never",
    ];
    let mut pair = Pair::start(&flags)?;
    fill(&pair, items)?;
    let whole_bytes = restart(&mut pair, items)?;
    for changed in [0, CHANGED] {
        cut(&pair, changed, whole_bytes)?;
    }
    small_behind_large(&pair)
}

/// Stores `items` values on side 0.
fn fill(pair: &Pair, items: usize) -> Result<()> {
    let mut client = pair.client(0)?;
    let value = "x".repeat(VALUE_BYTES);
    for first in (0..items).step_by(1000) {
        let mut bytes = String::new();
        for number in first..items.min(first + 1000) {
            bytes += &format!("set key{number} 0 0 {VALUE_BYTES} noreply\r\n{value}\r\n");
        }
        client.send(bytes.as_bytes())?;
        client.ask("mn")?;
    }
    all_is_sent(pair)
}

/// Nothing is under way from either side.
fn all_is_sent(pair: &Pair) -> Result<()> {
    for side in 0..2 {
        for row in ["queue_keys", "unconfirmed_records", "sync_pending"] {
            pair.wait_for_stat(side, row, "0")?;
        }
    }
    Ok(())
}

/// Side 1 restarts empty: how soon it serves, and what it costs to fill it. Returns the bytes that
/// the link has carried.
fn restart(pair: &mut Pair, items: usize) -> Result<u64> {
    pair.kill(1);
    pair.wait_for_stat(0, "link", "down")?;
    let before_bytes = pair.link().carried_bytes();
    let before_ms = thread_cpu_ms(pair.node(0)?.pid(), LINK_THREAD)?;
    let began = Instant::now();
    pair.launch(1)?;
    while !pair.node(1)?.is_open() {
        thread::sleep(Duration::from_millis(1));
    }
    let open = began.elapsed();
    let mut client = pair.client(1)?;
    let value = client.get(&format!("key{}", items - 1))?;
    let answered = began.elapsed();
    ensure!(value.is_some(), "a false miss");
    pair.wait_until_complete(1)?;
    let whole = began.elapsed();
    all_is_sent(pair)?;
    let bytes = pair.link().carried_bytes() - before_bytes;
    let cpu_ms = [
        thread_cpu_ms(pair.node(0)?.pid(), LINK_THREAD)? - before_ms,
        thread_cpu_ms(pair.node(1)?.pid(), LINK_THREAD)?,
    ];
    let busier_ms = cpu_ms[0].max(cpu_ms[1]).max(1);
    println!(
        "restart of a node of {items} items: open after {} ms from its start, the first answer \
         after {} ms, the whole table after {} ms",
        open.as_millis(),
        answered.as_millis(),
        whole.as_millis()
    );
    println!(
        "full copy: {} MB on the wire, {} MB for each CPU second of the busier link thread",
        bytes / 1_000_000,
        bytes / busier_ms / 1000
    );
    Ok(bytes)
}

/// A cut in which so many keys change: how much the sync carries.
fn cut(pair: &Pair, changed: usize, whole_bytes: u64) -> Result<()> {
    let link = pair.link();
    link.cut();
    for side in 0..2 {
        pair.wait_for_stat(side, "link", "down")?;
    }
    let mut client = pair.client(0)?;
    for number in 0..changed {
        let key = format!("key{}", number * 7);
        ensure!(client.set(&key, &[b'y'; VALUE_BYTES])? == "STORED");
    }
    let before_bytes = link.carried_bytes();
    link.heal();
    pair.wait_for_stat(0, "link", "up")?;
    eventually("both tables were compared", || {
        Ok(pair.stat(0, "sync_progress_percent")? == "100"
            && pair.stat(1, "sync_progress_percent")? == "100")
    })?;
    all_is_sent(pair)?;
    let bytes = link.carried_bytes() - before_bytes;
    println!(
        "sync after a cut in which {changed} keys changed: {} KB, {:.3} % of a full copy",
        bytes / 1000,
        100.0 * bytes as f64 / whole_bytes as f64
    );
    Ok(())
}

/// How long a small write waits for its answer while large ones are under way, and without them.
fn small_behind_large(pair: &Pair) -> Result<()> {
    report("small writes alone", small_writes(pair)?);
    let ends = AtomicBool::new(false);
    let times = thread::scope(|scope| {
        let writer = scope.spawn(|| write_large(pair, &ends));
        let times = small_writes(pair);
        ends.store(true, Ordering::SeqCst);
        let written = writer
            .join()
            .map_err(|_| anyhow::anyhow!("the writer panicked"))??;
        println!("{written} values of {LARGE_BYTES} bytes were written meanwhile");
        times
    })?;
    report("small writes behind ten values of 900 KiB", times);
    Ok(())
}

fn small_writes(pair: &Pair) -> Result<Vec<Duration>> {
    let mut client = pair.client(0)?;
    let mut times = Vec::new();
    for number in 0..SMALL_WRITES {
        let began = Instant::now();
        ensure!(client.set(&format!("small{number}"), b"x")? == "STORED");
        times.push(began.elapsed());
        thread::sleep(Duration::from_micros(500));
    }
    Ok(times)
}

/// Keeps ten large values under way.
fn write_large(pair: &Pair, ends: &AtomicBool) -> Result<usize> {
    let mut clients = (0..LARGE_VALUES)
        .map(|_| pair.client(0))
        .collect::<Result<Vec<Client>>>()?;
    let value = "z".repeat(LARGE_BYTES);
    let mut written = 0;
    while !ends.load(Ordering::SeqCst) {
        for (number, client) in clients.iter_mut().enumerate() {
            client
                .send(format!("set large{number} 0 0 {LARGE_BYTES}\r\n{value}\r\n").as_bytes())?;
        }
        for client in &mut clients {
            ensure!(client.read_text_line()? == "STORED");
            written += 1;
        }
    }
    Ok(written)
}

fn report(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_micros();
    println!(
        "{what}: median {} us, p99 {} us, worst {} us",
        at(0.5),
        at(0.99),
        at(1.0)
    );
}
