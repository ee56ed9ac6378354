//! Bounded waiting.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Asks `probe` every 20 ms until it answers with something, for at most `limit`.
pub(super) fn until<T>(
    what: &str,
    limit: Duration,
    mut probe: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let end = Instant::now() + limit;
    while Instant::now() < end {
        if let Some(found) = probe()? {
            return Ok(found);
        }
        sleep(Duration::from_millis(20));
    }
    bail!("{what}: not within {limit:?}")
}
