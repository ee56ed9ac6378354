//! Where a node is dialled: accepts, and tells the partner from strangers.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
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
use crate::logs::Repeated;
use crate::replication::tls::LinkTls;

/// What the accepted connections share.
pub(super) struct LinkAcceptor {
    pub(super) partner: PartnerAddresses,
    pub(super) found: mpsc::Sender<ConnectOutcome>,
    pub(super) status: Arc<PeerStatus>,
    pub(super) tls: LinkTls,
    /// What the log says of strangers,
    pub(super) strangers: Mutex<Repeated>,
    /// and of connections that could not be accepted.
    pub(super) failures: Mutex<Repeated>,
}

impl LinkAcceptor {
    /// Accepts for ever. Of those that have not proved the key, the oldest makes room for a ninth,
    /// so that silent strangers cannot keep the partner out.
    pub(super) async fn run(self: Arc<Self>, listener: TcpListener) {
        let mut unproved: VecDeque<(AbortHandle, SocketAddr)> = VecDeque::new();
        loop {
            let (stream, from) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    self.failed_to_accept(&error);
                    // Out of descriptors, most likely: some will be free in a while.
                    sleep(Duration::from_millis(DIAL_RETRY_MS)).await;
                    continue;
                }
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
            Err(error) => {
                let is_partners_host = matches!(error, ProofError::OtherKey)
                    && self.partner.include_once_known(from.ip()).await;
                if !is_partners_host {
                    return self.stranger(from, &error.to_string());
                }
                self.status.count_stranger();
                ConnectOutcome::Refused(error.to_string())
            }
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
        let strangers = self.status.count_stranger();
        if let Some(suppressed) = self.strangers.lock().log_now(Instant::now()) {
            tracing::warn!(%from, reason, strangers, suppressed,
                "stranger on the replication port; keep the port off public networks");
        }
    }

    fn failed_to_accept(&self, error: &io::Error) {
        if let Some(suppressed) = self.failures.lock().log_now(Instant::now()) {
            tracing::warn!(%error, suppressed,
                "accepting on the replication port fails; raise the limit of files");
        }
    }
}
