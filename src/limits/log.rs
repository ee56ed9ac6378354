//! The log, which keeps nobody waiting.

use super::files::RELAYED_LINE_BYTES_MAX;

/// What repeats without a change of state is logged again after this time, with a count. A choice:
/// a person who looks finds it in the last minute, and a day of it fits a screen of a log viewer.
pub(crate) const LOG_REMINDER_MS: u64 = 60_000;
/// Changes of one state that are logged in that time; a state that flaps is counted from then on.
pub(crate) const LOG_CHANGES_MAX: u32 = 10;
/// Log lines that wait for stderr, in bytes; a line more is dropped and counted. A choice: some
/// thousand lines outlast a stall of who reads them.
pub(crate) const LOG_QUEUE_BYTES: usize = 256 << 10;
/// Bytes written to stderr at once: a pipe takes so many without mixing them with others'.
pub(crate) const LOG_WRITE_BYTES: usize = 4 << 10;
/// How long a process that ends waits for stderr to take the last lines: they say why it ends, and
/// whoever restarts it waits, too.
pub(crate) const LOG_FLUSH_MS: u64 = 500;
/// A stderr that takes nothing, but is no blocking file, is tried again after this time.
pub(crate) const LOG_RETRY_MS: u64 = 20;
/// So much of a command line is logged (`-vv`): a `get` line may be a thousand times longer.
pub(crate) const LOG_COMMAND_BYTES: usize = 1024;

// Every byte of a command may take four ("\x00"); the longest line of a pair's node fits, too.
const _: () = assert!(4 * LOG_COMMAND_BYTES + 256 <= RELAYED_LINE_BYTES_MAX as usize);
const _: () = assert!(8 * RELAYED_LINE_BYTES_MAX <= LOG_QUEUE_BYTES as u64);
const _: () = assert!(LOG_RETRY_MS < LOG_FLUSH_MS);
