//! Log lines of the link: one for each change of state, however often an attempt is repeated, and
//! a reminder with a count.

use std::net::SocketAddr;
use std::time::Instant;

use super::connect_outcome::NoLink;
use super::differences::{self, Difference};
use crate::logs::Repeated;
use crate::replication::link::{DegradedReason, LinkConfig, Partner, Refusal};
use crate::store::Timestamp;

/// One limiter for each kind of line.
#[derive(Debug, Default)]
pub(super) struct LinkLog {
    up: Repeated,
    down: Repeated,
    failed: ByReason,
    fault: ByReason,
    refused: ByReason,
    no_link: Repeated,
    port_closed: Repeated,
    other_node: Repeated,
    other_key: Repeated,
    settings: ByReason,
    addresses: ByReason,
    clock_ahead: Repeated,
    wall_clocks: Repeated,
    flushed: Repeated,
    degraded: Repeated,
    own_sync: Repeated,
    partner_sync: Repeated,
}

/// A limiter for lines with a reason: a new reason is a change of state.
#[derive(Debug, Default)]
struct ByReason {
    reason: String,
    lines: Repeated,
}

impl ByReason {
    fn log_now(&mut self, reason: &str) -> Option<u64> {
        if self.reason != reason {
            reason.clone_into(&mut self.reason);
            self.lines.changed();
        }
        self.lines.log_now(Instant::now())
    }
}

/// For an event that is a change of state each time.
fn happened(lines: &mut Repeated) -> Option<u64> {
    lines.changed();
    lines.log_now(Instant::now())
}

impl LinkLog {
    pub(super) fn up(&mut self, partner: &Partner) {
        // The reasons of failed attempts are logged again from now on.
        self.refused.lines.changed();
        self.failed.lines.changed();
        self.no_link.changed();
        if let Some(suppressed) = happened(&mut self.up) {
            let Partner {
                node_id,
                side,
                incarnation,
                ..
            } = partner;
            tracing::info!(node_id, side, incarnation, suppressed, "link up");
        }
    }

    /// What the two nodes see differently, once the link is up.
    pub(super) fn differences(&mut self, own: &LinkConfig, partner: &Partner) {
        if let Some(Difference { own, partner }) = differences::of_settings(own, partner)
            && let Some(suppressed) = self.settings.log_now(partner)
        {
            tracing::warn!(
                own,
                partner,
                suppressed,
                "the settings of the two nodes differ: make them equal; until then everything \
                 travels"
            );
        }
        for Difference { own, partner } in differences::of_addresses(own, partner) {
            if let Some(suppressed) = self.addresses.log_now(partner) {
                tracing::warn!(
                    own,
                    partner,
                    suppressed,
                    "the two nodes name different addresses: check replication.listen and \
                     replication.failover on both"
                );
            }
        }
    }

    /// A link that was up has ended.
    pub(super) fn down(&mut self, reason: &str, client_port: &str) {
        if let Some(suppressed) = happened(&mut self.down) {
            tracing::warn!(reason, client_port, suppressed, "link down");
        }
    }

    /// A fault of this program ended the link.
    pub(super) fn fault(&mut self, reason: &str) {
        if let Some(suppressed) = self.fault.log_now(reason) {
            tracing::error!(
                reason,
                suppressed,
                "link reset after a fault; a sync follows: report this with the lines before"
            );
        }
    }

    /// A connection to the partner has ended before the link was up.
    pub(super) fn failed(&mut self, reason: &str) {
        if let Some(suppressed) = self.failed.log_now(reason) {
            tracing::debug!(reason, suppressed, "no link");
        }
    }

    /// One node refused the other. `is_temporary`: the reason may go away by itself.
    pub(super) fn refused(&mut self, reason: &str, is_temporary: bool, client_port: &str) {
        let Some(suppressed) = self.refused.log_now(reason) else {
            return;
        };
        if is_temporary {
            tracing::warn!(reason, client_port, suppressed, "link refused for now");
        } else {
            tracing::error!(reason, client_port, suppressed, "link refused");
        }
    }

    pub(super) fn refusal_is_over(&mut self) {
        if let Some(suppressed) = self.refused.lines.resolved() {
            tracing::info!(suppressed, "the partner that refused is gone");
        }
    }

    /// The partner was not reached; `is_new_kind`: for another kind of reason than before.
    pub(super) fn no_link(&mut self, found: &NoLink, is_new_kind: bool, client_port: &str) {
        if is_new_kind {
            self.no_link.changed();
        }
        let reason = found.reason();
        match found {
            // The lookup logs it.
            NoLink::Unresolved(_) => {}
            NoLink::Unreachable(_) => {
                if let Some(suppressed) = self.no_link.log_now(Instant::now()) {
                    tracing::info!(reason, suppressed, "the partner cannot be reached");
                }
            }
            NoLink::OtherProtocol(_) => {
                if let Some(suppressed) = self.no_link.log_now(Instant::now()) {
                    tracing::warn!(
                        reason,
                        suppressed,
                        "another server answers at the partner's address: check \
                         replication.failover"
                    );
                }
            }
            NoLink::Unresponsive(_) => {
                if let Some(suppressed) = self.no_link.log_now(Instant::now()) {
                    tracing::warn!(
                        reason,
                        client_port,
                        suppressed,
                        "the partner's host answers and its process does not link: see whether it \
                         hangs"
                    );
                }
            }
        }
    }

    /// The client port closes, because the link was lost before the partner's table was here.
    pub(super) fn port_closed(&mut self) {
        if let Some(suppressed) = happened(&mut self.port_closed) {
            tracing::warn!(
                suppressed,
                "not serving clients any more: the partner was lost before its table was here"
            );
        }
    }

    /// A node that holds the key connected while a link was up, and may not replace it.
    pub(super) fn other_node(&mut self, from: SocketAddr, refusal: &Refusal) {
        if let Some(suppressed) = self.other_node.log_now(Instant::now()) {
            let reason = refusal.reason.as_str();
            tracing::warn!(%from, reason, suppressed, "refused another node; the link stays");
        }
    }

    /// A node on the partner's host with another key connected while a link was up.
    pub(super) fn other_key(&mut self, reason: &str) {
        if let Some(suppressed) = self.other_key.log_now(Instant::now()) {
            tracing::warn!(reason, suppressed, "refused another node; the link stays");
        }
    }

    pub(super) fn clock_ahead(&mut self, ahead_ms: u64) {
        if let Some(suppressed) = self.clock_ahead.log_now(Instant::now()) {
            tracing::warn!(
                ahead_ms,
                suppressed,
                "the partner's clock is ahead; its writes win until this clock is there too: set \
                 both clocks (NTP)"
            );
        }
    }

    /// The wall clocks of both nodes differ, or agree again.
    pub(super) fn wall_clocks(&mut self, differ: bool, skew_ms: i64) {
        let Some(suppressed) = happened(&mut self.wall_clocks) else {
            return;
        };
        if differ {
            tracing::warn!(
                skew_ms,
                suppressed,
                "the wall clocks of the two nodes differ: set both (NTP), or writes to both nodes \
                 may be ordered wrongly"
            );
        } else {
            tracing::info!(
                skew_ms,
                suppressed,
                "the wall clocks of the two nodes agree"
            );
        }
    }

    /// What this node wrote before its first link was moved to later timestamps.
    pub(super) fn lifted(&mut self, distance_ms: u64, entries: u64) {
        if entries > 0 {
            tracing::info!(
                distance_ms,
                entries,
                "the clock was behind that of an earlier life: later timestamps for entries"
            );
        }
    }

    pub(super) fn flushed(&mut self, flush_watermark: Timestamp) {
        if let Some(suppressed) = happened(&mut self.flushed) {
            tracing::info!(
                flush_watermark = flush_watermark.get(),
                suppressed,
                "flushed by the partner"
            );
        }
    }

    /// Clients do not wait for the partner any more.
    pub(super) fn degraded(&mut self, reason: DegradedReason) {
        if let Some(suppressed) = happened(&mut self.degraded) {
            let reason = reason.words();
            tracing::warn!(
                reason,
                suppressed,
                "the partner is too slow: writes are answered without it until it has been in \
                 time for a while; look at its load and at the network"
            );
        }
    }

    /// Clients wait for the partner again.
    pub(super) fn recovered(&mut self) {
        if let Some(suppressed) = self.degraded.resolved() {
            tracing::info!(
                suppressed,
                "the partner is in time: writes wait for it again"
            );
        }
    }

    pub(super) fn own_sync_done(&mut self) {
        if let Some(suppressed) = happened(&mut self.own_sync) {
            tracing::info!(suppressed, "the partner has our table");
        }
    }

    pub(super) fn partner_sync_done(&mut self) {
        if let Some(suppressed) = happened(&mut self.partner_sync) {
            tracing::info!(suppressed, "the partner's table is here");
        }
    }
}
