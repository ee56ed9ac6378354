//! Passwords in the text protocol (`-Y`), beside what `auth_text.txt` plays.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use protocol_tests::client::Client;
use protocol_tests::packets::Reply;
use protocol_tests::packets::{opcode::NOOP, packet};
use protocol_tests::pair::eventually;
use protocol_tests::passwords::{SaslServer, plain, refused};
use protocol_tests::server::Server;
use protocol_tests::subject::{Kind, Subject};
use rustix::process::Signal;
use tempfile::TempDir;

/// A server with `-Y`, and the folder of its file.
struct Guarded {
    server: Server,
    folder: TempDir,
}

impl Guarded {
    fn start(subject: &Subject, content: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let path = write(folder.path(), content)?;
        let server = Server::start(subject, &["-Y", &path.to_string_lossy()])?;
        Ok(Self { server, folder })
    }

    /// What a new connection hears when it says this.
    fn says(&self, token: &str) -> Result<String> {
        says(&mut self.server.connect()?, token)
    }
}

fn write(folder: &Path, content: &str) -> Result<PathBuf> {
    let path = folder.join("users");
    fs::write(&path, content)?;
    Ok(path)
}

fn says(client: &mut Client, token: &str) -> Result<String> {
    client.ask(&format!("set k 0 0 {}\r\n{token}", token.len()))
}

fn both() -> Result<Vec<Subject>> {
    Ok(vec![Subject::memcached()?, Subject::memtwin()?])
}

/// memcached 1.6.18 differs: it answers short lines, and crashes on a long token.
fn not_old() -> Result<Vec<Subject>> {
    let mut subjects = both()?;
    subjects.retain(|subject| subject.kind() != Kind::MemcachedOld);
    Ok(subjects)
}

#[test]
fn what_cannot_be_a_token_closes() -> Result<()> {
    for subject in not_old()? {
        let guarded = Guarded::start(&subject, "foo:bar\n")?;
        let binary = packet(NOOP).bytes();
        let long = "x".repeat(2049);
        for sent in [
            b"quit\r\n".as_slice(),
            b"\r\n\r\n\r\n",
            b"abcd\r\n",
            long.as_bytes(),
            &[binary.as_slice(), b"\n"].concat(),
        ] {
            let mut client = guarded.server.connect()?;
            client.send(sent)?;
            let end = client.read_to_end();
            let heard =
                end.with_context(|| format!("{}", sent[..10.min(sent.len())].escape_ascii()))?;
            let allowed: [&[u8]; 2] = [b"", b"CLIENT_ERROR unauthenticated\r\n"];
            ensure!(
                allowed.contains(&heard.as_slice()),
                "{}",
                heard.escape_ascii()
            );
        }
        ensure!(guarded.server.answers(), "{}", guarded.server.log());
    }
    Ok(())
}

/// 2026: many empty lines before the password took memcached down.
#[test]
fn many_empty_lines_hurt_nobody() -> Result<()> {
    for subject in not_old()? {
        let guarded = Guarded::start(&subject, "foo:bar\n")?;
        for _ in 0..20 {
            let mut client = guarded.server.connect()?;
            // It may be closed before all of it is sent.
            let _ = client.send("\r\n".repeat(5000).as_bytes());
        }
        ensure!(
            guarded.says("foo bar")? == "STORED",
            "{}",
            guarded.server.log()
        );
    }
    Ok(())
}

/// 2026: a length that overflowed; 1.6.18 still crashes.
#[test]
fn a_token_too_long_is_refused_unread() -> Result<()> {
    for subject in not_old()? {
        let guarded = Guarded::start(&subject, "foo:bar\n")?;
        for length in ["16385", "2147483646", "2147483647", "4294967295"] {
            let mut client = guarded.server.connect()?;
            let answer = client.ask(&format!("set foo 0 0 {length}"))?;
            ensure!(answer == "CLIENT_ERROR auth token too long", "{answer}");
            ensure!(says(&mut client, "foo bar")? == "STORED");
        }
        for length in ["4294967296", "99999999999999999999", "-1", "7x", ""] {
            let mut client = guarded.server.connect()?;
            let answer = client.ask(&format!("set foo 0 0 {length}"))?;
            ensure!(answer == "CLIENT_ERROR unauthenticated", "{answer}");
            ensure!(says(&mut client, "foo bar")? == "STORED");
        }
    }
    Ok(())
}

/// 1.6.18 takes what only begins with a password, and none with a space in it.
#[test]
fn only_the_password_itself_will_do() -> Result<()> {
    for subject in not_old()? {
        let guarded = Guarded::start(&subject, "foo:bar\nempty:\nspaced:a b:c\n")?;
        for token in [
            "foo bar ",
            "foo barx",
            "foo ba",
            "foo b",
            "foo ",
            "foo  bar",
            "fo bar",
            "foox bar",
            "Foo bar",
            " foo bar",
            " bar",
            "foo:bar bar",
            "bar foo",
            "empty x",
            "empty  ",
        ] {
            let answer = guarded.says(token)?;
            ensure!(
                answer == "CLIENT_ERROR authentication failure",
                "{token:?}: {answer}"
            );
        }
        ensure!(guarded.says("foobar")? == "CLIENT_ERROR bad authentication token format");
        ensure!(guarded.says("empty ")? == "STORED");
        ensure!(guarded.says("spaced a b:c")? == "STORED");
        ensure!(guarded.says("foo bar")? == "STORED");
    }
    Ok(())
}

/// memcached swallows all answers of a piece but the last.
#[test]
fn every_attempt_is_answered() -> Result<()> {
    let guarded = Guarded::start(&Subject::memtwin()?, "foo:bar\n")?;
    let mut client = guarded.server.connect()?;
    client.send(b"get a\r\nset k 0 0 7\r\nfoo bab\r\nset k 0 0 7\nfoo bar\r\nget k\r\n")?;
    for expected in [
        "CLIENT_ERROR unauthenticated",
        "CLIENT_ERROR authentication failure",
        "STORED",
        "END",
    ] {
        let line = client.read_text_line()?;
        ensure!(line == expected, "{line} instead of {expected}");
    }
    Ok(())
}

#[test]
fn a_bad_file_is_refused_at_the_start() -> Result<()> {
    let folder = tempfile::tempdir()?;
    for subject in both()? {
        for (content, says) in [
            ("foo:bar\nnonsense\n", "has a malformed entry"),
            ("foo:bar\n\nbaz:quux\n", "has a malformed entry"),
        ] {
            let path = write(folder.path(), content)?;
            let (code, log) = refused(&subject, &["-Y", &path.to_string_lossy()])?;
            ensure!(code == Some(1) && log.contains(says), "{code:?}: {log}");
            let names_line = log.contains("line 2");
            ensure!(names_line == (subject.kind() == Kind::Memtwin), "{log}");
        }
        let (code, log) = refused(&subject, &["-Y", "/no/such/file"])?;
        ensure!(code == Some(1), "{code:?}");
        ensure!(
            log.contains("Could not open authfile [/no/such/file]"),
            "{log}"
        );
        let path = write(folder.path(), "foo:bar\n")?;
        for protocol in ["binary", "auto"] {
            let flags = ["-Y", &path.to_string_lossy(), "-B", protocol];
            let (code, log) = refused(&subject, &flags)?;
            let words = "You cannot allow the BINARY protocol while using ascii authentication";
            ensure!(code == Some(64) && log.contains(words), "{code:?}: {log}");
        }
    }
    Ok(())
}

/// CVE-2021-37519: an auth file whose last line has no end; 1.6.18 loses the last letter.
#[test]
fn a_file_needs_no_last_line_end() -> Result<()> {
    for subject in not_old()? {
        let guarded = Guarded::start(&subject, "foo:bar")?;
        ensure!(guarded.says("foo ba")? == "CLIENT_ERROR authentication failure");
        ensure!(guarded.says("foo bar")? == "STORED");
    }
    Ok(())
}

#[test]
fn a_file_that_others_can_read_is_warned_of() -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir()?;
    let path = write(folder.path(), "foo:bar")?;
    let flags = ["-Y", &path.to_string_lossy()];
    for (mode, warned) in [(0o600, false), (0o640, false), (0o644, true)] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
        let server = Server::start(&Subject::memtwin()?, &flags)?;
        let warning = "every user of this host";
        if warned {
            server.wait_until_logged(warning)?;
        }
        ensure!(server.log().contains(warning) == warned, "{mode:o}");
    }
    Ok(())
}

#[test]
fn sighup_reads_the_file_anew() -> Result<()> {
    for subject in both()? {
        let guarded = Guarded::start(&subject, "foo:bar\n")?;
        let mut inside = guarded.server.connect()?;
        ensure!(says(&mut inside, "foo bar")? == "STORED");
        write(guarded.folder.path(), "foo:new\nmore:users\n")?;
        ensure!(guarded.says("foo bar")? == "STORED", "before the signal");
        guarded.server.signal(Signal::HUP)?;
        eventually("the new file counts", || {
            Ok(guarded.says("foo new")? == "STORED")
        })?;
        ensure!(guarded.says("more users")? == "STORED");
        ensure!(guarded.says("foo bar")? == "CLIENT_ERROR authentication failure");

        write(guarded.folder.path(), "foo:newer\nnonsense\n")?;
        guarded.server.signal(Signal::HUP)?;
        if subject.kind() == Kind::Memtwin {
            eventually("the log tells", || {
                let log = guarded.server.log();
                Ok(log.contains("not reloaded") && log.contains("line 2"))
            })?;
        } else {
            std::thread::sleep(Duration::from_millis(1500));
        }
        ensure!(guarded.says("foo newer")? == "CLIENT_ERROR authentication failure");
        ensure!(
            guarded.says("foo new")? == "STORED",
            "the old file counts no more"
        );
        ensure!(inside.get("k")?.is_none(), "who was inside stays inside");
    }
    Ok(())
}

/// memcached reads the file for every attempt.
#[test]
fn sighup_reads_sasl_passwords_anew() -> Result<()> {
    let sasl = SaslServer::start(&Subject::memtwin()?)?;
    let admits = |user, password| -> Result<bool> {
        let mut client = sasl.server.connect()?;
        client.send(&plain(user, password).bytes())?;
        Ok(Reply::read(&mut client)?.status == 0)
    };
    ensure!(!admits("new", "user")?);
    sasl.write_users("new:user\n")?;
    sasl.server.signal(Signal::HUP)?;
    eventually("the new file counts", || admits("new", "user"))?;
    sasl.write_users("newer:user\n\0")?;
    sasl.server.signal(Signal::HUP)?;
    let log = || sasl.server.log();
    eventually("the log tells", || {
        Ok(log().contains(":2: this line has a zero byte"))
    })?;
    ensure!(admits("new", "user")? && !admits("newer", "user")?);
    Ok(())
}
