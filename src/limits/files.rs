//! What is read at the start: the configuration, keys, passwords, and the command line; and
//! `memtwin pair`.

/// Longest configuration that is read: dozens of times the explained one, so
/// none but a wrong file is refused.
pub(crate) const CONFIG_FILE_BYTES_MAX: u64 = 1 << 20;
/// Longest file with certificates or a key that is read: more than all authorities of a system.
pub(crate) const TLS_FILE_BYTES_MAX: u64 = 1 << 20;
/// Longest key file of a pair that is read; one has about 1 KiB.
pub(crate) const KEY_FILE_BYTES_MAX: u64 = 64 * 1024;
/// Longest file of passwords: [`SASL_USERS_MAX`] of the longest lines fit twice, comments included.
pub(crate) const PASSWORD_FILE_BYTES_MAX: u64 = 512 << 10;
/// Entries of `-Y`'s file that count, as in memcached; there is a warning when it has more.
pub(crate) const AUTH_FILE_ENTRIES_MAX: usize = 8;
/// Longest line of a file of passwords, as in memcached; with a longer one it is refused.
pub(crate) const AUTH_FILE_LINE_BYTES_MAX: usize = 255;
/// Users of a file of SASL passwords; with more it is refused: every login is compared with all of
/// them, so that its time tells nothing.
pub(crate) const SASL_USERS_MAX: usize = 1024;

/// Longest tag of an address in `-l`, as in memcached.
pub(crate) const TAG_BYTES_MAX: usize = 8;
/// Sizes that `-o slab_sizes` may list: of memcached's 64 classes the first is not used,
/// and the last is that of the largest item.
pub(crate) const SLAB_SIZES_MAX: usize = 62;
/// A number of a flag is no larger: no sum or product with it overflows.
pub(crate) const FLAG_NUMBER_MAX: i64 = 1 << 40;
/// Characters of a flag's number with a point that are looked at: more tell no numbers apart.
pub(crate) const FLOAT_CHARS_MAX: usize = 400;

/// How often `memtwin pair` looks at its nodes: a person sees no delay yet.
pub(crate) const PAIR_LOOK_MS: u64 = 100;
/// How long both nodes of `memtwin pair` may take to open their ports. They need a second or
/// two; a busy machine is allowed for.
pub(crate) const PAIR_START_MS: u64 = 20_000;
/// New folders that `memtwin pair` tries: another one that starts may take a folder for abandoned
/// before its lock is taken, which happens hardly ever, and not ten times.
pub(crate) const PAIR_FOLDERS_TRIED: u32 = 10;
/// Longest line of a node that `memtwin pair` passes on at once: the longest that a node logs.
pub(crate) const RELAYED_LINE_BYTES_MAX: u64 = 8 * 1024;

const _: () = assert!(
    (2 * SASL_USERS_MAX * (AUTH_FILE_LINE_BYTES_MAX + 1)) as u64 <= PASSWORD_FILE_BYTES_MAX
);
