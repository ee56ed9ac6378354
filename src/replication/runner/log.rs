//! Log lines of the link: one for each change of state, however often an attempt is repeated, and
//! a reminder with a count.

use std::net::SocketAddr;
use std::time::Instant;

use super::connect_outcome::Absence;
use crate::logs::Repeated;
use crate::replication::link::{Partner, Refusal};
use crate::store::Timestamp;

/// One limiter for each kind of line.
#[derive(Debug, Default)]
pub(super) struct LinkLog {
    up: Repeated,
    down: Repeated,
    failed: ByReason,
    fault: ByReason,
    refused: ByReason,
    absent: Repeated,
    other_node: Repeated,
    other_key: Repeated,
    clock_ahead: Repeated,
    wall_clocks: Repeated,
    flushed: Repeated,
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
        self.absent.changed();
        if let Some(suppressed) = happened(&mut self.up) {
            let Partner {
                node_id,
                side,
                incarnation,
            } = partner;
            tracing::info!(node_id, side, incarnation, suppressed, "link up");
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
                "link reset after a fault; a full sync follows: report this with the lines before"
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

    /// The dialled partner is absent; `is_new_kind`: for another kind of reason than before.
    pub(super) fn absent(&mut self, absence: &Absence, is_new_kind: bool) {
        if is_new_kind {
            self.absent.changed();
        }
        let reason = absence.reason();
        match absence {
            // The lookup logs it.
            Absence::Unresolved(_) => {}
            Absence::Unreachable(_) => {
                if let Some(suppressed) = self.absent.log_now(Instant::now()) {
                    tracing::info!(reason, suppressed, "the partner cannot be reached");
                }
            }
            Absence::OtherProtocol(_) => {
                if let Some(suppressed) = self.absent.log_now(Instant::now()) {
                    tracing::warn!(
                        reason,
                        suppressed,
                        "another server answers at the partner's address: check \
                         replication.failover"
                    );
                }
            }
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
                "the clock was behind that of an earlier life: later timestamps for all entries"
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
