//! What is wrong with the files and settings of TLS.

use std::path::PathBuf;

use thiserror::Error;

/// Why TLS cannot be used, in memcached's words, with the cause and what to do.
#[derive(Debug, Error)]
pub enum TlsError {
    /// `refresh_certs` on a node without TLS.
    #[error("Error TLS not enabled")]
    NotEnabled,
    /// The certificate chain cannot be used.
    #[error("Error loading the certificate chain: {} : {cause}", shown(.path))]
    Chain {
        /// The file, if one is named.
        path: Option<PathBuf>,
        /// What is wrong, and what to do.
        cause: String,
    },
    /// The private key cannot be used, or is not the certificate's.
    #[error("Error loading the key: {} : {cause}", shown(.path))]
    Key {
        /// The file.
        path: Option<PathBuf>,
        /// What is wrong, and what to do.
        cause: String,
    },
    /// The authorities of client certificates cannot be used.
    #[error("Error loading the CA certificate: {} : {cause}", shown(.path))]
    Authorities {
        /// The file.
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
    match path {
        Some(path) => path.display().to_string(),
        None => "(null)".to_owned(),
    }
}
