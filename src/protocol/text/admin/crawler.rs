//! `lru_crawler`.

use super::classes::ClassFilter;
use super::words::{ERROR, Words, refused};
use crate::limits::CRAWLER_SLEEP_US_MAX;
use crate::protocol::text::parse_error::ParseError;

/// `lru_crawler`. Classes are `None` where the list is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrawlerCommand {
    /// `enable` and `disable`.
    Enable(bool),
    /// `sleep`, in microseconds.
    SleepUs(u32),
    /// `tocrawl`: items.
    ToCrawl(u32),
    /// `crawl`.
    Crawl(Option<ClassFilter>),
    /// `metadump` and `mgdump`.
    Dump(DumpFormat, Option<ClassFilter>),
}

/// What a dump says of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DumpFormat {
    /// All that is known of it but its value.
    Meta,
    /// The `mg` that would get it.
    Mg,
}

pub(in crate::protocol::text) fn parse(words: &Words<'_>) -> Result<CrawlerCommand, ParseError> {
    match words.count {
        1 if words.is("enable") => Ok(CrawlerCommand::Enable(true)),
        1 if words.is("disable") => Ok(CrawlerCommand::Enable(false)),
        2 => with_word(words),
        _ => Err(ERROR),
    }
}

fn with_word(words: &Words<'_>) -> Result<CrawlerCommand, ParseError> {
    let classes = || ClassFilter::parse(words.first[1]);
    let number = || words.u32(1).ok_or(ParseError::BAD_FORMAT);
    if words.is("crawl") {
        Ok(CrawlerCommand::Crawl(classes()))
    } else if words.is("metadump") {
        Ok(CrawlerCommand::Dump(DumpFormat::Meta, classes()))
    } else if words.is("mgdump") {
        Ok(CrawlerCommand::Dump(DumpFormat::Mg, classes()))
    } else if words.is("tocrawl") {
        number().map(CrawlerCommand::ToCrawl)
    } else if words.is("sleep") {
        match number()? {
            us if us > CRAWLER_SLEEP_US_MAX => {
                refused("CLIENT_ERROR sleep must be one second or less")
            }
            us => Ok(CrawlerCommand::SleepUs(us)),
        }
    } else {
        Err(ERROR)
    }
}
