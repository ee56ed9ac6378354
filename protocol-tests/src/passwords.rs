//! Servers that ask for passwords, SASL ones above all: memtwin reads memcached's own password
//! file, Debian's memcached a database of its SASL library (packages sasl2-bin, libsasl2-modules).

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::client::Client;
use crate::packets::opcode::{SASL_AUTH, STAT};
use crate::packets::{Packet, Reply, packet};
use crate::server::{Address, Server, free_port, loopback};
use crate::subject::{Kind, Subject};

/// The one user every such server knows, with a realm, as SASL databases have them.
pub const USER: &str = "tester@memcached.realm";
/// Its password.
pub const PASSWORD: &str = "testpass";

/// A server started with `-S`.
#[derive(Debug)]
pub struct SaslServer {
    /// The process.
    pub server: Server,
    folder: TempDir,
}

impl SaslServer {
    /// Starts one that knows [`USER`].
    pub fn start(subject: &Subject) -> Result<Self> {
        Self::start_with(subject, &[])
    }

    /// The same with these flags.
    pub fn start_with(subject: &Subject, flags: &[&str]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let users = folder.path().join("users");
        fs::write(&users, format!("{USER}:{PASSWORD}\n"))?;
        if subject.kind() != Kind::Memtwin {
            make_database(folder.path())?;
        }
        let variables = [
            ("MEMCACHED_SASL_PWDB", users.as_path()),
            ("SASL_CONF_PATH", folder.path()),
        ];
        let flags = [&["-S"], flags].concat();
        let server = Server::start_with(subject, &flags, &variables)?;
        Ok(Self { server, folder })
    }

    /// Writes other lines into memtwin's password file.
    pub fn write_users(&self, lines: &str) -> Result<()> {
        Ok(fs::write(self.folder.path().join("users"), lines)?)
    }
}

/// memtwin, and memcached where it is built with SASL, as Debian's is.
pub fn sasl_subjects() -> Result<Vec<Subject>> {
    let memcached = Subject::memcached()?;
    let help = Command::new(memcached.program()).arg("-h").output()?;
    let has_sasl = String::from_utf8_lossy(&help.stdout).contains("--enable-sasl");
    let real = has_sasl.then_some(memcached);
    Ok(real.into_iter().chain([Subject::memtwin()?]).collect())
}

/// PLAIN's packet.
pub fn plain(user: &str, password: &str) -> Packet {
    let token = format!("\0{user}\0{password}");
    packet(SASL_AUTH).key("PLAIN").value(token.as_bytes())
}

/// The value of a statistic, asked for in the binary protocol; `of` is what follows `stats`.
pub fn statistic(client: &mut Client, of: &str, name: &str) -> Result<String> {
    client.send(&packet(STAT).key(of).bytes())?;
    let mut value = None;
    loop {
        let reply = Reply::read(client)?;
        ensure!(reply.status == 0, "{reply}");
        if reply.key.is_empty() {
            return value.with_context(|| format!("no {name}"));
        }
        if reply.key == name.as_bytes() {
            value = Some(String::from_utf8(reply.value)?);
        }
    }
}

/// Starts a program that must refuse its flags; returns its exit code and what it said.
pub fn refused(subject: &Subject, flags: &[&str]) -> Result<(Option<i32>, String)> {
    let port = free_port()?.to_string();
    let all = [&["-l", "127.0.0.1", "-p", &port], flags].concat();
    let address = Address::Tcp(loopback(port.parse()?));
    let mut server = Server::spawn(subject, &all, address)?;
    let status = server.wait_for_end(Duration::from_secs(20))?;
    Ok((status.code(), server.log()))
}

/// A configuration and a database for the SASL library.
fn make_database(folder: &Path) -> Result<()> {
    let database = folder.join("database");
    let lines = format!(
        "mech_list: plain\npwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: {}\n",
        database.display()
    );
    fs::write(folder.join("memcached.conf"), lines)?;
    let (user, realm) = USER.split_once('@').context("a user with a realm")?;
    let path = std::env::var("PATH").unwrap_or_default();
    let mut child = Command::new("saslpasswd2")
        .args(["-p", "-c", "-a", "memcached", "-u", realm, "-f"])
        .args([database.as_os_str(), user.as_ref()])
        // Debian keeps it where only root looks.
        .env("PATH", format!("{path}:/usr/sbin"))
        .stdin(Stdio::piped())
        .spawn()
        .context("cannot start saslpasswd2; apt-get install sasl2-bin libsasl2-modules")?;
    child
        .stdin
        .take()
        .context("its input")?
        .write_all(PASSWORD.as_bytes())?;
    let status = child.wait()?;
    ensure!(status.success(), "saslpasswd2: {status}");
    Ok(())
}
