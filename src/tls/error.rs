//! What is wrong with the files and settings of TLS.

use std::path::PathBuf;

use thiserror::Error;

/// Why TLS cannot be used, in memcached's words, with the cause and what to do.
#[derive(Debug, Error)]
pub enum TlsError {
    /// `refresh_certs` on a node without TLS.
    #[error("Error TLS not enabled")]
    NotEnabled,
    /// A file of certificates or keys cannot be used.
    #[error("Error loading the {what}: {} : {cause}", shown(.path))]
    File {
        /// What it holds.
        what: &'static str,
        /// The file, if one is named.
        path: Option<PathBuf>,
        /// What is wrong, and what to do.
        cause: String,
    },
    /// None of the named cipher suites is known.
    #[error("Error setting the provided cipher(s): {0}")]
    Ciphers(String),
    /// The library refuses the combination.
    #[error("Error setting up TLS: {0}")]
    Refused(#[from] rustls::Error),
}

fn shown(path: &Option<PathBuf>) -> String {
    let path = path.as_ref().map(|path| path.display().to_string());
    path.unwrap_or_else(|| "(null)".to_owned())
}
