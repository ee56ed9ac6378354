//! Why an option of `-o` is not taken; where memcached has words for it, these are they.

use thiserror::Error;

#[derive(Debug, Error)]
pub(crate) enum OptionError {
    #[error("Illegal suboption \"{0}\"\n\n{1}")]
    Unknown(String, String),
    #[error("-o {0}: there is no external storage, items live in memory only; leave it out")]
    ExternalStorage(String),
    #[error("-o {0}: memtwin is no proxy; leave it out")]
    Proxy(String),
    #[error("Missing {0} argument: write -o {0}=value")]
    NoValue(&'static str),
    #[error("could not parse argument to {0}: `{1}`")]
    NoNumber(&'static str, String),
    #[error("{0} must be {1}")]
    OutOfRange(&'static str, &'static str),
    #[error("Initial hashtable multiplier of {0} is too {1}")]
    HashPower(i64, &'static str),
    #[error("Cannot set tail_repair_time to less than 10 seconds")]
    TailRepairTime,
    #[error("Unknown hash_algorithm option (jenkins, murmur3, xxh3)")]
    HashAlgorithm,
    #[error("LRU crawler sleep must be between 0 and 1 second")]
    CrawlerSleep,
    #[error("lru_crawler_tocrawl takes a numeric 32bit value")]
    CrawlerToCrawl,
    #[error("Invalid ssl_verify_mode {0}: write 0, 1, 2 or 3")]
    VerifyMode(u8),
    #[error("Invalid ssl_min_version: write 2 or 3")]
    MinVersion,
}
