//! `[tls]`: encryption of clients' connections (`-Z` and the `ssl_*` options of `-o`).

use std::path::PathBuf;

use serde::Deserialize;

use super::choices::TlsVersion;
use super::units;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// Whether addresses for clients speak TLS unless they say `notls` (`-Z`).
    pub enabled: bool,
    /// The server's certificate and those between it and its authority, PEM.
    pub chain_cert: Option<PathBuf>,
    /// The private key, where it is not in `chain_cert`.
    pub key: Option<PathBuf>,
    /// memcached's number for the format of `key`: 1 is PEM, 2 is DER.
    pub key_format: i32,
    /// Whether clients show a certificate: 0 none is asked for, 1 one that is shown must be good,
    /// 2 every client must show one, 3 the same.
    #[serde(deserialize_with = "units::verify_mode")]
    pub verify_mode: u8,
    /// The authorities of clients' certificates, PEM.
    pub ca_cert: Option<PathBuf>,
    /// Cipher suites, as OpenSSL names them.
    pub ciphers: Option<String>,
    /// The oldest version that is spoken.
    #[serde(deserialize_with = "units::tls_version")]
    pub min_version: TlsVersion,
    /// Whether clients may resume sessions.
    pub session_cache: bool,
    /// Bytes of a connection's output buffer.
    #[serde(rename = "wbuf_size", deserialize_with = "units::size")]
    pub wbuf_bytes: usize,
    /// Whether encryption was to be left to the kernel; shown in `stats settings`, and nothing
    /// else.
    #[serde(skip)]
    pub kernel_tls: bool,
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            enabled: false,
            chain_cert: None,
            key: None,
            key_format: 1,
            verify_mode: 0,
            ca_cert: None,
            ciphers: None,
            min_version: TlsVersion::V1_2,
            session_cache: false,
            wbuf_bytes: 16 << 10,
            kernel_tls: false,
        }
    }
}
