//! What a process asks of the system before it serves: open files and the change of user, in
//! memcached's order and words.

use std::env;
use std::fs;

use nix::errno::Errno;
use nix::unistd::{User, geteuid, getuid, setgid, setgroups, setuid};
use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{
    Resource, Rlimit, Signal, getppid, getrlimit, set_parent_process_death_signal, setrlimit,
};

use crate::config::startup_error::{EXIT_NO_USER, EXIT_USAGE, StartupError};
use crate::limits::OWN_FILES;

/// `memtwin pair` gives its nodes its process id under this name: they must not outlive it.
pub(crate) const END_WITH_PARENT: &str = "MEMTWIN_END_WITH_PARENT";

/// Lets a node of `memtwin pair` end when that ends, however it does.
///
/// # Errors
/// It has ended already, or the system refuses.
pub fn end_with_parent() -> Result<(), StartupError> {
    let Ok(parent) = env::var(END_WITH_PARENT) else {
        return Ok(());
    };
    let refused = |text: String| StartupError::system(text);
    set_parent_process_death_signal(Some(Signal::TERM))
        .map_err(|error| refused(format!("cannot be tied to its parent: {error}")))?;
    let present = getppid().map(|id| id.as_raw_pid().to_string());
    if present.as_deref() == Some(parent.as_str()) {
        Ok(())
    } else {
        Err(refused(format!(
            "{END_WITH_PARENT}: process {parent} is not the parent"
        )))
    }
}

/// `-L`: memcached asks for large pages then; here items have them wherever the system has them.
///
/// # Errors
/// The system has none, and memcached would not start.
pub fn ensure_large_pages(wanted: bool) -> Result<(), StartupError> {
    let setting = || fs::read_to_string(LARGE_PAGES).unwrap_or_default();
    if !wanted || setting().contains("[always]") || setting().contains("[madvise]") {
        return Ok(());
    }
    let text = format!(
        "Cannot enable large pages on this system: {LARGE_PAGES} turns them off; leave -L out"
    );
    Err(StartupError::new(1, text))
}

const LARGE_PAGES: &str = "/sys/kernel/mm/transparent_hugepage/enabled";

/// `-r`: lets a crash leave a core file as large as the system allows.
///
/// # Errors
/// It allows none at all.
pub fn raise_core_limit(wanted: bool) -> Result<(), StartupError> {
    if !wanted {
        return Ok(());
    }
    let old = getrlimit(Resource::Core);
    if setrlimit(Resource::Core, limit(None, None)).is_err() {
        // Not root: as much as is allowed. What came of it is looked at below.
        let _ = setrlimit(Resource::Core, limit(old.maximum, old.maximum));
    }
    if getrlimit(Resource::Core).current == Some(0) {
        let text = "failed to ensure corefile creation: the system allows none (ulimit -c); leave \
                    -r out";
        return Err(StartupError::system(text));
    }
    Ok(())
}

fn limit(current: Option<u64>, maximum: Option<u64>) -> Rlimit {
    Rlimit { current, maximum }
}

/// `-k`: keeps all memory, present and future, out of swap. As in memcached a node serves without,
/// and says so.
pub fn lock_memory(wanted: bool) {
    if !wanted {
        return;
    }
    if let Err(error) = mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE) {
        tracing::warn!(
            %error,
            "-k has no effect, memory cannot be locked: raise the limit (ulimit -l, LimitMEMLOCK)"
        );
    }
}

/// Makes sure that so many connections, and the files of the node itself, can be open at once.
///
/// # Errors
/// The system's hard limit is lower.
pub fn raise_open_files(connections: usize) -> Result<(), StartupError> {
    let wanted = connections as u64 + OWN_FILES;
    let old = getrlimit(Resource::Nofile);
    let enough = |limit: Option<u64>, least: u64| limit.is_none_or(|limit| limit >= least);
    if enough(old.current, wanted) {
        return Ok(());
    }
    let maximum = old.maximum.map(|maximum| maximum.max(wanted));
    if setrlimit(Resource::Nofile, limit(Some(wanted), maximum)).is_ok() {
        return Ok(());
    }
    // Not root: as much as is allowed, if that serves the clients at least.
    let most = limit(old.maximum, old.maximum);
    if enough(old.maximum, connections as u64) && setrlimit(Resource::Nofile, most).is_ok() {
        return Ok(());
    }
    let text = "failed to set rlimit for open files. Try starting as root or requesting smaller \
                maxconns value.";
    Err(StartupError::system(text))
}

/// As root, becomes the user of `-u`; as anybody else, changes nothing.
///
/// # Errors
/// No user was named, there is no such user, or the system refuses.
pub fn become_user(name: Option<&str>) -> Result<(), StartupError> {
    if !getuid().is_root() && !geteuid().is_root() {
        return Ok(());
    }
    let Some(name) = name.filter(|name| !name.is_empty()) else {
        let text = "must add '-u root' to start as root";
        return Err(StartupError::new(EXIT_USAGE, text));
    };
    let Ok(Some(user)) = User::from_name(name) else {
        let text = format!("can't find the user {name} to switch to");
        return Err(StartupError::new(EXIT_NO_USER, text));
    };
    // Without the right to change groups there are no privileges in them to drop.
    match setgroups(&[]) {
        Ok(()) | Err(Errno::EPERM) => {}
        Err(error) => {
            let text = format!("failed to drop supplementary groups: {error}");
            return Err(StartupError::system(text));
        }
    }
    setgid(user.gid)
        .and_then(|()| setuid(user.uid))
        .map_err(|_| StartupError::system(format!("failed to assume identity of user {name}")))
}
