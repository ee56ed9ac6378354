//! Several clients at once.

use std::thread;

use anyhow::{Result, bail};

/// Runs `write` with the numbers 0 to `count` - 1, each in a thread of its own, and waits for all.
///
/// # Errors
/// The first one that failed or panicked.
pub fn run(count: usize, write: impl Fn(usize) -> Result<()> + Sync) -> Result<()> {
    let write = &write;
    thread::scope(|scope| {
        let writers: Vec<_> = (0..count)
            .map(|writer| scope.spawn(move || write(writer)))
            .collect();
        writers.into_iter().try_for_each(|writer| {
            let ended = writer.join();
            ended.unwrap_or_else(|_| bail!("a writer panicked"))
        })
    })
}
