//! How a node is started and stopped: as a daemon, by init systems and in containers, by signals.

use std::fs;
use std::net::{Ipv6Addr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use protocol_tests::client::Client;
use protocol_tests::pair::eventually;
use protocol_tests::process;
use protocol_tests::server::{Address, Server, free_port, loopback};
use protocol_tests::subject::Subject;
use rustix::process::Signal;

const PATIENCE: Duration = Duration::from_secs(20);

fn subjects() -> Result<[Subject; 2]> {
    Ok([Subject::memcached()?, Subject::memtwin()?])
}

/// A daemon that the test ends, whatever happens.
struct Daemon(u32);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = process::signal(self.0, Signal::KILL);
    }
}

impl Daemon {
    /// A process that init has not buried yet does not run any more.
    fn runs(&self) -> bool {
        fs::read_to_string(format!("/proc/{}/stat", self.0))
            .is_ok_and(|stat| !stat.contains(") Z "))
    }
}

/// Starts a daemon with these flags; its process id, out of its file.
fn detach(subject: &Subject, port: u16, flags: &[&str], file: &Path) -> Result<Daemon> {
    let mut command = Command::new(subject.program());
    if process::is_root() {
        command.args(["-u", "root"]);
    }
    let status = command
        .args(["-d", "-l", "127.0.0.1", "-p", &port.to_string(), "-P"])
        .arg(file)
        .args(flags)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    ensure!(status.code() == Some(0), "{}: {status}", subject.kind());
    let mut pid = None;
    eventually("the pid file is there", || {
        pid = fs::read_to_string(file)
            .ok()
            .and_then(|text| text.trim().parse().ok());
        Ok(pid.is_some())
    })?;
    pid.map(Daemon).context("no process id")
}

#[test]
fn a_daemon_writes_its_process_id_and_serves_until_it_is_told_to_stop() -> Result<()> {
    for subject in subjects()? {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("pid");
        let port = free_port()?;
        let daemon = detach(&subject, port, &[], &file)?;
        let address = Address::Tcp(loopback(port));
        eventually("the daemon answers", || {
            Ok(Client::connect(&address).is_ok_and(|mut client| client.ask("version").is_ok()))
        })?;
        let mut client = Client::connect(&address)?;
        let stats = client.stats("stats")?;
        ensure!(stats.get("pid") == Some(&daemon.0.to_string()), "{stats:?}");
        // It is in nobody's way: no terminal, no folder that could not be unmounted.
        let proc = format!("/proc/{}", daemon.0);
        ensure!(fs::read_link(format!("{proc}/cwd"))? == Path::new("/"));
        ensure!(fs::read_link(format!("{proc}/fd/2"))? == Path::new("/dev/null"));
        process::signal(daemon.0, Signal::HUP)?;
        client.expect("get a", "END")?;
        process::signal(daemon.0, Signal::TERM)?;
        eventually("the daemon ends", || Ok(!daemon.runs()))?;
        ensure!(!file.exists(), "{}: the pid file is left", subject.kind());
    }
    Ok(())
}

/// The parent has an exit code for what is wrong only as long as it waits for it.
#[test]
fn a_daemon_that_cannot_listen_says_so_before_it_detaches() -> Result<()> {
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let port = taken.local_addr()?.port();
    let folder = tempfile::tempdir()?;
    let error = detach(&Subject::memtwin()?, port, &[], &folder.path().join("pid"));
    let error = error
        .map(|daemon| daemon.0)
        .expect_err("it started")
        .to_string();
    ensure!(error.contains("71"), "{error}");
    Ok(())
}

#[test]
fn a_pid_file_of_another_process_is_taken_over_with_a_warning() -> Result<()> {
    for subject in subjects()? {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("pid");
        let own = std::process::id();
        fs::write(&file, format!("{own}\n"))?;
        let text = file.to_string_lossy().into_owned();
        let server = Server::start(&subject, &["-P", &text])?;
        eventually("the pid file is its own", || {
            Ok(fs::read_to_string(&file)?.trim() == server.pid().to_string())
        })?;
        server.wait_until_logged(&own.to_string())?;
    }
    // One that cannot be written is no reason not to serve.
    for subject in subjects()? {
        let server = Server::start(&subject, &["-P", "/nonexistent/pid"])?;
        server.wait_until_logged("/nonexistent/pid")?;
    }
    Ok(())
}

#[test]
fn signals_stop_a_node_and_sighup_does_not() -> Result<()> {
    for subject in subjects()? {
        for signal in [Signal::INT, Signal::TERM, Signal::USR1] {
            let mut server = Server::start(&subject, &[])?;
            server.signal(Signal::HUP)?;
            server.is_well()?;
            server.signal(signal)?;
            let status = server.wait_for_end(Duration::from_secs(10))?;
            ensure!(
                status.code() == Some(0),
                "{} {signal:?}: {status}",
                subject.kind()
            );
        }
    }
    Ok(())
}

#[test]
fn ports_are_written_where_tests_look_for_them() -> Result<()> {
    for subject in subjects()? {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("ports");
        let mut command = Command::new(subject.program());
        if process::is_root() {
            command.args(["-u", "root"]);
        }
        let mut child = command
            .args(["-l", "127.0.0.1", "-p", "-1", "-U", "0"])
            .env("MEMCACHED_PORT_FILENAME", &file)
            .stderr(Stdio::null())
            .spawn()?;
        let daemon = Daemon(child.id());
        eventually("the file is there", || Ok(file.exists()))?;
        let text = fs::read_to_string(&file)?;
        let port = text
            .trim()
            .strip_prefix("TCP INET: ")
            .context("no such line")?;
        let address = Address::Tcp(loopback(port.parse()?));
        let stats = Client::connect(&address)?.stats("stats settings")?;
        ensure!(
            stats.get("tcpport").map(String::as_str) == Some("-1"),
            "{stats:?}"
        );
        drop(daemon);
        child.wait()?;
    }
    Ok(())
}

#[test]
fn a_unix_socket_takes_the_place_of_all_addresses() -> Result<()> {
    for subject in subjects()? {
        let port = free_port()?;
        let text = format!("127.0.0.1:{port}");
        let server = Server::start_on_unix_socket(&subject, &["-l", &text, "-a", "0777"])?;
        let Address::Unix(path) = server.address() else {
            anyhow::bail!("no path");
        };
        let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path)?.permissions());
        ensure!(mode & 0o777 == 0o777, "{}: {mode:o}", subject.kind());
        ensure!(Client::connect(&Address::Tcp(loopback(port))).is_err());
    }
    Ok(())
}

/// A node that ended removed the socket of the one that had taken its name over: a restart that
/// began before the old process was gone left a node that nobody could reach. A daemon looked for
/// its own in `/`.
#[test]
fn a_unix_socket_goes_with_the_process_that_has_it() -> Result<()> {
    let memtwin = Subject::memtwin()?;
    let mut first = Server::start_on_unix_socket(&memtwin, &[])?;
    let Address::Unix(path) = first.address().clone() else {
        anyhow::bail!("no path");
    };
    let text = path.to_string_lossy().into_owned();
    let second = Server::spawn(&memtwin, &["-s", &text], Address::Unix(path.clone()))?;
    eventually("the second one has the socket", || {
        let stats = Client::connect(second.address()).and_then(|mut one| one.stats("stats"));
        Ok(stats.is_ok_and(|stats| stats.get("pid") == Some(&second.pid().to_string())))
    })?;
    first.signal(Signal::TERM)?;
    first.wait_for_end(PATIENCE)?;
    second.is_well()?;
    drop(second);

    let folder = tempfile::tempdir()?;
    let mut command = Command::new(memtwin.program());
    if process::is_root() {
        command.args(["-u", "root"]);
    }
    let line = ["-d", "-s", "socket", "-P"];
    let pid_file = folder.path().join("pid");
    let status = command
        .args(line)
        .arg(&pid_file)
        .current_dir(folder.path())
        .stderr(Stdio::null())
        .status()?;
    ensure!(status.success(), "{status}");
    let socket = folder.path().join("socket");
    eventually("the daemon answers", || {
        let address = Address::Unix(socket.clone());
        Ok(Client::connect(&address).is_ok_and(|mut client| client.ask("version").is_ok()))
    })?;
    let daemon = Daemon(fs::read_to_string(&pid_file)?.trim().parse()?);
    process::signal(daemon.0, Signal::TERM)?;
    eventually("the daemon ends", || Ok(!daemon.runs()))?;
    ensure!(!socket.exists(), "the socket is left");
    Ok(())
}

/// Starts memtwin with a line as a supervisor has it, but on this port, and talks to it.
fn serves_with(line: &str, port: u16) -> Result<()> {
    let flags: Vec<&str> = line.split_whitespace().collect();
    let address = Address::Tcp(loopback(port));
    let server = Server::spawn(&Subject::memtwin()?, &flags, address)?;
    server
        .wait_until_it_answers(PATIENCE)
        .with_context(|| line.to_owned())?;
    server.is_well().with_context(|| line.to_owned())
}

fn user() -> &'static str {
    if process::is_root() { "nobody" } else { "" }
}

/// `-p ${PORT} -u ${USER} -m ${CACHESIZE} -c ${MAXCONN} $OPTIONS`, as memcached's systemd unit.
#[test]
fn memcacheds_systemd_unit_starts_unchanged() -> Result<()> {
    let user = user();
    let hosts = if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() {
        "127.0.0.1,::1"
    } else {
        "127.0.0.1"
    };
    for options in ["", "-v", "-t 2 -o modern", "-I 2m -M"] {
        let port = free_port()?;
        let user = if user.is_empty() {
            String::new()
        } else {
            format!("-u {user}")
        };
        serves_with(
            &format!("-p {port} {user} -m 64 -c 1024 -l {hosts} {options}"),
            port,
        )?;
    }
    Ok(())
}

/// The options of Debian's /etc/memcached.conf, one a line, all comments removed but those that
/// turn options off.
const DEBIAN_CONF: &str = "\
-d
logfile /var/log/memcached.log
# -v
-m 64
-p PORT
-u USER
-l 127.0.0.1
#-c 1024
-P PIDFILE
";

#[test]
fn debians_configuration_starts_unchanged() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let pid_file = folder.path().join("memcached.pid");
    let everything = format!("{DEBIAN_CONF}-c 1024\n-k\n-M\n-r\n-vv\n");
    for conf in [DEBIAN_CONF, &everything] {
        let port = free_port()?;
        let user = if user().is_empty() { "root" } else { user() };
        let conf = conf
            .replace("PORT", &port.to_string())
            .replace("USER", user)
            .replace("PIDFILE", &pid_file.to_string_lossy());
        // As Debian's start script reads it: what is no option is left out, and so is -d.
        let lines = conf
            .lines()
            .map(|line| line.split('#').next().unwrap_or_default().trim());
        let lines = lines.filter(|line| line.starts_with('-') && !line.starts_with("-d"));
        serves_with(&lines.collect::<Vec<_>>().join(" "), port)?;
    }
    Ok(())
}

#[test]
fn containers_start_unchanged() -> Result<()> {
    for line in [
        "-m 64 -c 1024 -t 4 -I 2m -v -o modern",
        "-m 64 -o modern -v",
        "--memory-limit=128 --conn-limit=4096 --threads=2 --max-item-size=8m --extended=modern",
        "-vv -m 100 -I 5m -R 200 -b 2048 -o no_modern,idle_timeout=600",
        "-m 64 -n 72 -f 1.08 -D : -F -C -X -W -A",
        "-m 64 -o hashpower=16,no_hashexpand,slab_reassign,slab_automove=2,lru_crawler \
         -o lru_maintainer,hash_algorithm=murmur3,hot_lru_pct=30,warm_lru_pct=30,maxconns_fast",
    ] {
        let port = free_port()?;
        serves_with(&format!("-l 127.0.0.1 -p{port} -U 0 {}", line), port)?;
    }
    Ok(())
}

/// Where the system has no large pages, `-L` ends the start: the test machine decides what is seen.
#[test]
fn large_pages_are_taken_where_there_are_any() -> Result<()> {
    let told = fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled");
    let has_any = told.is_ok_and(|told| !told.contains("[never]"));
    let port = free_port()?;
    let served = serves_with(&format!("-l 127.0.0.1 -p{port} -U 0 -m 64 -L"), port);
    if has_any {
        return served;
    }
    let error = served.err().context("it started without large pages")?;
    ensure!(format!("{error:#}").contains("leave -L out"), "{error:#}");
    Ok(())
}
