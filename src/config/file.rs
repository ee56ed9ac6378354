//! The TOML file: read, with errors that name file, line, key and hint.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use toml::de::DeTable;

use super::hint::hint;
use super::settings::Config;
use super::startup_error::{EXIT_CONFIG, StartupError};
use crate::files;
use crate::limits::CONFIG_FILE_BYTES_MAX;

/// A file that was read: its settings, and where each key stands.
#[derive(Debug, Clone)]
pub(crate) struct ConfigFile {
    path: PathBuf,
    text: String,
    /// The settings, not yet checked against each other.
    pub config: Config,
}

/// Reads a configuration file.
///
/// # Errors
/// The file cannot be read, is no TOML, or has an unknown key or a bad value.
pub(crate) fn read_file(path: &Path) -> Result<ConfigFile, StartupError> {
    let shown = path.display();
    let unread = |what: &dyn Display| {
        StartupError::new(EXIT_CONFIG, format!("{shown}: cannot be read: {what}"))
    };
    let bytes = files::read(path, CONFIG_FILE_BYTES_MAX).map_err(|error| unread(&error))?;
    let text = String::from_utf8(bytes).map_err(|error| unread(&error))?;
    ConfigFile::parse(path, text)
}

impl ConfigFile {
    /// Reads a configuration that is already in memory; `path` is for the errors.
    ///
    /// # Errors
    /// As [`read_file`].
    pub(crate) fn parse(path: &Path, text: String) -> Result<Self, StartupError> {
        match toml::from_str(&text) {
            Ok(config) => Ok(Self {
                path: path.to_owned(),
                text,
                config,
            }),
            Err(error) => Err(StartupError::new(EXIT_CONFIG, explain(path, &text, &error))),
        }
    }

    /// `file:line: key: ` when the file has this key (`section.name`).
    pub(crate) fn place_of(&self, key: &str) -> Option<String> {
        let (section, name) = key.split_once('.')?;
        let table = DeTable::parse(&self.text).ok()?;
        let section = table.get_ref().get(section)?.get_ref().as_table()?;
        let (found, _) = section
            .iter()
            .find(|(written, _)| written.get_ref() == name)?;
        let line = line_at(&self.text, found.span().start);
        Some(format!("{}:{line}: {key}: ", self.path.display()))
    }

    /// The path it was read from.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// `file: `, for what is wrong because it is not there.
    pub(crate) fn place(&self) -> String {
        format!("{}: ", self.path.display())
    }
}

/// One line for a person: file, line, what is written there, what is wrong.
fn explain(path: &Path, text: &str, error: &toml::de::Error) -> String {
    let shown = path.display();
    let message = error.message().trim_end().replace('\n', ", ");
    let Some(span) = error.span() else {
        return format!("{shown}: {message}");
    };
    let line = line_at(text, span.start);
    let message = hint(text, line, error).unwrap_or(message);
    if is_secret(text, line) {
        return format!("{shown}:{line}: {message}");
    }
    let written = text.lines().nth(line - 1).unwrap_or_default().trim();
    format!("{shown}:{line}: {message}\n    {written}")
}

/// Whether a line is one of `[sasl]`, where passwords stand that no log shall show.
fn is_secret(text: &str, line: usize) -> bool {
    let above = text.lines().take(line);
    let headers = above.filter(|line| line.trim_start().starts_with('['));
    headers.last().is_some_and(|header| header.contains("sasl"))
}

fn line_at(text: &str, offset: usize) -> usize {
    let before = text.bytes().take(offset);
    1 + before.filter(|byte| *byte == b'\n').count()
}
