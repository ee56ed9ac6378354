//! The private folder of a running pair, with its key, and those that killed pairs have left.
//!
//! A pair keeps a lock on its folder for as long as it runs, which ends with the process however
//! that ends. So a folder whose lock is free belongs to no running pair, and the next pair removes
//! it.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;
use rustix::fs::{Mode, OFlags, open};
use tempfile::TempDir;

use crate::limits::PAIR_FOLDERS_TRIED;

const PREFIX: &str = "memtwin-pair-";
/// The files of a pair.
const CONTENTS: [&str; 3] = ["primary.toml", "failover.toml", "pair.pem"];

/// A folder that goes when this is dropped.
pub(super) struct Folder {
    dir: TempDir,
    /// Dropped last.
    _lock: File,
}

impl Folder {
    /// A new one in this folder, which nobody but this user can read.
    pub(super) fn new(parent: &Path) -> io::Result<Self> {
        for _ in 0..PAIR_FOLDERS_TRIED {
            let dir = tempfile::Builder::new()
                .prefix(PREFIX)
                .permissions(fs::Permissions::from_mode(0o700))
                .tempdir_in(parent)?;
            let Ok(lock) = open_folder(dir.path()) else {
                continue;
            };
            if lock.try_lock().is_ok() && dir.path().exists() {
                return Ok(Self { dir, _lock: lock });
            }
        }
        Err(io::Error::other("others remove it as fast as it is made"))
    }

    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }
}

/// Removes what killed pairs of this user have left in this folder; the paths of what was removed.
pub(super) fn remove_abandoned(parent: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(parent) else {
        return Vec::new();
    };
    let names = entries.flatten().filter(|entry| {
        let name = entry.file_name();
        name.to_str().is_some_and(|name| name.starts_with(PREFIX))
    });
    names
        .map(|entry| entry.path())
        .filter(|path| remove_if_abandoned(path).unwrap_or(false))
        .collect()
}

fn remove_if_abandoned(path: &Path) -> io::Result<bool> {
    let folder = open_folder(path)?;
    if folder.metadata()?.uid() != geteuid().as_raw() || folder.try_lock().is_err() {
        return Ok(false);
    }
    // Nothing but what a pair has put there: the name alone proves too little. Under the lock: a
    // pair that has just made it sees that it is gone.
    for name in CONTENTS {
        match fs::remove_file(path.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::remove_dir(path)?;
    Ok(true)
}

/// A folder itself, not one that a link leads to.
fn open_folder(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(open(path, flags, Mode::empty())?.into())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// `memtwin pair` killed with -9 left its folder, with the key of the pair, for ever.
    #[test]
    fn a_folder_without_its_pair_is_removed_and_no_other() {
        let parent = tempfile::tempdir().unwrap();
        let running = Folder::new(parent.path()).unwrap();
        fs::write(running.path().join("pair.pem"), "key").unwrap();
        let abandoned = parent.path().join("memtwin-pair-killed");
        fs::create_dir(&abandoned).unwrap();
        fs::write(abandoned.join("pair.pem"), "key").unwrap();
        // What is no folder of a pair, whatever its name.
        let others = tempfile::tempdir().unwrap();
        fs::write(others.path().join("file"), "kept").unwrap();
        symlink(others.path(), parent.path().join("memtwin-pair-link")).unwrap();
        fs::write(parent.path().join("memtwin-pair-file"), "kept").unwrap();
        let kept = parent.path().join("memtwin-pair-of-a-person");
        fs::create_dir(&kept).unwrap();
        fs::write(kept.join("notes"), "kept").unwrap();
        fs::create_dir(parent.path().join("other")).unwrap();

        assert_eq!(remove_abandoned(parent.path()), [abandoned.as_path()]);
        assert!(!abandoned.exists());
        assert!(running.path().join("pair.pem").exists());
        assert!(others.path().join("file").exists() && kept.join("notes").exists());
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 5);

        drop(running);
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 4);
    }
}
