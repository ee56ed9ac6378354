//! Real client libraries of many languages get from memtwin what they get from memcached.
//!
//! Each program of `protocol-tests/clients` runs against both and must write the same. What a
//! program needs is downloaded the first time; `scripts/test` installs what must come from Debian.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use protocol_tests::clients::{self, Program, Scenario};
use protocol_tests::process;
use protocol_tests::server::{Address, Server, free_port, loopback};
use protocol_tests::subject::Subject;

/// How many checks libmemcached's memccapable makes.
const CAPABILITIES: usize = 54;
const START_PATIENCE: Duration = Duration::from_secs(20);

/// Plays these scenarios one after the other.
fn play(program: Result<Program>, scenarios: &[Scenario]) -> Result<()> {
    let program = program?;
    scenarios
        .iter()
        .try_for_each(|scenario| scenario.compare(&program))
}

#[test]
fn python_pymemcache() -> Result<()> {
    play(
        clients::python("pymemcache", "with_pymemcache.py"),
        &[
            Scenario::alone("text", &[], 50),
            Scenario::tls(50),
            Scenario::nodes(4),
            Scenario::pair(8),
        ],
    )
}

#[test]
fn python_pylibmc() -> Result<()> {
    play(
        clients::python("pylibmc", "with_pylibmc.py"),
        &[
            Scenario::alone("text", &[], 55),
            Scenario::alone("binary", &[], 50),
            Scenario::nodes(6),
            Scenario::pair(14),
        ],
    )
}

/// "user": it offers a password, and where nobody asks for one, goes on without.
#[test]
fn python_binary_memcached() -> Result<()> {
    play(
        clients::python("python-binary-memcached", "with_bmemcached.py"),
        &[
            Scenario::alone("binary", &[], 55),
            Scenario::alone("user", &[], 55),
            Scenario::tls(55),
            Scenario::password(57),
            Scenario::nodes(5),
            Scenario::pair(7),
        ],
    )
}

#[test]
fn node_memjs() -> Result<()> {
    play(
        clients::node("memjs", "with_memjs.js"),
        &[
            Scenario::alone("binary", &[], 40),
            Scenario::alone("user", &[], 40),
            Scenario::password(40),
            Scenario::nodes(4),
            Scenario::pair(8),
        ],
    )
}

#[test]
fn node_memcached() -> Result<()> {
    play(
        clients::node("memcached for Node", "with_memcached.js"),
        &[
            Scenario::alone("text", &[], 48),
            Scenario::nodes(4),
            Scenario::pair(8),
        ],
    )
}

#[test]
fn php_memcached() -> Result<()> {
    play(
        clients::php("PHP's memcached", "client.php"),
        &[
            Scenario::alone("text", &[], 50),
            Scenario::alone("binary", &[], 50),
            Scenario::password(50),
            Scenario::nodes(6),
            Scenario::pair(8),
        ],
    )
}

#[test]
fn go_gomemcache() -> Result<()> {
    play(
        clients::go("gomemcache"),
        &[
            Scenario::alone("text", &[], 40),
            Scenario::tls(40),
            Scenario::nodes(4),
            Scenario::pair(8),
        ],
    )
}

#[test]
fn c_libmemcached() -> Result<()> {
    play(
        clients::c("libmemcached"),
        &[
            Scenario::alone("text", &[], 50),
            Scenario::alone("binary", &[], 50),
            Scenario::password(50),
            Scenario::nodes(6),
            Scenario::pair(8),
        ],
    )
}

#[test]
fn java_spymemcached() -> Result<()> {
    play(
        clients::java("spymemcached", "Spymemcached"),
        &[
            Scenario::alone("text", &[], 45),
            Scenario::alone("binary", &[], 45),
            Scenario::password(45),
            Scenario::nodes(4),
            Scenario::pair(8),
        ],
    )
}

#[test]
fn java_xmemcached() -> Result<()> {
    play(
        clients::java("xmemcached", "Xmemcached"),
        &[
            Scenario::alone("text", &[], 45),
            Scenario::alone("binary", &[], 45),
            Scenario::nodes(4),
            Scenario::pair(8),
        ],
    )
}

/// libmemcached's own judge of servers, for both protocols.
#[test]
fn memccapable_finds_nothing_missing() -> Result<()> {
    let server = Server::start(&Subject::memtwin()?, &[])?;
    let Address::Tcp(address) = server.address() else {
        anyhow::bail!("it listens on no port");
    };
    let judged = Command::new("memccapable")
        .args(["-h", "127.0.0.1", "-p", &address.port().to_string()])
        .stdin(Stdio::null())
        .output()
        .context("cannot start memccapable: apt-get install libmemcached-tools")?;
    let said = String::from_utf8_lossy(&judged.stdout);
    let passed = said.lines().filter(|line| line.ends_with("[pass]"));
    ensure!(
        judged.status.success() && passed.count() == CAPABILITIES,
        "{}:\n{said}{}",
        judged.status,
        String::from_utf8_lossy(&judged.stderr)
    );
    server.is_well()
}

/// python-binary-memcached's tests glue the port to its flag, libmemcached's name a port for UDP of
/// 0 and, as root, a user.
#[test]
fn it_starts_as_the_tests_of_libraries_start_it() -> Result<()> {
    for subject in [Subject::memcached()?, Subject::memtwin()?] {
        let port = free_port()?;
        let glued = format!("-p{port}");
        let mut flags = vec!["-l", "127.0.0.1", &glued, "-vvv", "-U", "0"];
        if process::is_root() {
            flags.extend(["-u", "nobody"]);
        }
        let server = Server::spawn(&subject, &flags, Address::Tcp(loopback(port)))?;
        server.wait_until_it_answers(START_PATIENCE)?;
    }
    Ok(())
}
