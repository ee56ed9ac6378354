//! Values of memcached's flags, which begin behind the blanks that lead them.

use std::ffi::OsString;
use std::ops::Deref;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use clap::builder::{MapValueParser, PathBufValueParser, TypedValueParser, ValueParserFactory};

/// A text, or a number as memcached reads numbers.
#[derive(Debug, Clone)]
pub(super) struct Text(String);

/// The path of a file, which need not be text.
#[derive(Debug, Clone)]
pub(super) struct File(PathBuf);

impl From<&str> for Text {
    fn from(written: &str) -> Self {
        Self(written[blanks(written.as_bytes())..].to_owned())
    }
}

impl ValueParserFactory for File {
    type Parser = MapValueParser<PathBufValueParser, fn(PathBuf) -> Self>;

    fn value_parser() -> Self::Parser {
        PathBufValueParser::new().map(|written| {
            let bytes = written.as_os_str().as_bytes();
            Self(OsString::from_vec(bytes[blanks(bytes)..].to_vec()).into())
        })
    }
}

/// How many bytes lead a value that C's `isspace` skips.
fn blanks(value: &[u8]) -> usize {
    let is_blank = |byte: &&u8| byte.is_ascii_whitespace() || **byte == 0x0b;
    value.iter().take_while(is_blank).count()
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl From<Text> for Option<String> {
    fn from(text: Text) -> Self {
        Some(text.0)
    }
}

impl From<File> for PathBuf {
    fn from(file: File) -> Self {
        file.0
    }
}

impl From<File> for Option<PathBuf> {
    fn from(file: File) -> Self {
        Some(file.0)
    }
}
