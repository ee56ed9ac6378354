//! Asks the nodes of a pair for every key.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use parking_lot::MutexGuard;

use super::counts::Finding;
use super::load::key;
use super::notes::{Note, Verdict, number_of};
use crate::client::Client;
use crate::pair::{PATIENCE, Pair, eventually};

/// More than clients give to what they let expire.
const SHORT_LIFE_SECS: i64 = 5;
/// Between two looks at something that has to happen.
const GLANCE: Duration = Duration::from_millis(20);

/// Waits until the link is up, nothing is under way, and both nodes answer the same for every key.
pub(super) fn wait_until_equal(
    pair: &Pair,
    is_unequal: bool,
    notes: &[MutexGuard<'_, Vec<Note>>],
) -> Result<()> {
    for side in 0..2 {
        let mut client = pair.client(side)?;
        eventually(&format!("side {side} has sent everything"), || {
            let stats = client.stats("stats replication")?;
            let is = |name: &str, wanted: &str| stats.get(name).is_some_and(|it| it == wanted);
            let nothing_waits = is("queue_keys", "0") && is("unconfirmed_records", "0");
            let all_sent = is_unequal || is("sync_pending", "0");
            Ok(is("link", "up") && nothing_waits && all_sent)
        })?;
    }
    if is_unequal {
        return Ok(());
    }
    let sizes = notes.iter().enumerate();
    let keys: Vec<_> = sizes
        .flat_map(|(client, notes)| (0..notes.len()).map(move |index| key(client, index)))
        .collect();
    pair.wait_until_equal(&keys)
}

/// What is wrong on this side. A short life has its time to end.
pub(super) fn read_all(
    mut client: Client,
    side: usize,
    notes: &[MutexGuard<'_, Vec<Note>>],
) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for (writer, notes) in notes.iter().enumerate() {
        for (index, note) in notes.iter().enumerate() {
            let key = key(writer, index);
            let deadline = Instant::now() + PATIENCE;
            let (found, verdict) = loop {
                let value = client.get(&key)?;
                let found = value.as_deref().map(number_of);
                ensure!(found != Some(None), "{key} on side {side} is broken");
                let found = found.flatten();
                let verdict = note.judge(found);
                let is_stale = verdict == Verdict::Stale;
                if !is_stale || Instant::now() > deadline || !expires_soon(&mut client, &key)? {
                    break (found, verdict);
                }
                thread::sleep(GLANCE);
            };
            if verdict != Verdict::Right {
                findings.push(Finding {
                    key,
                    verdict,
                    acknowledged: note.acknowledged().copied(),
                    found: (side, found),
                });
            }
        }
    }
    Ok(findings)
}

/// The values that no client changes are all there.
pub(super) fn has_filling(
    mut client: Client,
    side: usize,
    notes: &[MutexGuard<'_, Vec<Note>>],
) -> Result<()> {
    let Some((filler, filling)) = notes.iter().enumerate().next_back() else {
        return Ok(());
    };
    for (index, note) in filling.iter().enumerate() {
        let key = key(filler, index);
        let found = client.get(&key)?.as_deref().and_then(number_of);
        let verdict = note.judge(found);
        ensure!(verdict == Verdict::Right, "side {side} opens without {key}");
    }
    Ok(())
}

/// Whether the value of this key, if there is one, has only seconds to live.
fn expires_soon(client: &mut Client, key: &str) -> Result<bool> {
    let life = client.ask(&format!("mg {key} t"))?;
    let secs = life.strip_prefix("HD t").map(str::parse::<i64>);
    let secs = secs.transpose().context(life)?;
    Ok(secs.is_none_or(|secs| (0..=SHORT_LIFE_SECS).contains(&secs)))
}

/// The client and the index of a key, see [`key`].
pub(super) fn place_of(key: &str) -> Result<(usize, usize)> {
    let place = key.strip_prefix('w').and_then(|rest| rest.split_once('.'));
    let (client, index) = place.with_context(|| format!("{key} is no key of a client"))?;
    Ok((client.parse()?, index.parse()?))
}
