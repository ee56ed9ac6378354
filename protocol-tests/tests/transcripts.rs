//! Every file in `transcripts/` is played to memcached and to memtwin.
//!
//! `TRANSCRIPT=flush` plays only the files with `flush` in their name.

use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, Result, ensure};
use parking_lot::Mutex;
use protocol_tests::subject::{Kind, Subject};
use protocol_tests::tls::Trust;
use protocol_tests::transcript::{self, Action, Transcript};

/// Files played at a time: most of the time goes into waiting for expiry.
const SIDE_BY_SIDE: usize = 8;

#[test]
fn memcached_answers_as_written() -> Result<()> {
    play_everything(&Subject::memcached()?)
}

#[test]
fn memtwin_answers_as_written() -> Result<()> {
    play_everything(&Subject::memtwin()?)
}

#[test]
fn memcached_answers_the_same_over_tls() -> Result<()> {
    let memcached = Subject::memcached()?;
    if memcached.kind() == Kind::MemcachedOld {
        // 1.6.18 waits for more when it has decrypted, and not yet answered, the last of it.
        return Ok(());
    }
    play_over_tls(&memcached)
}

#[test]
fn memtwin_answers_the_same_over_tls() -> Result<()> {
    play_over_tls(&Subject::memtwin()?)
}

fn play_everything(subject: &Subject) -> Result<()> {
    play_all(&|transcript| transcript::play(subject, transcript))
}

/// All but those that wait: what they wait for has nothing to do with who listens.
fn play_over_tls(subject: &Subject) -> Result<()> {
    let trust = Trust::new()?;
    let waits = |transcript: &Transcript| {
        let mut steps = transcript.steps.iter();
        steps.any(|step| matches!(step.action, Action::Sleep(_)))
    };
    play_all(&|transcript| {
        if transcript.on_unix_socket || waits(transcript) {
            return Ok(());
        }
        transcript::play_on(transcript, subject, &|flags| trust.start(subject, flags))
    })
}

fn play_all(play: &(dyn Fn(&Transcript) -> Result<()> + Sync)) -> Result<()> {
    let waiting = Mutex::new(files()?);
    let failed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                while let Some(path) = { waiting.lock().pop() } {
                    let played = transcript::parse(&path).and_then(|read| play(&read));
                    if let Err(error) = played {
                        failed.lock().push(format!("{error:#}"));
                    }
                }
            });
        }
    });
    let mut failed = failed.into_inner();
    failed.sort();
    ensure!(
        failed.is_empty(),
        "{} files failed:\n\n{}",
        failed.len(),
        failed.join("\n\n")
    );
    Ok(())
}

fn files() -> Result<Vec<PathBuf>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("transcripts");
    let wanted = std::env::var("TRANSCRIPT").unwrap_or_default();
    let mut found = Vec::new();
    for entry in folder
        .read_dir()
        .with_context(|| folder.display().to_string())?
    {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if name.ends_with(".txt") && name.contains(&wanted) {
            found.push(path);
        }
    }
    ensure!(
        !found.is_empty(),
        "no transcript with {wanted:?} in its name"
    );
    found.sort();
    Ok(found)
}
