//! One attempt to connect to one address of the partner.
//!
//! The system of a frozen process still accepts connections. Nothing comes on them, and each one
//! takes a place among those that the process has not accepted. So a connection that stays silent
//! is kept, and its address is not dialled again until the connection has ended.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::task::Poll;
use std::time::Duration;

use tokio::time::timeout;

use super::authenticate::{Dialling, LinkAuthError, LinkStream, within};
use crate::limits::{LINK_AUTH_MS, SILENT_DIAL_MS};
use crate::replication::tls::LinkTls;

/// What an attempt comes to.
pub(super) enum Attempt {
    /// Both ends hold the key.
    Authenticated(LinkStream),
    /// The connection is open, and nothing came on it in half a second.
    Silent(SilentDial),
    /// It failed.
    Failed(LinkAuthError),
}

/// A connection on which nothing has come yet.
pub(super) struct SilentDial {
    pub(super) address: SocketAddr,
    dialling: Dialling,
}

impl Attempt {
    /// Connects to an address; each step takes `limit_ms` at most.
    pub(super) async fn at(address: SocketAddr, tls: &LinkTls, limit_ms: u64) -> Self {
        let dialling = match within(limit_ms, Dialling::begin(tls, address)).await {
            Ok(dialling) => dialling,
            Err(error) => return Self::Failed(error),
        };
        let silence = Duration::from_millis(SILENT_DIAL_MS.min(limit_ms));
        let answer = poll_fn(|cx| dialling.poll_answered(cx));
        if timeout(silence, answer).await.is_err() {
            return Self::Silent(SilentDial { address, dialling });
        }
        within(limit_ms, dialling.finish())
            .await
            .map_or_else(Self::Failed, Self::Authenticated)
    }
}

impl SilentDial {
    /// Authenticates both ends, now that the other one has answered.
    pub(super) async fn finish(self) -> Result<LinkStream, LinkAuthError> {
        within(LINK_AUTH_MS, self.dialling.finish()).await
    }

    /// In words.
    pub(super) fn reason(&self) -> String {
        format!("{}: accepts connections and says nothing", self.address)
    }
}

/// Waits until something comes on one of these connections, or one ends, and takes it out. For ever
/// if there are none.
pub(super) async fn first_answered(silent: &mut Vec<SilentDial>) -> SilentDial {
    let index = poll_fn(|cx| {
        let answered = |dial: &SilentDial| dial.dialling.poll_answered(cx).is_ready();
        match silent.iter().position(answered) {
            Some(index) => Poll::Ready(index),
            None => Poll::Pending,
        }
    })
    .await;
    silent.swap_remove(index)
}
