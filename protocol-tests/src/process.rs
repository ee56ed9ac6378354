//! What `/proc` tells of a process, and signals to one.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::{Child, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Resource, Signal, getrlimit, kill_process, setrlimit};

/// Resident memory in bytes.
pub fn resident_bytes(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).with_context(|| path.clone())?;
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| {
            rest.trim()
                .trim_end_matches("kB")
                .trim()
                .parse::<u64>()
                .ok()
        })
        .with_context(|| format!("no VmRSS in {path}"))?;
    Ok(kib * 1024)
}

/// CPU time that a thread has used, in milliseconds; threads are found by their names.
pub fn thread_cpu_ms(pid: u32, name: &str) -> Result<u64> {
    let ticks_per_sec = rustix::param::clock_ticks_per_second();
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let task = task?.path();
        if fs::read_to_string(task.join("comm"))?.trim() != name {
            continue;
        }
        let stat = fs::read_to_string(task.join("stat"))?;
        // The name, in brackets, may have spaces. User time is the 12th field behind it.
        let fields = stat.rsplit(')').next().unwrap_or_default();
        let mut fields = fields.split_whitespace().skip(11);
        let mut ticks = || -> Result<u64> { Ok(fields.next().context("a short stat")?.parse()?) };
        return Ok((ticks()? + ticks()?) * 1000 / ticks_per_sec);
    }
    bail!("process {pid} has no thread {name}")
}

/// The number of open file descriptors.
pub fn open_files(pid: u32) -> Result<usize> {
    let path = format!("/proc/{pid}/fd");
    Ok(fs::read_dir(&path).with_context(|| path.clone())?.count())
}

/// Waits for the end of a process; one that does not end is killed.
pub fn wait_for_end(process: &mut Child, patience: Duration) -> Result<ExitStatus> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(status) = process.try_wait()? {
            return Ok(status);
        }
        if Instant::now() > deadline {
            process.kill()?;
            process.wait()?;
            bail!("process {} did not end and was killed", process.id());
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// Sends a signal to a process that the caller started.
pub fn signal(pid: u32, signal: Signal) -> Result<()> {
    let raw = i32::try_from(pid).context("process id out of range")?;
    let pid = Pid::from_raw(raw).context("process id 0")?;
    Ok(kill_process(pid, signal)?)
}

/// Raises this process's limit of open files to at least `files`, as far as the hard limit goes.
/// Programs started afterwards inherit it.
pub fn allow_open_files(files: u64) -> Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < files) {
        limit.current = Some(limit.maximum.map_or(files, |maximum| maximum.min(files)));
        setrlimit(Resource::Nofile, limit)?;
    }
    Ok(())
}

/// Whether this process runs as root.
pub fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}
