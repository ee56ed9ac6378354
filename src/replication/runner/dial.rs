//! The dialling side: dials the partner until a link is up, and again when it has ended.

use std::net::SocketAddr;
use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep};

use super::addresses::PartnerAddresses;
use super::authenticate::{self, LinkAuthError, LinkStream};
use super::connect_outcome::{Absence, ConnectOutcome, Dialled};
use super::recover::{RECOVERY_PAUSE, catch_panic};
use super::socket::prepare;
use crate::limits::{DIAL_EAGER_MS, DIAL_RETRY_MS, DIAL_RETRY_MS_MAX, LINK_AUTH_MS};
use crate::replication::tls::LinkTls;

/// Dials the partner for ever.
pub(super) struct Dialler {
    pub(super) tls: LinkTls,
    pub(super) partner: PartnerAddresses,
    /// The last address that led to the partner.
    pub(super) preferred: Option<SocketAddr>,
    pub(super) found: mpsc::Sender<ConnectOutcome>,
}

impl Dialler {
    /// Runs until nobody waits for links, whatever panics meanwhile.
    pub(super) async fn run(mut self) {
        while catch_panic(self.dial_again_and_again()).await.is_err() {
            sleep(RECOVERY_PAUSE).await;
        }
    }

    /// Dials every 100 ms at first, then with pauses of up to a second.
    async fn dial_again_and_again(&mut self) {
        let mut eager_until = Instant::now() + Duration::from_millis(DIAL_EAGER_MS);
        loop {
            match self.dial().await {
                Ok(stream) => {
                    let began = Instant::now();
                    let (link_lives, link_ended) = oneshot::channel();
                    let dialled = Dialled { stream, link_lives };
                    let outcome = ConnectOutcome::Dialled(Box::new(dialled));
                    if self.found.send(outcome).await.is_err() {
                        return;
                    }
                    // Nothing is sent on it; it ends when the sender is dropped.
                    let _ = link_ended.await;
                    // After a link that lasted, attempts are frequent again. After one that ended
                    // at once, because a node refused the other, they are not.
                    if began.elapsed() > Duration::from_millis(DIAL_RETRY_MS_MAX) {
                        eager_until = Instant::now() + Duration::from_millis(DIAL_EAGER_MS);
                    }
                }
                Err(outcome) => {
                    if self.found.send(outcome).await.is_err() {
                        return;
                    }
                }
            }
            sleep(pause(Instant::now() < eager_until)).await;
        }
    }

    /// Tries each address of the partner in turn, the preferred one first. They share the time, so
    /// that an address that drops packets does not use up the time of the next.
    async fn dial(&mut self) -> Result<LinkStream, ConnectOutcome> {
        let found = self.partner.to_dial().await;
        let mut addresses =
            found.map_err(|reason| ConnectOutcome::Absent(Absence::Unresolved(reason)))?;
        addresses.sort_by_key(|address| self.preferred != Some(*address));
        let limit_ms = LINK_AUTH_MS / addresses.len().max(1) as u64;
        let mut failures = Vec::new();
        for address in addresses {
            match authenticate::within(limit_ms, self.connect(address)).await {
                Ok(stream) => {
                    self.preferred = Some(address);
                    return Ok(stream);
                }
                Err(error) => failures.push((address, error)),
            }
        }
        Err(summary(&failures))
    }

    async fn connect(&self, address: SocketAddr) -> Result<LinkStream, LinkAuthError> {
        let stream = TcpStream::connect(address).await?;
        prepare(&stream)?;
        authenticate::connect(&self.tls, stream).await
    }
}

/// The outcome of the failures at all addresses: the most specific one. A node with another key is
/// more specific than another server, and that more than no answer.
fn summary(failures: &[(SocketAddr, LinkAuthError)]) -> ConnectOutcome {
    let mut reasons = Vec::new();
    let mut is_answered = false;
    for (address, error) in failures {
        if matches!(error, LinkAuthError::OtherKey) {
            return ConnectOutcome::Refused(error.to_string());
        }
        is_answered |= matches!(error, LinkAuthError::OtherProtocol(_));
        reasons.push(format!("{address}: {error}"));
    }
    let reason = reasons.join("; ");
    ConnectOutcome::Absent(if is_answered {
        Absence::OtherProtocol(reason)
    } else {
        Absence::Unreachable(reason)
    })
}

/// The time until the next attempt. The jitter spreads the attempts of nodes that failed together.
fn pause(eager: bool) -> Duration {
    let mut random = [0; 2];
    let jitter = match SystemRandom::new().fill(&mut random) {
        Ok(()) if !eager => u64::from(u16::from_le_bytes(random)) % (DIAL_RETRY_MS_MAX / 2),
        _ => 0,
    };
    let base = if eager {
        DIAL_RETRY_MS
    } else {
        DIAL_RETRY_MS_MAX / 2
    };
    Duration::from_millis(base + jitter)
}
