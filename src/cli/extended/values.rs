//! What options of `-o` do with their values; the words are memcached's.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::super::numbers::{atof, atoi, whole};
use super::OptionError::{self, NoNumber, OutOfRange};
use crate::config::tuning::SLAB_PAGE_BYTES;
use crate::config::{Config, TlsVersion};

type Outcome = Result<(), OptionError>;

pub(super) fn nothing(_: &mut Config, _: &str) -> Outcome {
    Ok(())
}

pub(super) fn yes(setting: &mut bool) -> Outcome {
    *setting = true;
    Ok(())
}

pub(super) fn no(setting: &mut bool) -> Outcome {
    *setting = false;
    Ok(())
}

pub(super) fn path(value: &str, setting: &mut Option<PathBuf>) -> Outcome {
    *setting = Some(PathBuf::from(value));
    Ok(())
}

/// A number that must be one as a whole.
fn number<N: FromStr>(name: &'static str, value: &str) -> Result<N, OptionError> {
    whole(value).ok_or_else(|| NoNumber(name, value.to_owned()))
}

fn kibibytes(name: &'static str, value: &str, setting: &mut usize) -> Outcome {
    *setting = (number::<u32>(name, value)? as usize) << 10;
    Ok(())
}

pub(super) fn watcher_logbuf_size(config: &mut Config, value: &str) -> Outcome {
    let setting = &mut config.client.watcher_logbuf_size;
    kibibytes("watcher_logbuf_size", value, setting)
}

pub(super) fn worker_logbuf_size(config: &mut Config, value: &str) -> Outcome {
    let setting = &mut config.client.worker_logbuf_size;
    kibibytes("worker_logbuf_size", value, setting)
}

pub(super) fn ssl_wbuf_size(config: &mut Config, value: &str) -> Outcome {
    kibibytes("ssl_wbuf_size", value, &mut config.tls.wbuf_bytes)
}

fn percent(name: &'static str, value: &str, setting: &mut i64) -> Outcome {
    *setting = atoi(value);
    match *setting {
        1..80 => Ok(()),
        _ => Err(OutOfRange(name, "> 1 and < 80")),
    }
}

pub(super) fn hot_lru_pct(config: &mut Config, value: &str) -> Outcome {
    percent("hot_lru_pct", value, &mut config.tuning.lru.hot_pct)
}

pub(super) fn warm_lru_pct(config: &mut Config, value: &str) -> Outcome {
    percent("warm_lru_pct", value, &mut config.tuning.lru.warm_pct)
}

fn factor(name: &'static str, value: &str, setting: &mut f64) -> Outcome {
    *setting = atof(value);
    if *setting > 0.0 {
        return Ok(());
    }
    Err(OutOfRange(name, "> 0"))
}

pub(super) fn hot_max_factor(config: &mut Config, value: &str) -> Outcome {
    factor(
        "hot_max_factor",
        value,
        &mut config.tuning.lru.hot_max_factor,
    )
}

pub(super) fn warm_max_factor(config: &mut Config, value: &str) -> Outcome {
    let setting = &mut config.tuning.lru.warm_max_factor;
    factor("warm_max_factor", value, setting)
}

pub(super) fn hashpower(config: &mut Config, value: &str) -> Outcome {
    let power = atoi(value);
    config.tuning.hashpower_init = power;
    match power {
        ..12 => Err(OptionError::HashPower(power, "low")),
        33.. => Err(OptionError::HashPower(power, "high")),
        _ => Ok(()),
    }
}

pub(super) fn slab_automove(config: &mut Config, value: &str) -> Outcome {
    let mode = atoi(value);
    config.tuning.slabs.automove = mode;
    match mode {
        0..=2 => Ok(()),
        _ => Err(OutOfRange("slab_automove", "between 0 and 2")),
    }
}

pub(super) fn slab_automove_ratio(config: &mut Config, value: &str) -> Outcome {
    let ratio = atof(value);
    config.tuning.slabs.automove_ratio = ratio;
    if ratio > 0.0 && ratio <= 1.0 {
        return Ok(());
    }
    Err(OutOfRange("slab_automove_ratio", "> 0 and < 1"))
}

pub(super) fn slab_automove_window(config: &mut Config, value: &str) -> Outcome {
    config.tuning.slabs.automove_window = atoi(value);
    match config.tuning.slabs.automove_window {
        3..=1800 => Ok(()),
        _ => Err(OutOfRange("slab_automove_window", "> 2 and < 1800")),
    }
}

pub(super) fn slab_automove_freeratio(config: &mut Config, value: &str) -> Outcome {
    config.tuning.slabs.automove_freeratio = number("slab_automove_freeratio", value)?;
    Ok(())
}

pub(super) fn tail_repair_time(config: &mut Config, value: &str) -> Outcome {
    config.tuning.lru.tail_repair_secs = atoi(value);
    match config.tuning.lru.tail_repair_secs {
        10.. => Ok(()),
        _ => Err(OptionError::TailRepairTime),
    }
}

pub(super) fn hash_algorithm(_: &mut Config, value: &str) -> Outcome {
    match value {
        "jenkins" | "murmur3" | "xxh3" => Ok(()),
        _ => Err(OptionError::HashAlgorithm),
    }
}

pub(super) fn lru_crawler_sleep(config: &mut Config, value: &str) -> Outcome {
    config.tuning.lru.crawler_sleep_us = atoi(value);
    match config.tuning.lru.crawler_sleep_us {
        0..=1_000_000 => Ok(()),
        _ => Err(OptionError::CrawlerSleep),
    }
}

pub(super) fn lru_crawler_tocrawl(config: &mut Config, value: &str) -> Outcome {
    let count = whole(value).ok_or(OptionError::CrawlerToCrawl)?;
    config.tuning.lru.crawler_tocrawl = count;
    Ok(())
}

pub(super) fn lru_maintainer(config: &mut Config, _: &str) -> Outcome {
    config.tuning.lru.maintainer = true;
    yes(&mut config.tuning.lru.segmented)
}

pub(super) fn no_lru_maintainer(config: &mut Config, _: &str) -> Outcome {
    config.tuning.lru.maintainer = false;
    no(&mut config.tuning.lru.segmented)
}

pub(super) fn temporary_ttl(config: &mut Config, value: &str) -> Outcome {
    config.tuning.lru.temporary = true;
    config.tuning.lru.temporary_ttl_secs = atoi(value) as u32;
    Ok(())
}

pub(super) fn idle_timeout(config: &mut Config, value: &str) -> Outcome {
    let secs = u64::try_from(atoi(value)).unwrap_or(0);
    config.client.idle_timeout = (secs > 0).then(|| Duration::from_secs(secs));
    Ok(())
}

pub(super) fn slab_sizes(config: &mut Config, value: &str) -> Outcome {
    // What is no number is out of range, which the check of the whole tells.
    let sizes = value.split('-').map(|size| whole(size).unwrap_or(0));
    config.tuning.slabs.sizes_bytes = sizes.collect();
    Ok(())
}

pub(super) fn slab_chunk_max(config: &mut Config, value: &str) -> Outcome {
    let kibibytes: i32 = number("slab_chunk_max", value)?;
    match kibibytes {
        ..1 => return Err(OutOfRange("slab_chunk_max", ">= 0")),
        1025.. => return Err(OutOfRange("slab_chunk_max", "specified in kilobytes.")),
        _ => {}
    }
    config.tuning.slabs.chunk_max_bytes = (kibibytes as usize) << 10;
    config.tuning.slabs.chunk_max_given = true;
    Ok(())
}

pub(super) fn no_modern(config: &mut Config, _: &str) -> Outcome {
    let tuning = &mut config.tuning;
    if !tuning.slabs.chunk_max_given {
        tuning.slabs.chunk_max_bytes = SLAB_PAGE_BYTES;
    }
    tuning.slabs.reassign = false;
    tuning.slabs.automove = 0;
    tuning.maxconns_fast = false;
    tuning.lru.segmented = false;
    tuning.lru.crawler = false;
    no(&mut tuning.lru.maintainer)
}

pub(super) fn read_buf_mem_limit(_: &mut Config, value: &str) -> Outcome {
    number::<u32>("read_buf_mem_limit", value).map(|_| ())
}

pub(super) fn ssl_verify_mode(config: &mut Config, value: &str) -> Outcome {
    config.tls.verify_mode = match number("ssl_verify_mode", value)? {
        mode @ 0..=3_u8 => mode,
        mode => return Err(OptionError::VerifyMode(mode)),
    };
    Ok(())
}

pub(super) fn ssl_keyformat(config: &mut Config, value: &str) -> Outcome {
    config.tls.key_format = number("ssl_keyformat", value)?;
    Ok(())
}

pub(super) fn ssl_ciphers(config: &mut Config, value: &str) -> Outcome {
    config.tls.ciphers = Some(value.to_owned());
    Ok(())
}

pub(super) fn ssl_min_version(config: &mut Config, value: &str) -> Outcome {
    let version = TlsVersion::from_number(number("ssl_min_version", value)?);
    config.tls.min_version = version.ok_or(OptionError::MinVersion)?;
    Ok(())
}

pub(super) fn sock_cookie_id(config: &mut Config, value: &str) -> Outcome {
    config.tuning.socket_mark = whole(value).unwrap_or(0);
    Ok(())
}
