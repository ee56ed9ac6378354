//! `lru_crawler`.

use super::{Classes, ERROR, Words};
use crate::protocol::text::request::Fault;

/// Longest rest that `lru_crawler sleep` takes, in microseconds.
const SLEEP_US_MAX: u32 = 1_000_000;

/// `lru_crawler`. Classes are `None` where the list is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crawler {
    /// `enable` and `disable`.
    Enable(bool),
    /// `sleep`, in microseconds.
    SleepUs(u32),
    /// `tocrawl`: items.
    ToCrawl(u32),
    /// `crawl`.
    Crawl(Option<Classes>),
    /// `metadump` and `mgdump`.
    Dump(DumpFormat, Option<Classes>),
}

/// What a dump says of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DumpFormat {
    /// All that is known of it but its value.
    Meta,
    /// The `mg` that would get it.
    Mg,
}

pub(super) fn parse(words: &Words<'_>) -> Result<Crawler, Fault> {
    match words.count {
        1 if words.is("enable") => Ok(Crawler::Enable(true)),
        1 if words.is("disable") => Ok(Crawler::Enable(false)),
        2 => with_word(words),
        _ => Err(ERROR),
    }
}

fn with_word(words: &Words<'_>) -> Result<Crawler, Fault> {
    let classes = || Classes::parse(words.first[1]);
    let number = || words.u32(1).ok_or(Fault::BAD_FORMAT);
    if words.is("crawl") {
        Ok(Crawler::Crawl(classes()))
    } else if words.is("metadump") {
        Ok(Crawler::Dump(DumpFormat::Meta, classes()))
    } else if words.is("mgdump") {
        Ok(Crawler::Dump(DumpFormat::Mg, classes()))
    } else if words.is("tocrawl") {
        number().map(Crawler::ToCrawl)
    } else if words.is("sleep") {
        match number()? {
            us if us > SLEEP_US_MAX => Err(Fault::saying(
                "CLIENT_ERROR sleep must be one second or less",
            )),
            us => Ok(Crawler::SleepUs(us)),
        }
    } else {
        Err(ERROR)
    }
}
