//! The limit of the process's address space (`ulimit -v`).
//!
//! If the allocation of an item fails, others are evicted and it is tried again. But if the
//! allocation of its place in the table fails, the process aborts. So where the address space is
//! limited, the account grants memory step by step, as long as the limit leaves a margin.

use rustix::process::{Resource, getrlimit};

use crate::limits::MACHINE_MARGIN_BYTES;

/// Whether the address space of this process is limited.
pub(super) fn is_limited() -> bool {
    getrlimit(Resource::As).current.is_some()
}

/// Whether the limit allows so many more bytes and the margin.
pub(super) fn has_room(bytes: u64) -> bool {
    let (Some(limit_bytes), Some(used_bytes)) = (getrlimit(Resource::As).current, used_bytes())
    else {
        return true;
    };
    used_bytes + bytes + MACHINE_MARGIN_BYTES <= limit_bytes
}

/// The address space in use.
fn used_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmSize:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    Some(kib << 10)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_used_address_space_is_read() {
        let used_bytes = super::used_bytes().unwrap();
        assert!(used_bytes > 1 << 20, "{used_bytes}");
    }
}
