//! A setting that does not fit.

/// Its key in the file, memcached's exit code for its flag, the hint.
pub(super) struct ConfigError {
    pub(super) key: &'static str,
    pub(super) exit: u8,
    pub(super) text: String,
}

pub(super) fn refuse(
    key: &'static str,
    exit: u8,
    text: impl Into<String>,
) -> Result<(), ConfigError> {
    Err(ConfigError {
        key,
        exit,
        text: text.into(),
    })
}
