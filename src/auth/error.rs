//! Why passwords cannot be used: where, what and the hint.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::config::StartupError;
use crate::limits::{AUTH_FILE_LINE_BYTES_MAX, SASL_USERS_MAX};

#[derive(Debug, Error)]
pub(super) enum AuthError {
    #[error("the system gives no random bytes")]
    NoRandomBytes,
    #[error("Could not open authfile [{0}] for reading, error {1}")]
    AuthFile(PathBuf, io::Error),
    #[error("Authfile [{0}] has a malformed entry. Should be 'user:password': line {1} {2}")]
    AuthEntry(PathBuf, usize, LineError),
    #[error(
        "Authfile [{0}] has no entry, so nobody could authenticate: write lines of user:password"
    )]
    NoAuthEntry(PathBuf),
    #[error("{0}: no SASL passwords: {1}")]
    SaslFile(PathBuf, io::Error),
    #[error("{0}:{1}: this line {2}")]
    SaslLine(PathBuf, usize, LineError),
    #[error("{0}:{1}: {SASL_USERS_MAX} users are the most: remove some")]
    SaslUsers(PathBuf, usize),
    #[error(
        "-S: nobody could authenticate: write users and passwords into [sasl] of the \
         configuration, or name a file of user:password lines in sasl.password_file or in the \
         environment variable MEMCACHED_SASL_PWDB"
    )]
    NoSaslUser,
    #[error(transparent)]
    Config(#[from] StartupError),
}

/// Why a line is not obeyed, and what to do.
#[derive(Debug, Error)]
pub(super) enum LineError {
    #[error("is longer than {AUTH_FILE_LINE_BYTES_MAX} bytes: shorten it")]
    TooLong,
    #[error("has a zero byte: write text")]
    ZeroByte,
    #[error("has no colon: write user:password")]
    NoColon,
    #[error("names no user before its colon")]
    NoUser,
    #[error("has a space before its colon: users of the text protocol have none")]
    Space,
}
