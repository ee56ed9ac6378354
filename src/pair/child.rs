//! One node of `memtwin pair`: a process of the same binary, its log lines relayed.

use std::env;
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{self, ChildStderr, Command, Stdio};
use std::thread;
use std::time::Duration;

use nix::unistd::geteuid;
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep};

use super::ports::Addresses;
use crate::config::StartupError;
use crate::limits::{DRAIN_MS_MAX, RELAYED_LINE_BYTES_MAX};
use crate::logs;
use crate::privileges::END_WITH_PARENT;

/// A running node.
pub(super) struct Child {
    name: &'static str,
    process: process::Child,
    ended: bool,
}

impl Child {
    /// Starts the node whose file is `<name>.toml` in the directory.
    pub(super) fn start(
        name: &'static str,
        dir: &Path,
        addresses: &Addresses,
        flags: &[OsString],
    ) -> Result<Self, StartupError> {
        let failed =
            |error: io::Error| StartupError::system(format!("{name}: cannot be started: {error}"));
        let mut command = Command::new(env::current_exe().map_err(failed)?);
        arguments(&mut command, name, dir, addresses);
        command.args(flags);
        // A group of its own: Ctrl-C reaches it by us, in our order.
        let mut process = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .env(END_WITH_PARENT, process::id().to_string())
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        if let Some(lines) = process.stderr.take() {
            thread::Builder::new()
                .name(format!("{name} log"))
                .spawn(move || relay(name, lines))
                .map_err(failed)?;
        }
        Ok(Self {
            name,
            process,
            ended: false,
        })
    }

    /// The process id, for a person to kill.
    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Whether it runs; tells once that it does not.
    pub(super) fn is_running(&mut self) -> bool {
        if self.ended {
            return false;
        }
        match self.process.try_wait() {
            Ok(None) => true,
            Ok(Some(status)) => {
                self.ended = true;
                say(self.name, &format!("ended: {status}"));
                false
            }
            Err(_) => false,
        }
    }

    /// Asks it to stop.
    pub(super) fn ask_to_stop(&mut self) {
        if self.is_running() {
            // Its end was not waited for yet, so the id is still its own.
            let _ = kill_process(Pid::from_child(&self.process), Signal::TERM);
        }
    }

    /// Waits for the end of one that was asked to stop, and makes it once its drain is overdue.
    pub(super) async fn stop(&mut self) {
        let overdue = Instant::now() + Duration::from_millis(DRAIN_MS_MAX + DRAIN_MS_MAX / 8);
        while self.is_running() {
            if Instant::now() > overdue {
                say(self.name, "does not stop and is killed");
                self.kill();
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Ends it at once.
    pub(super) fn kill(&mut self) {
        let _ = self.process.kill();
    }
}

fn arguments(command: &mut Command, name: &str, dir: &Path, addresses: &Addresses) {
    command
        .arg("--config")
        .arg(dir.join(name).with_extension("toml"))
        .arg("--key-file")
        .arg(dir.join("pair.pem"))
        .args(["--listen", &addresses.clients])
        .args(["--replication-listen", &addresses.own_link])
        .args(["--failover", &addresses.partner_link]);
    if geteuid().is_root() {
        command.args(["--user", "root"]);
    }
}

/// Passes a node's log on, line by line, with its name before it.
fn relay(name: &'static str, lines: ChildStderr) {
    let mut lines = BufReader::new(lines);
    let mut line = Vec::new();
    loop {
        line.clear();
        let limit = RELAYED_LINE_BYTES_MAX;
        match lines.by_ref().take(limit).read_until(b'\n', &mut line) {
            Ok(1..) => say(name, String::from_utf8_lossy(&line).trim_end()),
            Ok(0) | Err(_) => return,
        }
    }
}

fn say(name: &str, text: &str) {
    logs::line(&format!("{name:8} | {text}"));
}
