//! How the two nodes connect: side 0 dials ([`dial`](super::dial)), side 1 accepts
//! ([`accept`](super::accept)), and both prove that they hold the pair's key.
//!
//! Side 0 listens as well if it has a replication address. Only a node that is wrongly configured
//! as side 0, too, connects there, and it gets a refusal with the reason.

use std::io;
use std::net;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::accept::LinkAcceptor;
use super::addresses::PartnerAddresses;
use super::connect_outcome::ConnectOutcome;
use super::dial::Dialler;
use super::status::ReplicationStatus;
use crate::replication::tls::LinkTls;

/// The tasks that dial and accept the partner.
pub(super) struct Connectors {
    tasks: Vec<AbortHandle>,
}

impl Connectors {
    /// Starts the tasks; their outcomes go to `found`.
    pub(super) fn start(
        dials: bool,
        partner: PartnerAddresses,
        listeners: Vec<net::TcpListener>,
        tls: LinkTls,
        found: mpsc::Sender<ConnectOutcome>,
        status: Arc<ReplicationStatus>,
    ) -> io::Result<Self> {
        // So that the partner's addresses are known when the first node is refused.
        partner.refresh();
        let mut tasks = Vec::new();
        let acceptor = Arc::new(LinkAcceptor {
            partner: partner.clone(),
            found: found.clone(),
            status,
            tls: tls.clone(),
            unauthenticated_links: Mutex::default(),
            failures: Mutex::default(),
        });
        for listener in listeners {
            let listener = TcpListener::from_std(listener)?;
            tasks.push(tokio::spawn(Arc::clone(&acceptor).run(listener)).abort_handle());
        }
        if dials {
            let dialler = Dialler {
                tls,
                partner,
                preferred: None,
                found,
            };
            tasks.push(tokio::spawn(dialler.run()).abort_handle());
        }
        Ok(Self { tasks })
    }
}

impl Drop for Connectors {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}
