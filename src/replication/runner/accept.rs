//! The accepting side: authenticates each connection to the replication port.

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

use super::accepted_link::AcceptedLink;
use super::addresses::PartnerAddresses;
use super::authenticate::{self, LinkAuthError};
use super::connect_outcome::ConnectOutcome;
use super::recover::{RECOVERY_PAUSE, catch_panic};
use super::socket::prepare;
use super::status::ReplicationStatus;
use crate::limits::{DIAL_RETRY_MS, LINK_AUTH_MS, UNAUTHENTICATED_LINKS_MAX};
use crate::logs::Repeated;
use crate::replication::tls::LinkTls;

/// What the accepted connections share.
pub(super) struct LinkAcceptor {
    pub(super) partner: PartnerAddresses,
    pub(super) found: mpsc::Sender<ConnectOutcome>,
    pub(super) status: Arc<ReplicationStatus>,
    pub(super) tls: LinkTls,
    /// Limits the log lines of connections that did not prove the key,
    pub(super) unauthenticated_links: Mutex<Repeated>,
    /// and of connections that could not be accepted.
    pub(super) failures: Mutex<Repeated>,
}

impl LinkAcceptor {
    /// Accepts for ever, whatever panics meanwhile.
    pub(super) async fn run(self: Arc<Self>, listener: TcpListener) {
        while catch_panic(self.accept_from(&listener)).await.is_err() {
            sleep(RECOVERY_PAUSE).await;
        }
    }

    /// Of too many connections that have not proved the key the oldest is closed,
    /// so that silent clients cannot keep the partner out.
    async fn accept_from(self: &Arc<Self>, listener: &TcpListener) {
        let mut unauthenticated: VecDeque<(AbortHandle, SocketAddr)> = VecDeque::new();
        loop {
            let (stream, from) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    self.failed_to_accept(&error);
                    // Most likely no descriptor is left: wait until one may be.
                    sleep(Duration::from_millis(DIAL_RETRY_MS)).await;
                    continue;
                }
            };
            unauthenticated.retain(|(task, _)| !task.is_finished());
            if unauthenticated.len() >= UNAUTHENTICATED_LINKS_MAX
                && let Some((oldest, its_address)) = unauthenticated.pop_front()
            {
                oldest.abort();
                self.reject_unauthenticated(its_address, "had not proved the key when others came");
            }
            let admission = tokio::spawn(Arc::clone(self).admit(stream, from));
            unauthenticated.push_back((admission.abort_handle(), from));
        }
    }

    async fn admit(self: Arc<Self>, stream: TcpStream, from: SocketAddr) {
        let outcome =
            match authenticate::within(LINK_AUTH_MS, self.authenticate(stream, from)).await {
                Ok(accepted) => ConnectOutcome::Accepted(Box::new(accepted)),
                Err(error) => {
                    let is_partners_host = matches!(error, LinkAuthError::OtherKey)
                        && self.partner.include_once_known(from.ip()).await;
                    if !is_partners_host {
                        return self.reject_unauthenticated(from, &error.to_string());
                    }
                    self.status.count_unauthenticated();
                    ConnectOutcome::other_key()
                }
            };
        // Fails only while the thread ends.
        let _ = self.found.send(outcome).await;
    }

    async fn authenticate(
        &self,
        stream: TcpStream,
        from: SocketAddr,
    ) -> Result<AcceptedLink, LinkAuthError> {
        prepare(&stream)?;
        let stream = authenticate::accept(&self.tls, stream).await?;
        AcceptedLink::read_hello(stream, from).await
    }

    fn reject_unauthenticated(&self, from: SocketAddr, reason: &str) {
        let unauthenticated_links = self.status.count_unauthenticated();
        if let Some(suppressed) = self.unauthenticated_links.lock().log_now(Instant::now()) {
            tracing::warn!(%from, reason, unauthenticated_links, suppressed,
                "unauthenticated connection to the replication port; keep the port off public \
                 networks");
        }
    }

    fn failed_to_accept(&self, error: &io::Error) {
        if let Some(suppressed) = self.failures.lock().log_now(Instant::now()) {
            tracing::warn!(%error, suppressed,
                "accepting on the replication port fails; raise the limit of files");
        }
    }
}
