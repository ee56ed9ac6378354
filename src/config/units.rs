//! Values with units, as the file writes them.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de};
use thiserror::Error;

use super::choices::{Mode, Protocol, TlsVersion};
use crate::limits::{ACK_TIMEOUT_MS_MAX, ACK_TIMEOUT_MS_MIN};

/// Why a text or number is no value of its setting, and what to write.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum ValueError {
    #[error("`{0}` is no size: write a number and KB, MB or GB, as in \"64MB\"")]
    Size(String),
    #[error("`{0}` is no duration: write \"500ms\", \"2s\" or \"never\"")]
    Duration(String),
    #[error("`{0}` is no duration: write \"500ms\" or \"2s\"")]
    BoundedDuration(String),
    #[error("`{0}` is no mode: write \"semi-sync\" or \"async\"")]
    Mode(String),
    #[error(
        "`{0}` is no ack_timeout: write \"{ACK_TIMEOUT_MS_MIN}ms\" to \"{ACK_TIMEOUT_MS_MAX}ms\""
    )]
    AckTimeout(String),
    /// In memcached's words.
    #[error("Invalid value for binding protocol: {0} -- should be one of auto, binary, or ascii")]
    Protocol(String),
    #[error("`{0}` is no delimiter: write one character, as in \":\"")]
    Delimiter(String),
    #[error("side {0} does not exist: write 0 on one node and 1 on the other")]
    Side(String),
    #[error(
        "verify_mode {0} does not exist: write 0 (no certificate is asked for), 1 (one that is \
         shown must be good) or 2 (every client must show one)"
    )]
    VerifyMode(i64),
    #[error("TLS {0} is not spoken: write \"1.2\" or \"1.3\"")]
    TlsVersion(String),
    #[error("`{0}` is no mode: write \"700\" to \"777\"")]
    AccessMode(String),
}

/// Reads `512KB`, `20MB`, `1GB` as bytes; the units are powers of two.
pub(crate) fn parse_size(text: &str) -> Result<usize, ValueError> {
    let no_size = || ValueError::Size(text.to_owned());
    let mut units = [("KB", 10), ("MB", 20), ("GB", 30)].into_iter();
    let found = units.find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, shift)));
    let (digits, shift) = found.ok_or_else(no_size)?;
    let count: usize = digits.trim().parse().map_err(|_| no_size())?;
    count.checked_mul(1 << shift).ok_or_else(no_size)
}

/// Reads `20ms`, `2s`, or `never` as `None`.
pub(crate) fn parse_patience(text: &str) -> Result<Option<Duration>, ValueError> {
    if text == "never" {
        return Ok(None);
    }
    humantime::parse_duration(text)
        .map(Some)
        .map_err(|_| ValueError::Duration(text.to_owned()))
}

/// Reads `20ms` or `2s`.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, ValueError> {
    humantime::parse_duration(text).map_err(|_| ValueError::BoundedDuration(text.to_owned()))
}

/// Reads a replication mode.
pub(crate) fn parse_mode(text: &str) -> Result<Mode, ValueError> {
    match text {
        "async" => Ok(Mode::Async),
        "semi-sync" => Ok(Mode::SemiSync),
        _ => Err(ValueError::Mode(text.to_owned())),
    }
}

/// Reads how long a write waits for the partner.
pub(crate) fn parse_ack_timeout(text: &str) -> Result<Duration, ValueError> {
    let bounds =
        Duration::from_millis(ACK_TIMEOUT_MS_MIN)..=Duration::from_millis(ACK_TIMEOUT_MS_MAX);
    humantime::parse_duration(text)
        .ok()
        .filter(|time| bounds.contains(time))
        .ok_or_else(|| ValueError::AckTimeout(text.to_owned()))
}

/// Reads which protocol clients speak.
pub(crate) fn parse_protocol(text: &str) -> Result<Protocol, ValueError> {
    match text {
        "auto" => Ok(Protocol::Auto),
        "ascii" => Ok(Protocol::Ascii),
        "binary" => Ok(Protocol::Binary),
        _ => Err(ValueError::Protocol(text.to_owned())),
    }
}

/// Reads what ends the prefix of a key: one byte.
pub(crate) fn parse_delimiter(text: &str) -> Result<u8, ValueError> {
    match text.as_bytes() {
        [byte] => Ok(*byte),
        _ => Err(ValueError::Delimiter(text.to_owned())),
    }
}

/// Reads the side of a node.
pub(crate) fn parse_side(text: &str) -> Result<u8, ValueError> {
    match text {
        "0" => Ok(0),
        "1" => Ok(1),
        _ => Err(ValueError::Side(text.to_owned())),
    }
}

/// Settings that are read from a text: what reads it, and what to write instead of anything else.
macro_rules! from_text {
    ($($name:ident -> $type:ty: $parse:ident, $expected:literal;)*) => {$(
        pub(super) fn $name<'de, D: Deserializer<'de>>(from: D) -> Result<$type, D::Error> {
            $parse(&text(from, $expected)?).map_err(de::Error::custom)
        }
    )*};
}

from_text! {
    size -> usize: parse_size, "a size such as \"64MB\"";
    patience -> Option<Duration>: parse_patience, "a duration such as \"2s\", or \"never\"";
    duration -> Duration: parse_duration, "a duration such as \"2s\"";
    mode -> Mode: parse_mode, "\"semi-sync\" or \"async\"";
    ack_timeout -> Duration: parse_ack_timeout, "a duration such as \"20ms\"";
    protocol -> Protocol: parse_protocol, "\"auto\", \"ascii\" or \"binary\"";
    delimiter -> u8: parse_delimiter, "one character such as \":\"";
}

pub(super) fn verify_mode<'de, D: Deserializer<'de>>(from: D) -> Result<u8, D::Error> {
    match i64::deserialize(from)? {
        mode @ 0..=3 => Ok(mode as u8),
        other => Err(de::Error::custom(ValueError::VerifyMode(other))),
    }
}

pub(super) fn tls_version<'de, D: Deserializer<'de>>(from: D) -> Result<TlsVersion, D::Error> {
    match text(from, "\"1.2\" or \"1.3\"")?.as_str() {
        "1.2" => Ok(TlsVersion::V1_2),
        "1.3" => Ok(TlsVersion::V1_3),
        other => Err(de::Error::custom(ValueError::TlsVersion(other.to_owned()))),
    }
}

pub(super) fn octal<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    let text = text(from, "an octal mode such as \"700\"")?;
    match u32::from_str_radix(&text, 8) {
        Ok(mode) if mode <= 0o777 => Ok(mode),
        _ => Err(de::Error::custom(ValueError::AccessMode(text))),
    }
}

pub(super) fn side<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u8>, D::Error> {
    let side = parse_side(&i64::deserialize(from)?.to_string());
    side.map(Some).map_err(de::Error::custom)
}

/// A string; anything else is answered with what to write.
fn text<'de, D: Deserializer<'de>>(from: D, expected: &'static str) -> Result<String, D::Error> {
    struct Text(&'static str);
    impl de::Visitor<'_> for Text {
        type Value = String;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "{}, in quotes", self.0)
        }
        fn visit_str<E: de::Error>(self, text: &str) -> Result<String, E> {
            Ok(text.to_owned())
        }
    }
    from.deserialize_str(Text(expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_powers_of_two() {
        assert_eq!(parse_size("512KB"), Ok(512 << 10));
        assert_eq!(parse_size("20MB"), Ok(20 << 20));
        assert_eq!(parse_size("1GB"), Ok(1 << 30));
        for text in ["", "1", "MB", "-1MB", "1.5GB", "1mb", "99999999999999GB"] {
            assert!(parse_size(text).is_err(), "{text:?} was taken");
        }
    }

    #[test]
    fn patience_ends_or_does_not() {
        assert_eq!(parse_patience("20ms"), Ok(Some(Duration::from_millis(20))));
        assert_eq!(parse_patience("2s"), Ok(Some(Duration::from_secs(2))));
        assert_eq!(parse_patience("never"), Ok(None));
        assert!(parse_patience("2").is_err());
        assert_eq!(parse_duration("5s"), Ok(Duration::from_secs(5)));
        assert!(parse_duration("never").is_err());
    }

    #[test]
    fn modes_and_their_timeout_are_read() {
        assert_eq!(parse_mode("semi-sync"), Ok(Mode::SemiSync));
        assert_eq!(parse_mode("async"), Ok(Mode::Async));
        let words = parse_mode("sync").unwrap_err().to_string();
        assert!(words.ends_with("\"semi-sync\" or \"async\""), "{words}");
        for text in ["2ms", "20ms", "90ms"] {
            assert!(parse_ack_timeout(text).is_ok(), "{text}");
        }
        for text in ["1ms", "91ms", "1s", "20", "never"] {
            assert!(parse_ack_timeout(text).is_err(), "{text}");
        }
    }
}
