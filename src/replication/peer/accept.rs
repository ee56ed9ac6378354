//! Where a node is dialled: accepts, and tells the partner from strangers.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::sleep;

use super::addresses::PartnerAddresses;
use super::connect::{ConnectOutcome, prepare};
use super::newcomer::Newcomer;
use super::proof::{self, ProofError};
use super::status::PeerStatus;
use crate::limits::{DIAL_RETRY_MS, PROOF_MS, UNPROVED_LINKS_MAX};
use crate::replication::tls::LinkTls;

/// Strangers are logged one by one up to here, then at every power of two.
const STRANGERS_LOGGED: u64 = 8;

/// What the accepted connections share.
pub(super) struct LinkAcceptor {
    pub(super) partner: PartnerAddresses,
    pub(super) found: mpsc::Sender<ConnectOutcome>,
    pub(super) status: Arc<PeerStatus>,
    pub(super) tls: LinkTls,
}

impl LinkAcceptor {
    /// Accepts for ever. Of those that have not proved the key, the oldest makes room for a ninth,
    /// so that silent strangers cannot keep the partner out.
    pub(super) async fn run(self: Arc<Self>, listener: TcpListener) {
        let mut unproved: VecDeque<(AbortHandle, SocketAddr)> = VecDeque::new();
        loop {
            let Ok((stream, from)) = listener.accept().await else {
                // Out of descriptors, most likely: some will be free in a while.
                sleep(Duration::from_millis(DIAL_RETRY_MS)).await;
                continue;
            };
            unproved.retain(|(task, _)| !task.is_finished());
            if unproved.len() >= UNPROVED_LINKS_MAX
                && let Some((oldest, its_address)) = unproved.pop_front()
            {
                oldest.abort();
                self.stranger(its_address, "had not proved the key when others came");
            }
            let admission = tokio::spawn(Arc::clone(&self).admit(stream, from));
            unproved.push_back((admission.abort_handle(), from));
        }
    }

    async fn admit(self: Arc<Self>, stream: TcpStream, from: SocketAddr) {
        let outcome = match proof::within(PROOF_MS, self.prove(stream, from)).await {
            Ok(newcomer) => ConnectOutcome::Accepted(Box::new(newcomer)),
            Err(error @ ProofError::OtherKey) if self.partner.include(from.ip()) => {
                self.status.count_stranger();
                ConnectOutcome::Refused(error.to_string())
            }
            Err(error) => return self.stranger(from, &error.to_string()),
        };
        // Fails only when the thread is ending.
        let _ = self.found.send(outcome).await;
    }

    async fn prove(&self, stream: TcpStream, from: SocketAddr) -> Result<Newcomer, ProofError> {
        prepare(&stream)?;
        let stream = proof::accept(&self.tls, stream).await?;
        Newcomer::read_hello(stream, from).await
    }

    fn stranger(&self, from: SocketAddr, reason: &str) {
        let count = self.status.count_stranger();
        if count <= STRANGERS_LOGGED || count.is_power_of_two() {
            tracing::warn!(%from, reason, strangers = count,
                "stranger on the replication port; keep the port off public networks");
        }
    }
}
