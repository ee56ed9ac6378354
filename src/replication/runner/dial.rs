//! The dialling side: dials the partner until a link is up, and again when it has ended.
//!
//! An address that accepts connections and says nothing is dialled once: see
//! [`attempt`](super::attempt).

use std::net::SocketAddr;
use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout};

use super::addresses::PartnerAddresses;
use super::attempt::{Attempt, SilentDial, first_answered};
use super::authenticate::{LinkAuthError, LinkStream};
use super::connect_outcome::{ConnectOutcome, Dialled, NoLink};
use super::recover::{RECOVERY_PAUSE, catch_panic};
use crate::limits::{DIAL_EAGER_MS, DIAL_RETRY_MS, DIAL_RETRY_MS_MAX, LINK_AUTH_MS};
use crate::replication::tls::LinkTls;

/// Dials the partner for ever.
pub(super) struct Dialler {
    pub(super) tls: LinkTls,
    pub(super) partner: PartnerAddresses,
    /// The last address that led to the partner.
    pub(super) preferred: Option<SocketAddr>,
    /// Open connections on which nothing has come; at most one for each address.
    pub(super) silent: Vec<SilentDial>,
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
        let mut answered = None;
        loop {
            match self.dial(answered).await {
                Ok(stream) => {
                    self.silent.clear();
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
            answered = self.pause(Instant::now() < eager_until).await;
        }
    }

    /// Waits for the next attempt, or for the first answer on a connection that was silent.
    async fn pause(&mut self, eager: bool) -> Option<SilentDial> {
        timeout(pause(eager), first_answered(&mut self.silent))
            .await
            .ok()
    }

    /// Finishes the connection that was answered, or tries each address of the partner in turn, the
    /// preferred one first. They share the time, so that an address that drops packets does not use
    /// up the time of the next.
    async fn dial(&mut self, answered: Option<SilentDial>) -> Result<LinkStream, ConnectOutcome> {
        let found = self.partner.to_dial().await;
        let mut addresses =
            found.map_err(|reason| ConnectOutcome::NoLink(NoLink::Unresolved(reason)))?;
        addresses.sort_by_key(|address| self.preferred != Some(*address));
        self.silent.retain(|dial| addresses.contains(&dial.address));
        let limit_ms = LINK_AUTH_MS / addresses.len().max(1) as u64;
        let mut failures = Vec::new();
        if let Some(dial) = answered {
            let address = dial.address;
            addresses.retain(|other| *other != address);
            match dial.finish().await {
                Ok(stream) => return Ok(self.linked_at(address, stream)),
                Err(error) => failures.push((address, error)),
            }
        }
        for address in addresses {
            if self.silent.iter().any(|dial| dial.address == address) {
                continue;
            }
            match Attempt::at(address, &self.tls, limit_ms).await {
                Attempt::Authenticated(stream) => return Ok(self.linked_at(address, stream)),
                Attempt::Silent(dial) => self.silent.push(dial),
                Attempt::Failed(error) => failures.push((address, error)),
            }
        }
        Err(summary(&failures, &self.silent))
    }

    fn linked_at(&mut self, address: SocketAddr, stream: LinkStream) -> LinkStream {
        self.preferred = Some(address);
        stream
    }
}

/// The outcome at all addresses: the most specific one. A node with another key is more specific
/// than a silent one, that more than another server, and that more than no answer.
fn summary(failures: &[(SocketAddr, LinkAuthError)], silent: &[SilentDial]) -> ConnectOutcome {
    let mut reasons = Vec::new();
    let mut is_answered = false;
    for (address, error) in failures {
        if matches!(error, LinkAuthError::OtherKey) {
            return ConnectOutcome::other_key();
        }
        is_answered |= matches!(error, LinkAuthError::OtherProtocol(_));
        reasons.push(format!("{address}: {error}"));
    }
    if let Some(dial) = silent.first() {
        return ConnectOutcome::NoLink(NoLink::Unresponsive(dial.reason()));
    }
    let reason = reasons.join("; ");
    ConnectOutcome::NoLink(if is_answered {
        NoLink::OtherProtocol(reason)
    } else {
        NoLink::Unreachable(reason)
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
