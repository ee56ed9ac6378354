//! Log lines that clients cause. A client can cause any number, so all are limited by [`Repeated`].
//! The statistics count every one.

use std::fmt::Display;
use std::time::Instant;

use parking_lot::Mutex;
use tracing::Level;

use crate::logs::Repeated;

/// A client failed to authenticate; `protocol` is the one it used.
pub(crate) fn login_failed(protocol: &'static str) {
    static LIMIT: Mutex<Repeated> = Mutex::new(Repeated::new());
    if let Some(suppressed) = log_failure(&LIMIT) {
        tracing::debug!(protocol, suppressed, "a client failed to authenticate");
    }
}

/// A client's TLS handshake failed.
pub(crate) fn handshake_failed(error: &dyn Display) {
    static LIMIT: Mutex<Repeated> = Mutex::new(Repeated::new());
    if let Some(suppressed) = log_failure(&LIMIT) {
        tracing::debug!(%error, suppressed, "a TLS handshake failed");
    }
}

/// Unfinished input of a client was dropped for others.
pub(crate) fn input_dropped() {
    static LIMIT: Mutex<Repeated> = Mutex::new(Repeated::new());
    if let Some(suppressed) = log_failure(&LIMIT) {
        tracing::debug!(suppressed, "a stalled value or line was dropped for others");
    }
}

/// A client has changed `-m`.
pub(crate) fn memory_limit_changed(megabytes: u32) {
    static LIMIT: Mutex<Repeated> = Mutex::new(Repeated::new());
    if let Some(suppressed) = log_change(&LIMIT) {
        tracing::info!(
            megabytes,
            suppressed,
            "the memory limit was changed by a client"
        );
    }
}

/// The certificates were reloaded for a client.
pub(crate) fn certificates_refreshed() {
    static LIMIT: Mutex<Repeated> = Mutex::new(Repeated::new());
    if let Some(suppressed) = log_change(&LIMIT) {
        tracing::info!(suppressed, "the certificates were reloaded for a client");
    }
}

/// Failures of clients are logged with `-v` only.
fn log_failure(limit: &Mutex<Repeated>) -> Option<u64> {
    tracing::enabled!(Level::DEBUG).then(|| limit.lock().log_now(Instant::now()))?
}

/// Each event is a change of state.
fn log_change(limit: &Mutex<Repeated>) -> Option<u64> {
    let mut limit = limit.lock();
    limit.changed();
    limit.log_now(Instant::now())
}
