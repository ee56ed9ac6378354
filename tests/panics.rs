//! A panic message goes through the log's queue.
//!
//! std prints it itself, waits for stderr to take it, and keeps a lock meanwhile: a panic in one
//! thread, with a stderr that nobody reads, would hold up every thread that panics or prints after
//! it. The test starts itself once more, for the process to have a stderr of the test's own.

#![allow(
    clippy::unwrap_used,
    reason = "a test says what it could not do by failing"
)]

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use std::{env, thread};

use memtwin::logs;

/// Set in the process whose thread panics.
const PANICS: &str = "MEMTWIN_TEST_PANICS";
const EXIT: u8 = 7;
const PATIENCE: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    if env::var_os(PANICS).is_some() {
        return panics();
    }
    holds_nobody_up_where_stderr_is_not_read();
    is_told_where_it_is_read();
    ExitCode::SUCCESS
}

fn panics() -> ExitCode {
    logs::log_panics();
    let _flushed = logs::FlushAtExit;
    let thread = thread::Builder::new().name("unlucky".to_owned());
    let thread = thread.spawn(|| panic!("as the test wants it")).unwrap();
    assert!(thread.join().is_err());
    ExitCode::from(EXIT)
}

fn start(stderr: UnixStream) -> Child {
    Command::new(env::current_exe().unwrap())
        .env(PANICS, "1")
        .stderr(Stdio::from(OwnedFd::from(stderr)))
        .spawn()
        .unwrap()
}

fn ends(mut child: Child) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            assert_eq!(status.code(), Some(i32::from(EXIT)));
            return;
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("it waits for a stderr that nobody reads");
        }
        thread::sleep(Duration::from_millis(10));
    }
}

fn is_told_where_it_is_read() {
    let (mut reader, writer) = UnixStream::pair().unwrap();
    ends(start(writer));
    let mut told = String::new();
    reader.read_to_string(&mut told).unwrap();
    assert!(told.starts_with("thread 'unlucky' panicked at "), "{told}");
    assert!(told.contains("as the test wants it"), "{told}");
}

fn holds_nobody_up_where_stderr_is_not_read() {
    let (_reader, mut writer) = UnixStream::pair().unwrap();
    writer.set_nonblocking(true).unwrap();
    while writer.write(&[b'.'; 4096]).is_ok() {}
    while writer.write(b".").is_ok() {}
    writer.set_nonblocking(false).unwrap();
    ends(start(writer));
}
