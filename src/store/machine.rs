//! How much memory the machine lets this process have.
//!
//! An allocation of an item may fail and is tried again, but what belongs to it (its place in the
//! table, say) may not: the process ends. So where the address space is limited (`ulimit -v`),
//! items are granted memory step by step, as long as the limit leaves a margin.

use rustix::process::{Resource, getrlimit};

use crate::limits::MACHINE_MARGIN_BYTES;

/// Whether the address space of this process is limited.
pub(super) fn is_limited() -> bool {
    getrlimit(Resource::As).current.is_some()
}

/// Whether the limit leaves room for so many bytes, and the margin.
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
    fn this_process_knows_what_it_uses() {
        let used_bytes = super::used_bytes().unwrap();
        assert!(used_bytes > 1 << 20, "{used_bytes}");
    }
}
