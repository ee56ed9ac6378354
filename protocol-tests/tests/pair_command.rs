//! `memtwin pair`: the first thing a new user runs.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use protocol_tests::client::Client;
use protocol_tests::pair::eventually;
use protocol_tests::process;
use protocol_tests::server::{Address, loopback};
use protocol_tests::subject::Subject;
use protocol_tests::unread::Unread;
use rustix::process::Signal;
use tempfile::TempDir;

/// How long the pair may take to serve or to stop.
const PATIENCE: Duration = Duration::from_secs(15);

/// A running `memtwin pair`, with a folder of its own for what it makes.
struct PairCommand {
    process: Child,
    folder: TempDir,
    port_base: u16,
}

impl PairCommand {
    fn start() -> Result<Self> {
        Self::start_with(&[])
    }

    fn start_with(flags: &[&str]) -> Result<Self> {
        let port_base = free_port_base()?;
        let folder = TempDir::new()?;
        let process = Self::spawn(port_base, &folder, flags)?;
        Ok(Self {
            process,
            folder,
            port_base,
        })
    }

    fn spawn(port_base: u16, folder: &TempDir, flags: &[&str]) -> Result<Child> {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(log_of(folder))?;
        Self::spawn_writing_to(
            port_base,
            folder,
            flags,
            [log.try_clone()?.into(), log.into()],
        )
    }

    fn spawn_writing_to(
        port_base: u16,
        folder: &TempDir,
        flags: &[&str],
        [stdout, stderr]: [Stdio; 2],
    ) -> Result<Child> {
        Command::new(Subject::memtwin()?.program())
            .args(["pair", "--port-base", &port_base.to_string()])
            .args(flags)
            .env("TMPDIR", folder.path())
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr)
            .spawn()
            .context("cannot start memtwin pair")
    }

    /// Kills it with SIGKILL, and starts it anew once its nodes have ended.
    fn kill_and_start_again(&mut self) -> Result<()> {
        process::signal(self.process.id(), Signal::KILL)?;
        wait_for_end(&mut self.process)?;
        // A node that stops closes its client port first and the port of the link last.
        eventually("its nodes have ended", || Ok(are_free(self.port_base)))?;
        ensure!(
            self.left_behind()? == 1,
            "it left no folder: the test is blind"
        );
        self.process = Self::spawn(self.port_base, &self.folder, &[])?;
        Ok(())
    }

    fn client(&self, node: u16) -> Result<Client> {
        Client::connect(&Address::Tcp(loopback(self.port_base + node)))
    }

    fn wait_until_it_serves(&self) -> Result<()> {
        eventually("both nodes serve", || {
            Ok(self.client(0).is_ok() && self.client(1).is_ok())
        })
    }

    fn log(&self) -> String {
        fs::read_to_string(log_of(&self.folder)).unwrap_or_default()
    }

    /// What it left in its temporary folder beside our log.
    fn left_behind(&self) -> Result<usize> {
        Ok(fs::read_dir(self.folder.path())?.count() - 1)
    }
}

impl Drop for PairCommand {
    fn drop(&mut self) {
        let _ = process::signal(self.process.id(), Signal::INT);
        let _ = wait_for_end(&mut self.process);
    }
}

fn log_of(folder: &TempDir) -> PathBuf {
    folder.path().join("pair.log")
}

fn wait_for_end(process: &mut Child) -> Result<ExitStatus> {
    process::wait_for_end(process, PATIENCE)
}

/// A base whose four ports are free, below those the kernel gives to clients.
fn free_port_base() -> Result<u16> {
    let mut rng = fastrand::Rng::new();
    (0..50)
        .map(|_| rng.u16(20_000..30_000))
        .find(|base| are_free(*base))
        .context("no four free ports")
}

/// Whether nobody listens on the ports of a pair.
fn are_free(port_base: u16) -> bool {
    [0, 1, 100, 101]
        .iter()
        .all(|offset| std::net::TcpListener::bind(loopback(port_base + offset)).is_ok())
}

#[test]
fn it_shows_a_write_on_the_other_node_and_leaves_nothing_behind() -> Result<()> {
    let mut pair = PairCommand::start()?;
    pair.wait_until_it_serves()?;
    ensure!(pair.client(0)?.set("abc", b"12345")? == "STORED");
    let mut failover = pair.client(1)?;
    eventually("the failover has it", || {
        Ok(failover.get("abc")?.as_deref() == Some(&b"12345"[..]))
    })?;
    eventually("it has told what to type", || {
        Ok(pair.log().contains("Ctrl-C stops both"))
    })?;
    let log = pair.log();
    for node in [pair.port_base, pair.port_base + 1] {
        ensure!(
            log.contains(&format!("127.0.0.1:{node}")),
            "no address {node} in:\n{log}"
        );
    }
    process::signal(pair.process.id(), Signal::INT)?;
    let status = wait_for_end(&mut pair.process)?;
    ensure!(
        status.code() == Some(0) || status.code() == Some(130),
        "{status}:\n{}",
        pair.log()
    );
    ensure!(
        pair.client(0).is_err() && pair.client(1).is_err(),
        "a node outlived the pair"
    );
    ensure!(pair.left_behind()? == 0, "files were left behind");
    Ok(())
}

#[test]
fn a_killed_primary_leaves_the_failover_serving() -> Result<()> {
    let pair = PairCommand::start()?;
    pair.wait_until_it_serves()?;
    let mut primary = pair.client(0)?;
    primary.set("abc", b"12345")?;
    let mut failover = pair.client(1)?;
    eventually("the failover has it", || Ok(failover.get("abc")?.is_some()))?;
    let pid = primary
        .stats("stats")?
        .remove("pid")
        .context("no pid")?
        .parse()?;
    process::signal(pid, Signal::KILL)?;
    eventually("the primary is gone", || Ok(pair.client(0).is_err()))?;
    ensure!(failover.get("abc")?.as_deref() == Some(&b"12345"[..]));
    ensure!(pair.client(1)?.get("abc")?.as_deref() == Some(&b"12345"[..]));
    Ok(())
}

#[test]
fn it_says_who_holds_a_port_it_needs() -> Result<()> {
    let pair = PairCommand::start()?;
    pair.wait_until_it_serves()?;
    let pid = pair
        .client(0)?
        .stats("stats")?
        .remove("pid")
        .context("no pid")?;
    let folder = TempDir::new()?;
    let mut second = PairCommand::spawn(pair.port_base, &folder, &[])?;
    let status = wait_for_end(&mut second)?;
    let said = fs::read_to_string(log_of(&folder))?;
    ensure!(!status.success(), "it started twice:\n{said}");
    ensure!(
        said.contains(&pid) && said.contains("memtwin"),
        "the holder {pid} is not named:\n{said}"
    );
    Ok(())
}

/// Ctrl-S in its terminal, or a pipe that nobody reads, and Ctrl-C did nothing any more: it waited
/// for the line that it was writing.
#[test]
fn it_stops_although_nobody_reads_what_it_says() -> Result<()> {
    let (_unread_out, stdout) = Unread::new()?;
    let (_unread, stderr) = Unread::new()?;
    let (port_base, folder) = (free_port_base()?, TempDir::new()?);
    let output = [stdout, stderr];
    fs::write(log_of(&folder), "")?;
    let mut pair = PairCommand {
        process: PairCommand::spawn_writing_to(port_base, &folder, &[], output)?,
        folder,
        port_base,
    };
    pair.wait_until_it_serves()?;
    // Until it has told, or tried to tell, what to type.
    std::thread::sleep(Duration::from_secs(1));
    process::signal(pair.process.id(), Signal::INT)?;
    let status = wait_for_end(&mut pair.process)?;
    ensure!(status.success(), "{status}");
    ensure!(
        pair.client(0).is_err() && pair.client(1).is_err(),
        "a node outlived the pair"
    );
    ensure!(pair.left_behind()? == 0, "files were left behind");
    Ok(())
}

/// Tomcat's sessions may need `-I 20m`, and it could not be tried with `memtwin pair`.
#[test]
fn it_takes_the_memory_and_the_item_size_of_a_node() -> Result<()> {
    let pair = PairCommand::start_with(&["-m", "100", "-I", "20m"])?;
    pair.wait_until_it_serves()?;
    for node in [0, 1] {
        let stats = pair.client(node)?.stats("stats settings")?;
        for (name, value) in [("maxbytes", 100 << 20), ("item_size_max", 20 << 20)] {
            ensure!(stats[name] == value.to_string(), "node {node}: {stats:?}");
        }
    }
    for flags in [["-I", "33m"], ["-m", "0"]] {
        let folder = TempDir::new()?;
        let mut refused = PairCommand::spawn(free_port_base()?, &folder, &flags)?;
        let status = wait_for_end(&mut refused)?;
        let said = fs::read_to_string(log_of(&folder))?;
        let node = Command::new(Subject::memtwin()?.program())
            .args(flags)
            .output()?;
        ensure!(status.code() == node.status.code(), "{flags:?}: {status}");
        ensure!(said == String::from_utf8_lossy(&node.stderr), "{said}");
    }
    Ok(())
}

/// Its folder, with the key of the pair, was left for ever when it was killed with -9.
#[test]
fn what_a_killed_pair_left_is_removed_by_the_next() -> Result<()> {
    let mut pair = PairCommand::start()?;
    pair.wait_until_it_serves()?;
    pair.kill_and_start_again()?;
    pair.wait_until_it_serves()?;
    ensure!(pair.left_behind()? == 1, "the old folder is still there");
    // Another pair of the same user leaves this one its folder.
    let folders = || -> Result<Vec<_>> {
        let entries = fs::read_dir(pair.folder.path())?;
        let mut paths: Vec<_> = entries
            .map(|entry| Ok(entry?.path()))
            .collect::<Result<_>>()?;
        paths.sort();
        Ok(paths)
    };
    let before = folders()?;
    let other = PairCommand {
        process: PairCommand::spawn(free_port_base()?, &pair.folder, &[])?,
        folder: TempDir::new()?,
        port_base: 0,
    };
    eventually("the other has its folder", || Ok(folders()?.len() == 3))?;
    drop(other);
    ensure!(folders()? == before, "it did not remove its folder alone");
    process::signal(pair.process.id(), Signal::INT)?;
    wait_for_end(&mut pair.process)?;
    ensure!(pair.left_behind()? == 0, "files were left behind");
    Ok(())
}

#[test]
fn every_verb_explains_itself() -> Result<()> {
    for (command, words) in [
        ("pair -h", "--port-base"),
        ("pair --help", "--max-item-size"),
        ("keygen --help", "never overwritten"),
        ("keygen -h", "never overwritten"),
        ("check-config --help", "The file to read"),
        ("help", "slab_reassign"),
        ("help -h", "slab_reassign"),
        ("help --help", "slab_reassign"),
        ("help pair", "--port-base"),
    ] {
        let said = Command::new(Subject::memtwin()?.program())
            .args(command.split(' '))
            .output()?;
        let text = String::from_utf8_lossy(&said.stdout);
        ensure!(said.status.success(), "{command}: {}", said.status);
        ensure!(text.contains(words), "{command}: {text}");
    }
    Ok(())
}
