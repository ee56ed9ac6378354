//! Running in the background: leaving the terminal (`-d`), and the file with the process id (`-P`).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process;

use nix::unistd::daemon;
use rustix::process::{Pid, test_kill_process};

use crate::config::StartupError;

/// Exit code of a process that cannot leave its terminal.
const EXIT_FAILURE: u8 = 1;

/// Goes on as a child of init, without a terminal and in `/`. To be called before there is a second
/// thread. With `verbose` the log stays where it went; a process that may leave a core file stays
/// where it can leave it.
///
/// # Errors
/// The system refuses.
pub fn detach(verbose: bool, core_dumps: bool) -> Result<(), StartupError> {
    daemon(core_dumps, verbose).map_err(|error| {
        let text = format!("failed to daemon() in order to daemonize: {error}");
        StartupError::new(EXIT_FAILURE, text)
    })
}

/// The file with the process id, as long as the process runs.
pub struct PidFile {
    path: PathBuf,
}

impl PidFile {
    /// Writes it; `None` if that fails, which the log tells: a node serves without one.
    #[must_use]
    pub fn write(path: &Path) -> Option<Self> {
        if let Some(pid) = running(path) {
            tracing::warn!(
                pid,
                file = %path.display(),
                "the pid file contained the id of a running process; give each node its own -P"
            );
        }
        match write(path) {
            Ok(()) => Some(Self {
                path: path.to_owned(),
            }),
            Err(error) => {
                let file = path.display();
                tracing::warn!(%error, %file, "the pid file could not be written; check -P");
                None
            }
        }
    }
}

/// Under another name first: whoever finds the file finds it whole.
fn write(path: &Path) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".tmp");
    fs::write(&beside, format!("{}\n", process::id()))?;
    fs::rename(&beside, path)
}

/// The process named in a file, if it runs.
fn running(path: &Path) -> Option<i32> {
    let pid = pid_in(path)?;
    test_kill_process(Pid::from_raw(pid)?).ok().map(|()| pid)
}

fn pid_in(path: &Path) -> Option<i32> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

impl Drop for PidFile {
    fn drop(&mut self) {
        let own = i32::try_from(process::id()).ok();
        // Another process may have taken the name over.
        if pid_in(&self.path) == own
            && let Err(error) = fs::remove_file(&self.path)
        {
            let file = self.path.display();
            tracing::warn!(%error, %file, "the pid file could not be removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pid_file_lives_as_long_as_the_process_wants_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pid");
        let file = PidFile::write(&path).unwrap();
        assert_eq!(pid_in(&path), i32::try_from(process::id()).ok());
        assert_eq!(running(&path), pid_in(&path));
        drop(file);
        assert!(!path.exists());
        let file = PidFile::write(&path).unwrap();
        fs::write(&path, "1\n").unwrap();
        drop(file);
        assert_eq!(pid_in(&path), Some(1), "another's file was removed");
        assert!(PidFile::write(&dir.path().join("none/pid")).is_none());
    }
}
