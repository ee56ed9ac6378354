//! How the two nodes connect: side 0 dials ([`dial`](super::dial)), side 1 accepts
//! ([`accept`](super::accept)), and both prove that they hold the pair's key.
//!
//! Side 0 listens as well if it has a replication address. A side 1 that waits for it looks there
//! whether it runs ([`probe`](super::probe)); a node that is wrongly configured as side 0, too,
//! gets a refusal with the reason.

use std::io;
use std::net;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;

use super::accept::LinkAcceptor;
use super::addresses::PartnerAddresses;
use super::connect_outcome::ConnectOutcome;
use super::dial::Dialler;
use super::probe::Prober;
use super::status::ReplicationStatus;
use crate::replication::tls::LinkTls;

/// What a node does to be linked, besides listening.
pub(super) enum Role {
    /// Side 0.
    Dials,
    /// Side 1. It looks for side 0 while there is a hello to say to it.
    IsDialled {
        probe: watch::Receiver<Option<Vec<u8>>>,
    },
}

/// The tasks that dial and accept the partner.
pub(super) struct Connectors {
    tasks: Vec<AbortHandle>,
}

impl Connectors {
    /// Starts the tasks; their outcomes go to `found`.
    pub(super) fn start(
        role: Role,
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
        let task = match role {
            Role::Dials => {
                let dialler = Dialler {
                    tls,
                    partner,
                    preferred: None,
                    silent: Vec::new(),
                    found,
                };
                tokio::spawn(dialler.run())
            }
            Role::IsDialled { probe } => {
                let prober = Prober {
                    tls,
                    partner,
                    found,
                    wanted: probe,
                };
                tokio::spawn(prober.run())
            }
        };
        tasks.push(task.abort_handle());
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
