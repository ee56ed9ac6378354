//! Events and errors of a link.

use std::fmt;

use thiserror::Error;

use super::health::DegradedReason;
use crate::replication::wire::WireError;
use crate::store::Timestamp;

/// Something the node acts on or logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkEvent {
    /// The handshake is complete. Both sides have absorbed the other's clock and
    /// flush watermark.
    Up {
        /// How the partner described itself.
        partner: Partner,
    },
    /// The partner's sync is complete: this node holds what the partner held when it began.
    PartnerSyncDone,
    /// This node's sync is on the wire to the end.
    OwnSyncDone,
    /// The partner is too slow to be waited for: nobody waits from now on.
    Degraded {
        /// Why.
        reason: DegradedReason,
    },
    /// The partner has been fast enough for a while: clients wait for it again.
    Recovered,
    /// One node refused the other; the link closes.
    Refused {
        /// Why.
        reason: Refusal,
        /// Whether it was the partner that refused.
        by_partner: bool,
    },
    /// A flush of the partner raised this node's flush watermark.
    FlushRaised {
        /// The new flush watermark.
        flush_watermark: Timestamp,
    },
    /// The partner's clock is more than a minute ahead of this node's, so its writes win until this
    /// clock has caught up. Once per link.
    ClockAhead {
        /// How far, in milliseconds.
        ahead_ms: u64,
    },
    /// The wall clocks of both nodes differ by a second or more, or agree again.
    WallClocks {
        /// Whether they differ.
        differ: bool,
        /// How far the partner's is ahead, in milliseconds; negative if it is behind.
        skew_ms: i64,
    },
    /// What this node wrote before its first link was moved to later timestamps.
    Lifted {
        /// How far, in milliseconds.
        distance_ms: u64,
        /// How many items and deletions.
        entries: u64,
    },
}

/// The other node of the pair, as it described itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partner {
    /// 0 or 1.
    pub side: u8,
    /// MSM's name of the node; may be empty.
    pub node_id: String,
    /// A number that differs for each start of that node.
    pub incarnation: u64,
    /// Its settings that should be equal on both nodes, as text.
    pub policy: String,
    /// Its own replication address; empty if it has none.
    pub listen_addr: String,
    /// What it takes for the replication address of this node; may be empty.
    pub failover_addr: String,
}

/// Why two nodes do not make a pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What kind of reason.
    pub kind: RefusalKind,
    /// The reason and what to do about it, as both logs show it.
    pub reason: String,
}

/// Kinds of refusal; the number is the wire's reason code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// A reason this version does not know.
    Other = 0,
    /// Both nodes have the same side.
    EqualSides = 1,
    /// There is no wire version both speak.
    NoCommonVersion = 3,
    /// A timestamp more than a year ahead of the refusing node's clock.
    ClockAhead = 4,
    /// The refusing node is linked to another process of the same side.
    LinkedElsewhere = 5,
}

impl RefusalKind {
    /// The kind of a wire's reason code.
    pub fn from_code(code: u8) -> Self {
        match code {
            1 => Self::EqualSides,
            3 => Self::NoCommonVersion,
            4 => Self::ClockAhead,
            5 => Self::LinkedElsewhere,
            _ => Self::Other,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

/// Why a link is over.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LinkError {
    /// The partner or the network failed: nothing was received for a second.
    #[error("the partner was silent for a second")]
    Silent,
    /// The partner sent bytes that are not a frame.
    #[error("the partner sent {0}")]
    Wire(#[from] WireError),
    /// The partner sent a frame where it is not allowed.
    #[error("the partner sent {0}")]
    Protocol(&'static str),
    /// A fault of this program: what is wrong with this node's state of the link.
    #[error("this node's state of the link was wrong: {0}")]
    State(&'static str),
    /// The configuration of one of the nodes: this one refused.
    #[error("refused the partner: {0}")]
    Refused(Refusal),
    /// The configuration of one of the nodes: the partner refused.
    #[error("refused by the partner: {0}")]
    RefusedByPartner(Refusal),
}

impl LinkError {
    /// Why one node refused the other, if that is what ended the link.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) | Self::RefusedByPartner(refusal) => Some(refusal),
            _ => None,
        }
    }
}
