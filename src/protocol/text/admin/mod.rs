//! Commands that look after the server: one grammar for each, whole words or their beginnings, as
//! memcached compares them.
//!
//! What depends on how the server was set up is not judged here.

mod classes;
pub(super) mod crawler;
pub(super) mod words;

pub use classes::ClassFilter;
pub use crawler::{CrawlerCommand, DumpFormat};

use super::number;
use super::parse_error::ParseError;
use super::watch::Events;
use crate::limits::{
    AUTOMOVE_WINDOW, HOT_AND_WARM_PCT_MAX, MEMLIMIT_MEGABYTES_MAX, MEMLIMIT_MEGABYTES_MIN,
};
use words::{ERROR, Words, begins, refused};

/// An administrative command.
#[allow(missing_docs, reason = "fields carry the protocol's own names")]
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Admin {
    Verbosity {
        level: u32,
    },
    /// `cache_memlimit`.
    MemoryLimit {
        megabytes: u32,
    },
    Shutdown(Shutdown),
    Lru(Lru),
    Slabs(Slabs),
    Crawler(CrawlerCommand),
    RefreshCerts,
    /// `watch`; `None` where it names no events there are.
    Watch(Option<Events>),
}

/// How `shutdown` wants the server to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// As SIGINT does.
    Now,
    /// As SIGUSR1 does.
    Graceful,
    /// In no way there is.
    Unknown,
}

/// `lru`.
#[allow(missing_docs, reason = "fields carry the protocol's own names")]
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Lru {
    Tune {
        hot_pct: u32,
        warm_pct: u32,
        hot_factor: f64,
        warm_factor: f64,
    },
    /// `mode flat` and `mode segmented`.
    Mode { segmented: bool },
    /// `temp_ttl`; `None` for a negative one, which turns it off.
    TempTtl { secs: Option<u32> },
}

/// `slabs`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Slabs {
    /// `reassign`, from a class to another; `None` where these are no numbers.
    Reassign(Option<(i32, i32)>),
    /// `automove` with a level from 0 to 2.
    Automove(u32),
    /// `automove ratio`.
    Ratio(f64),
    /// `automove freeratio`.
    FreeRatio(f64),
    /// `automove window`.
    Window(u32),
}

pub(super) fn verbosity(words: &Words<'_>) -> Result<Admin, ParseError> {
    let level = words.u32(0).ok_or(ParseError::BAD_FORMAT)?;
    Ok(Admin::Verbosity { level })
}

pub(super) fn memory_limit(words: &Words<'_>) -> Result<Admin, ParseError> {
    match words.u32(0).ok_or(ERROR)? {
        ..MEMLIMIT_MEGABYTES_MIN => {
            refused("MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m")
        }
        megabytes @ MEMLIMIT_MEGABYTES_MIN..=MEMLIMIT_MEGABYTES_MAX => {
            Ok(Admin::MemoryLimit { megabytes })
        }
        _ => refused("MEMLIMIT_ADJUST_FAILED input value is megabytes not bytes"),
    }
}

pub(super) fn shutdown(words: &Words<'_>) -> Admin {
    Admin::Shutdown(match words.count {
        0 => Shutdown::Now,
        1 if words.is("graceful") => Shutdown::Graceful,
        _ => Shutdown::Unknown,
    })
}

pub(super) fn lru(words: &Words<'_>) -> Result<Lru, ParseError> {
    if words.is("tune") && words.count >= 5 {
        return tune(words);
    }
    if words.count < 2 {
        return Err(ERROR);
    }
    if words.is("mode") {
        let segmented = match words.first[1] {
            word if begins("flat", word) => false,
            word if begins("segmented", word) => true,
            _ => return Err(ERROR),
        };
        return Ok(Lru::Mode { segmented });
    }
    if words.is("temp_ttl") {
        let secs = number::strict_i32(words.first[1]).ok_or(ERROR)?;
        let secs = u32::try_from(secs).ok();
        return Ok(Lru::TempTtl { secs });
    }
    Err(ERROR)
}

fn tune(words: &Words<'_>) -> Result<Lru, ParseError> {
    let hot_pct = words.u32(1).ok_or(ERROR)?;
    let warm_pct = words.u32(2).ok_or(ERROR)?;
    let hot_factor = number::float(words.first[3]).ok_or(ERROR)?;
    let warm_factor = number::float(words.first[4]).ok_or(ERROR)?;
    if hot_pct.saturating_add(warm_pct) > HOT_AND_WARM_PCT_MAX {
        return refused("ERROR hot and warm pcts must not exceed 80");
    }
    if hot_factor <= 0.0 || warm_factor <= 0.0 {
        return refused("ERROR hot/warm age factors must be greater than 0");
    }
    Ok(Lru::Tune {
        hot_pct,
        warm_pct,
        hot_factor,
        warm_factor,
    })
}

pub(super) fn slabs(words: &Words<'_>) -> Result<Slabs, ParseError> {
    if words.is("reassign") && words.count == 3 {
        let from = number::strict_i32(words.first[1]);
        let to = number::strict_i32(words.first[2]);
        return Ok(Slabs::Reassign(from.zip(to)));
    }
    if words.is("automove") && words.count >= 2 {
        return automove(words);
    }
    Err(ERROR)
}

fn automove(words: &Words<'_>) -> Result<Slabs, ParseError> {
    let ratio = || number::float(words.first[2]).ok_or(ERROR);
    let word = words.first[1];
    if begins("ratio", word) {
        return ratio().map(Slabs::Ratio);
    }
    if begins("freeratio", word) {
        return ratio().map(Slabs::FreeRatio);
    }
    if begins("window", word) {
        let window = words.u32(2).ok_or(ParseError::BAD_FORMAT)?;
        if !AUTOMOVE_WINDOW.contains(&window) {
            return refused("CLIENT_ERROR automove window too low or too high");
        }
        return Ok(Slabs::Window(window));
    }
    match words.u32(1).ok_or(ParseError::BAD_FORMAT)? {
        level @ 0..=2 => Ok(Slabs::Automove(level)),
        _ => Err(ERROR),
    }
}
