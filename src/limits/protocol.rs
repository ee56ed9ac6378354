//! What memcached's protocols bound: its own numbers, which clients may rely on.

use std::ops::RangeInclusive;

use super::memory::KEY_BYTES;

/// Slab classes are numbered from 1 to one less than this. memcached's six bits of an item's class.
pub(crate) const CLASSES: usize = 64;
/// A list of classes (`lru_crawler crawl 1,2,3`) is cut off after so many bytes: memcached's
/// buffer.
pub(crate) const CLASS_LIST_BYTES_MAX: usize = 511;
/// Longest rest that `lru_crawler sleep` takes, in microseconds: a second, as in memcached.
pub(crate) const CRAWLER_SLEEP_US_MAX: u32 = 1_000_000;
/// Megabytes that `cache_memlimit` takes at least, as in memcached.
pub(crate) const MEMLIMIT_MEGABYTES_MIN: u32 = 8;
/// More megabytes than this were meant in bytes, as in memcached.
pub(crate) const MEMLIMIT_MEGABYTES_MAX: u32 = 1_000_000_000;
/// What the window of `slabs automove` may be, in seconds, as in memcached.
pub(crate) const AUTOMOVE_WINDOW: RangeInclusive<u32> = 3..=1800;
/// The hot and the warm part of an LRU together, in percent, as in memcached.
pub(crate) const HOT_AND_WARM_PCT_MAX: u32 = 80;
/// A higher `verbosity` is treated as this one, for no level logs more.
pub(crate) const VERBOSITY_MAX: u32 = 2;
/// Shorter lines, with their end, are not commands, as in memcached.
pub(crate) const LINE_BYTES_MIN: usize = 4;
/// A password of `-Y` is not looked for in fewer bytes than this, as in memcached.
pub(crate) const AUTH_LINE_BYTES_MIN: usize = 3;
/// Digits of the length in a line with a password, leading zeros included: a 32-bit number's, and
/// one that memcached takes, too.
pub(crate) const AUTH_LENGTH_DIGITS_MAX: usize = 11;
/// Characters of a 32-bit number with its sign.
pub(crate) const I32_CHARS_MAX: usize = 11;
/// Characters of a 64-bit number, and two more that may lead it: memcached's buffer.
pub(crate) const U64_CHARS_MAX: usize = 22;
/// Characters of the longest fraction in a command line: memcached's buffer.
pub(crate) const FRACTION_CHARS_MAX: usize = 31;
/// Words of a meta request, the command's own included, as in memcached.
pub(crate) const META_WORDS_MAX: usize = 20;
/// Words that memcached looks at: `noreply` counts no further back.
pub(crate) const META_WORDS_SEEN: usize = 23;
/// Bytes of an opaque with its `O`, as in memcached.
pub(crate) const META_OPAQUE_BYTES: usize = 32;
/// Larger expiry times are absolute Unix times: 30 days, as in memcached.
pub(crate) const RELATIVE_EXPTIME_SECS_MAX: i64 = 60 * 60 * 24 * 30;
/// A longer value is not a number: far more than any number with the spaces that pad it.
pub(crate) const COUNTER_BYTES_MAX: usize = 1 << 14;
/// No line of a dump is longer: a key in percent form, and eight numbers with their names.
pub(crate) const DUMP_LINE_BYTES_MAX: usize = 3 * KEY_BYTES + 200;
/// No line of `stats cachedump` is longer: a key, and two numbers between words.
pub(crate) const CACHEDUMP_LINE_BYTES_MAX: usize = KEY_BYTES + 64;
