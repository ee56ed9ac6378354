//! CPU time of a process, user and system, in the kernel's nanoseconds: the ticks of
//! `/proc/PID/stat` are 10 ms long, a fifth of a turn.

use std::time::Duration;
use std::{fs, io, thread};

use anyhow::{Context, Result};
use rustix::time::{ClockId, clock_gettime};

/// Reads the process's CPU time once it rests, so that a turn is charged with all work it caused,
/// also what a replication thread does after the last reply.
pub(crate) fn at_rest(pid: u32) -> Result<Duration> {
    let mut last = on_cpu(pid)?;
    for _ in 0..REST_LOOKS_MAX {
        thread::sleep(REST_LOOK);
        let now = on_cpu(pid)?;
        if now.saturating_sub(last) < RESTING {
            return Ok(now);
        }
        last = now;
    }
    Ok(last)
}

pub(crate) fn on_cpu(pid: u32) -> Result<Duration> {
    sum_of_threads(pid).with_context(|| format!("cannot read the CPU time of process {pid}"))
}

/// CPU time of this tool.
pub(crate) fn own() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec as u32)
}

fn sum_of_threads(pid: u32) -> io::Result<Duration> {
    let mut total_ns = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let text = match fs::read_to_string(thread?.path().join("schedstat")) {
            Ok(text) => text,
            // A thread that ended since the folder was read.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let first = text
            .split_whitespace()
            .next()
            .and_then(|word| word.parse::<u64>().ok());
        total_ns += first.ok_or_else(|| io::Error::other("schedstat without a number"))?;
    }
    Ok(Duration::from_nanos(total_ns))
}

const REST_LOOK: Duration = Duration::from_millis(2);
/// Clock ticks and heartbeats stay below 5 % of a look.
const RESTING: Duration = Duration::from_micros(100);
const REST_LOOKS_MAX: u32 = 250;
