//! Side 1 looks for side 0 while it waits for it.
//!
//! Side 1 is dialled, so a side 0 that is frozen, or that cannot reach this node, would look absent
//! to it. Therefore a waiting side 1 dials its `failover`: one connection at a time, which stays
//! open as long as nothing comes on it. It proves the key and says its hello, so that side 0 knows
//! it from a link and from a stranger, and so that two nodes that both are side 1 find out.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use super::addresses::PartnerAddresses;
use super::attempt::{Attempt, first_answered};
use super::authenticate::{LinkAuthError, LinkStream};
use super::connect_outcome::{ConnectOutcome, NoLink};
use super::recover::{RECOVERY_PAUSE, catch_panic};
use crate::limits::{LINK_AUTH_BYTES_MAX, LINK_AUTH_MS, PROBE_DELAY_MS, PROBE_INTERVAL_MS};
use crate::replication::link::RefusalKind;
use crate::replication::tls::LinkTls;
use crate::replication::wire::{Frame, Framer, WireError};

/// Looks for side 0 while it is wanted.
pub(super) struct Prober {
    pub(super) tls: LinkTls,
    pub(super) partner: PartnerAddresses,
    pub(super) found: mpsc::Sender<ConnectOutcome>,
    /// The hello to say, while this node waits for its partner.
    pub(super) wanted: watch::Receiver<Option<Vec<u8>>>,
}

impl Prober {
    /// Runs until nobody wants to know, whatever panics meanwhile.
    pub(super) async fn run(mut self) {
        while catch_panic(self.probe_while_wanted()).await.is_err() {
            sleep(RECOVERY_PAUSE).await;
        }
    }

    async fn probe_while_wanted(&mut self) {
        loop {
            if self.wanted.wait_for(Option::is_some).await.is_err() {
                return;
            }
            sleep(Duration::from_millis(PROBE_DELAY_MS)).await;
            while let Some(hello) = self.hello() {
                if let Some(outcome) = self.probe(&hello).await {
                    self.report(outcome).await;
                }
                sleep(Duration::from_millis(PROBE_INTERVAL_MS)).await;
            }
        }
    }

    fn hello(&self) -> Option<Vec<u8>> {
        self.wanted.borrow().clone()
    }

    /// What is found once nobody waits any more is of no use.
    async fn report(&self, outcome: ConnectOutcome) {
        if self.wanted.borrow().is_some() {
            // Fails only while the thread ends.
            let _ = self.found.send(outcome).await;
        }
    }

    /// Tries each address of the partner until a node answers at one. `None`: none does, which is
    /// nothing new, because side 0 need not listen.
    async fn probe(&self, hello: &[u8]) -> Option<ConnectOutcome> {
        let addresses = self.partner.to_dial().await.ok()?;
        let limit_ms = LINK_AUTH_MS / addresses.len().max(1) as u64;
        let mut outcome = None;
        for address in addresses {
            let result = match Attempt::at(address, &self.tls, limit_ms).await {
                Attempt::Authenticated(stream) => Ok(stream),
                Attempt::Silent(dial) => {
                    self.report(unresponsive(dial.reason())).await;
                    first_answered(&mut vec![dial]).await.finish().await
                }
                Attempt::Failed(error) => Err(error),
            };
            match result {
                Ok(stream) => return Some(introduce(stream, hello).await),
                Err(LinkAuthError::OtherKey) => return Some(ConnectOutcome::other_key()),
                Err(LinkAuthError::OtherProtocol(what)) => {
                    let reason = format!("{address}: {what}");
                    outcome = Some(ConnectOutcome::NoLink(NoLink::OtherProtocol(reason)));
                }
                Err(LinkAuthError::Socket(_)) => {}
            }
        }
        outcome
    }
}

/// Says the hello to a node that holds the key, and reads whether it refuses this one.
async fn introduce(mut stream: LinkStream, hello: &[u8]) -> ConnectOutcome {
    let limit = Duration::from_millis(LINK_AUTH_MS);
    if let Ok(Ok(refused)) = timeout(limit, refusal(&mut stream, hello)).await {
        return refused;
    }
    unresponsive("side 0 runs, and has not dialled this node".to_owned())
}

fn unresponsive(reason: String) -> ConnectOutcome {
    ConnectOutcome::NoLink(NoLink::Unresponsive(reason))
}

/// The refusal that answers the hello.
///
/// # Errors
/// There is none: the connection was closed.
async fn refusal(stream: &mut LinkStream, hello: &[u8]) -> io::Result<ConnectOutcome> {
    stream.write_all(hello).await?;
    let mut framer = Framer::default();
    let mut refused = None;
    let mut buffer = [0; 1024];
    let mut left_bytes = LINK_AUTH_BYTES_MAX;
    while refused.is_none() {
        let count = stream.read(&mut buffer).await?;
        if count == 0 || count > left_bytes {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        left_bytes -= count;
        let each = |frame: Frame<'_>| {
            if let Frame::Refuse { code, reason } = frame {
                refused = Some(ConnectOutcome::Refused {
                    reason: format!("refused by the partner: {reason}"),
                    is_temporary: RefusalKind::from_code(code) == RefusalKind::LinkedElsewhere,
                });
            }
            Ok::<(), WireError>(())
        };
        framer
            .feed(&buffer[..count], each)
            .map_err(io::Error::other)?;
    }
    // The other node has closed the connection, or is about to.
    let _ = stream.shutdown().await;
    refused.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}
