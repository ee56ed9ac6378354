//! Command lines that memcached does not start with: memtwin ends with the same exit code.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Result, ensure};
use protocol_tests::process;
use protocol_tests::server::{Address, Server, free_port, loopback};
use protocol_tests::subject::{Kind, Subject};

const PATIENCE: Duration = Duration::from_secs(30);

/// Flags, and the exit code that memcached 1.6.18 and 1.6.45 have for them.
const REFUSED: [(&str, i32); 58] = [
    ("--nosuch", 1),
    ("-o nosuch", 1),
    ("-o modern,,track_sizes", 1),
    ("-t 0", 1),
    ("-c 0", 1),
    ("-c -1", 1),
    ("-R 0", 1),
    ("-n 0", 1),
    ("-f 1", 1),
    ("-f x", 1),
    ("-D", 1),
    ("-N 0", 1),
    ("-d -t 0", 1),
    ("-B http", 64),
    ("-I 33m", 64),
    ("-I 1023", 64),
    ("-I 2000m -m 10000", 64),
    ("-I x", 64),
    ("-m 0", 64),
    ("-p 65536", 64),
    ("-S -B ascii", 64),
    ("-S -B auto", 64),
    ("-Y /etc/hostname -B binary", 64),
    ("-t 2 -N 3", 64),
    ("-l fooble", 71),
    ("-l 127.0.0.1:x", 71),
    ("-l [::1", 71),
    ("-l 127.0.0.1:-5", 71),
    ("-l tag[]:127.0.0.1", 71),
    ("-l tag[123456789]:127.0.0.1", 71),
    ("-p -2", 71),
    // Found by hand: the node started, could not listen, and lived on without any open port.
    ("-l 0.0.0.0,127.0.0.1", 71),
    ("-l 127.0.0.1,localhost", 71),
    ("-s /nonexistent/socket", 71),
    ("-o hashpower", 1),
    ("-o hashpower=11", 1),
    ("-o hashpower=33", 1),
    ("-o slab_automove=3", 1),
    ("-o slab_automove_ratio=0", 1),
    ("-o slab_automove_window=2", 1),
    ("-o slab_automove_freeratio=x", 1),
    ("-o tail_repair_time=9", 1),
    ("-o hash_algorithm=md5", 1),
    ("-o lru_crawler_sleep=1000001", 1),
    ("-o lru_crawler_tocrawl=x", 1),
    ("-o hot_lru_pct=80", 1),
    ("-o warm_max_factor=0", 1),
    ("-o temporary_ttl", 1),
    ("-o idle_timeout", 1),
    ("-o watcher_logbuf_size=1k", 1),
    ("-o read_buf_mem_limit=x", 1),
    ("-o slab_sizes=10-100", 64),
    ("-o slab_sizes=100-100", 64),
    ("-o slab_sizes=100-104", 64),
    ("-o slab_sizes=x", 64),
    ("-o slab_chunk_max=300", 64),
    ("-o hot_lru_pct=50,warm_lru_pct=31", 64),
    ("-o no_lru_maintainer,temporary_ttl=5", 64),
];

#[test]
fn what_memcached_refuses_ends_with_its_exit_code() -> Result<()> {
    for subject in [Subject::memcached()?, Subject::memtwin()?] {
        for (flags, code) in REFUSED {
            let (ended, log) = end_of(&subject, flags)?;
            let kind = subject.kind();
            ensure!(ended == Some(code), "{kind} {flags}: {ended:?}, {log}");
            ensure!(!log.trim().is_empty(), "{kind} {flags}: without a word");
        }
    }
    Ok(())
}

/// The exit code of a start, and what it said.
fn end_of(subject: &Subject, flags: &str) -> Result<(Option<i32>, String)> {
    let port = free_port()?;
    let text = port.to_string();
    // The flags under test come last, and win.
    let mut all = vec!["-p", &text];
    all.extend(flags.split(' '));
    let mut server = Server::spawn(subject, &all, Address::Tcp(loopback(port)))?;
    let status = server.wait_for_end(PATIENCE)?;
    Ok((status.code(), server.log()))
}

#[test]
fn memtwin_says_why_it_refuses_what_memcached_would_take() -> Result<()> {
    let memtwin = Subject::memtwin()?;
    for (flags, code, words) in [
        ("-U 11211", 64, "amplifier"),
        ("-p 0", 64, "nobody could reach this node"),
        ("-o ext_path=/tmp/x:64m", 1, "no external storage"),
        ("-o proxy_config=/tmp/x", 1, "no proxy"),
        ("-l proto[http]:127.0.0.1", 71, "proto[ascii]"),
        // Found by hand: `-l "$ADDRESS"` with no such variable listened on every address.
        ("--listen=", 71, "-l names no address"),
        ("surplus", 64, "surplus"),
    ] {
        let (ended, log) = end_of(&memtwin, flags)?;
        ensure!(ended == Some(code), "{flags}: {ended:?}");
        ensure!(log.contains(words), "{flags}: {log}");
    }
    Ok(())
}

#[test]
fn root_says_which_user_to_become() -> Result<()> {
    if !process::is_root() {
        return Ok(());
    }
    for subject in [Subject::memcached()?, Subject::memtwin()?] {
        let port = free_port()?.to_string();
        for (user, code, words) in [
            (&[][..], 64, "must add '-u root' to start as root"),
            (
                &["-u", "no-such-user"],
                67,
                "can't find the user no-such-user",
            ),
        ] {
            let said = Command::new(subject.program())
                .args(["-l", "127.0.0.1", "-p", &port])
                .args(user)
                .stdin(Stdio::null())
                .output()?;
            let words_said = String::from_utf8_lossy(&said.stderr).into_owned();
            let kind = subject.kind();
            ensure!(
                said.status.code() == Some(code),
                "{kind} {user:?}: {said:?}"
            );
            // 1.6.18 has other words for it.
            let is_told = words_said.contains(words) || kind == Kind::MemcachedOld;
            ensure!(is_told, "{kind} {user:?}: {words_said}");
        }
    }
    Ok(())
}

#[test]
fn help_version_and_licence_are_told_and_nothing_is_started() -> Result<()> {
    for subject in [Subject::memcached()?, Subject::memtwin()?] {
        for flag in ["-h", "--help", "-V", "--version", "-i", "--license"] {
            let said = Command::new(subject.program()).arg(flag).output()?;
            let kind = subject.kind();
            ensure!(said.status.code() == Some(0), "{kind} {flag}: {said:?}");
            ensure!(said.stdout.starts_with(b"memcached 1.6."), "{kind} {flag}");
        }
    }
    // What memcached's own tests and others look for in the help.
    let help = Command::new(Subject::memtwin()?.program())
        .arg("-h")
        .output()?;
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    for word in ["unix-socket", "sasl", "enable-ssl", "track_sizes"] {
        ensure!(help.contains(word), "no {word} in the help:\n{help}");
    }
    for word in ["ext_path", "proxy_config"] {
        ensure!(!help.contains(word), "{word} in the help");
    }
    Ok(())
}
