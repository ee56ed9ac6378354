//! What options of `-o` do with their values; the words are memcached's.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::super::numbers::{atof, atoi, whole};
use super::error::OptionError::{self, NoNumber, OutOfRange};
use crate::config::tuning::SLAB_PAGE_BYTES;
use crate::config::{Config, TlsVersion};
use crate::limits::{AUTOMOVE_WINDOW, CRAWLER_SLEEP_US_MAX};

pub(super) type Outcome = Result<(), OptionError>;

/// What an option was given.
pub(super) struct Given<'v> {
    pub(super) name: &'static str,
    pub(super) value: &'v str,
}

impl Given<'_> {
    /// A number that must be one as a whole.
    pub(super) fn number<N: FromStr>(&self) -> Result<N, OptionError> {
        whole(self.value).ok_or_else(|| NoNumber(self.name, self.value.to_owned()))
    }

    pub(super) fn kibibytes(&self, setting: &mut usize) -> Outcome {
        set(setting, (self.number::<u32>()? as usize) << 10)
    }

    pub(super) fn percent(&self, setting: &mut i64) -> Outcome {
        *setting = atoi(self.value);
        self.must((1..80).contains(setting), "> 1 and < 80")
    }

    pub(super) fn factor(&self, setting: &mut f64) -> Outcome {
        *setting = atof(self.value);
        self.must(*setting > 0.0, "> 0")
    }

    pub(super) fn path(&self, setting: &mut Option<PathBuf>) -> Outcome {
        set(setting, Some(PathBuf::from(self.value)))
    }

    fn must(&self, is_met: bool, be: &'static str) -> Outcome {
        is_met.then_some(()).ok_or(OutOfRange(self.name, be))
    }
}

pub(super) fn nothing(_: &mut Config, _: &Given<'_>) -> Outcome {
    Ok(())
}

pub(super) fn set<T>(setting: &mut T, value: T) -> Outcome {
    *setting = value;
    Ok(())
}

pub(super) fn hashpower(config: &mut Config, given: &Given<'_>) -> Outcome {
    let power = atoi(given.value);
    config.tuning.hashpower_init = power;
    match power {
        ..12 => Err(OptionError::HashPower(power, "low")),
        33.. => Err(OptionError::HashPower(power, "high")),
        _ => Ok(()),
    }
}

pub(super) fn slab_automove(config: &mut Config, given: &Given<'_>) -> Outcome {
    let mode = atoi(given.value);
    config.tuning.slabs.automove = mode;
    given.must((0..=2).contains(&mode), "between 0 and 2")
}

pub(super) fn slab_automove_ratio(config: &mut Config, given: &Given<'_>) -> Outcome {
    let ratio = atof(given.value);
    config.tuning.slabs.automove_ratio = ratio;
    given.must(ratio > 0.0 && ratio <= 1.0, "> 0 and < 1")
}

pub(super) fn slab_automove_window(config: &mut Config, given: &Given<'_>) -> Outcome {
    let window = atoi(given.value);
    config.tuning.slabs.automove_window = window;
    let fits = u32::try_from(window).is_ok_and(|window| AUTOMOVE_WINDOW.contains(&window));
    given.must(fits, "> 2 and < 1800")
}

pub(super) fn tail_repair_time(config: &mut Config, given: &Given<'_>) -> Outcome {
    config.tuning.lru.tail_repair_secs = atoi(given.value);
    match config.tuning.lru.tail_repair_secs {
        10.. => Ok(()),
        _ => Err(OptionError::TailRepairTime),
    }
}

pub(super) fn hash_algorithm(_: &mut Config, given: &Given<'_>) -> Outcome {
    match given.value {
        "jenkins" | "murmur3" | "xxh3" => Ok(()),
        _ => Err(OptionError::HashAlgorithm),
    }
}

pub(super) fn lru_crawler_sleep(config: &mut Config, given: &Given<'_>) -> Outcome {
    config.tuning.lru.crawler_sleep_us = atoi(given.value);
    match u32::try_from(config.tuning.lru.crawler_sleep_us) {
        Ok(0..=CRAWLER_SLEEP_US_MAX) => Ok(()),
        _ => Err(OptionError::CrawlerSleep),
    }
}

pub(super) fn lru_crawler_tocrawl(config: &mut Config, given: &Given<'_>) -> Outcome {
    let count = whole(given.value).ok_or(OptionError::CrawlerToCrawl)?;
    set(&mut config.tuning.lru.crawler_tocrawl, count)
}

pub(super) fn lru_maintainer(config: &mut Config, is_on: bool) -> Outcome {
    config.tuning.lru.maintainer = is_on;
    set(&mut config.tuning.lru.segmented, is_on)
}

pub(super) fn temporary_ttl(config: &mut Config, given: &Given<'_>) -> Outcome {
    config.tuning.lru.temporary = true;
    let secs = atoi(given.value) as u32;
    set(&mut config.tuning.lru.temporary_ttl_secs, secs)
}

pub(super) fn idle_timeout(config: &mut Config, given: &Given<'_>) -> Outcome {
    let secs = u64::try_from(atoi(given.value)).unwrap_or(0);
    let idle_timeout = (secs > 0).then(|| Duration::from_secs(secs));
    set(&mut config.client.idle_timeout, idle_timeout)
}

pub(super) fn slab_sizes(config: &mut Config, given: &Given<'_>) -> Outcome {
    // What is no number is out of range, which the check of the whole tells.
    let sizes = given.value.split('-').map(|size| whole(size).unwrap_or(0));
    set(&mut config.tuning.slabs.sizes_bytes, sizes.collect())
}

pub(super) fn slab_chunk_max(config: &mut Config, given: &Given<'_>) -> Outcome {
    let kibibytes: i32 = given.number()?;
    given.must(kibibytes >= 1, ">= 0")?;
    given.must(kibibytes <= 1024, "specified in kilobytes.")?;
    config.tuning.slabs.chunk_max_bytes = (kibibytes as usize) << 10;
    set(&mut config.tuning.slabs.chunk_max_given, true)
}

pub(super) fn no_modern(config: &mut Config, _: &Given<'_>) -> Outcome {
    let tuning = &mut config.tuning;
    if !tuning.slabs.chunk_max_given {
        tuning.slabs.chunk_max_bytes = SLAB_PAGE_BYTES;
    }
    tuning.slabs.reassign = false;
    tuning.slabs.automove = 0;
    tuning.maxconns_fast = false;
    tuning.lru.segmented = false;
    tuning.lru.crawler = false;
    set(&mut tuning.lru.maintainer, false)
}

pub(super) fn ssl_verify_mode(config: &mut Config, given: &Given<'_>) -> Outcome {
    match given.number()? {
        mode @ 0..=3_u8 => set(&mut config.tls.verify_mode, mode),
        mode => Err(OptionError::VerifyMode(mode)),
    }
}

pub(super) fn ssl_min_version(config: &mut Config, given: &Given<'_>) -> Outcome {
    let version = TlsVersion::from_number(given.number()?);
    let version = version.ok_or(OptionError::MinVersion)?;
    set(&mut config.tls.min_version, version)
}

pub(super) fn sock_cookie_id(config: &mut Config, given: &Given<'_>) -> Outcome {
    let mark = whole(given.value).unwrap_or(0);
    set(&mut config.tuning.socket_mark, mark)
}
