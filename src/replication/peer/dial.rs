//! Side 0: dials the partner until it is there.

use std::io;
use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep};

use super::connect::{Absence, ConnectOutcome, Dialled, prepare};
use super::proof::{self, LinkStream, ProofError};
use crate::config::Address;
use crate::limits::{DIAL_EAGER_MS, DIAL_RETRY_MS, DIAL_RETRY_MS_MAX, PROOF_MS};
use crate::replication::tls::LinkTls;

/// Dials for ever.
pub(super) struct Dialler {
    pub(super) tls: LinkTls,
    pub(super) failover: Address,
    pub(super) found: mpsc::Sender<ConnectOutcome>,
}

impl Dialler {
    /// Every 100 ms at first, then with pauses of up to a second.
    pub(super) async fn run(self) {
        let mut eager_until = Instant::now() + Duration::from_millis(DIAL_EAGER_MS);
        loop {
            match proof::within(PROOF_MS, self.dial()).await {
                Ok(stream) => {
                    let began = Instant::now();
                    let (link_lives, link_ended) = oneshot::channel();
                    let dialled = Dialled { stream, link_lives };
                    let outcome = ConnectOutcome::Dialled(Box::new(dialled));
                    if self.found.send(outcome).await.is_err() {
                        return;
                    }
                    // The sender sends nothing; it is dropped.
                    let _ = link_ended.await;
                    // A link that held for a while earns quick attempts anew; one that ends at
                    // once, because the nodes do not fit together, does not.
                    if began.elapsed() > Duration::from_millis(DIAL_RETRY_MS_MAX) {
                        eager_until = Instant::now() + Duration::from_millis(DIAL_EAGER_MS);
                    }
                }
                Err(error) => {
                    if self.found.send(self.failed(&error)).await.is_err() {
                        return;
                    }
                }
            }
            sleep(pause(Instant::now() < eager_until)).await;
        }
    }

    async fn dial(&self) -> Result<LinkStream, ProofError> {
        let mut failure = io::Error::other("the name stands for no address");
        for address in lookup_host(self.failover.to_string()).await? {
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    prepare(&stream)?;
                    return proof::connect(&self.tls, stream).await;
                }
                Err(error) => failure = error,
            }
        }
        Err(failure.into())
    }

    fn failed(&self, error: &ProofError) -> ConnectOutcome {
        match error {
            ProofError::OtherKey => ConnectOutcome::Refused(error.to_string()),
            ProofError::OtherProtocol(what) => {
                let reason = format!("{} answers, but is no memtwin link: {what}", self.failover);
                ConnectOutcome::Absent(Absence::OtherProtocol(reason))
            }
            ProofError::Socket(error) => {
                let reason = format!("{}: {error}", self.failover);
                ConnectOutcome::Absent(Absence::Unreachable(reason))
            }
        }
    }
}

/// The time until the next attempt. The jitter keeps nodes that failed together from coming back
/// together.
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
