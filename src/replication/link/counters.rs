//! The counters of a link.

/// Numbers for `stats replication`: totals since the node's start, except those marked "now". Each
/// field with a row of its own is named like it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkCounters {
    /// How often the link came up.
    pub link_ups: u64,
    /// How often a fault of this program ended the link: its state was wrong, or its thread
    /// panicked.
    pub link_faults: u64,
    /// Whether the partner is too slow to be waited for, now.
    pub degraded: bool,
    /// How often the partner became too slow to be waited for.
    pub degradations: u64,
    /// Syncs that were sent to the end.
    pub pass_sent: u64,
    /// Syncs of the partner that were received to the end.
    pub pass_received: u64,
    /// Dirty keys that are not on the wire, now.
    pub queue_keys: u64,
    /// Records on the wire, partly or whole, that are not acknowledged, now.
    pub unconfirmed_records: u64,
    /// Bytes of unacknowledged frames, now.
    pub unconfirmed_bytes: u64,
    /// Whether the partner may lack an entry of the table, now: there is no link, or a sync is
    /// requested, running or not acknowledged to its end.
    pub sync_pending: bool,
    /// The partner has confirmed every change that the link had up to this moment, in boot-time
    /// milliseconds, now; `None` before it has confirmed anything on this link.
    pub confirmed_up_to_ms: Option<u64>,
    /// How much of the partner's table this node is known to have got on this link, in per cent of
    /// its buckets, now; 0 without a link.
    pub sync_progress_percent: u8,
    /// Batches of dirty keys that were dropped and left to a sync.
    pub queue_overflows: u64,
    /// Records sent in both lanes, tombstones included.
    pub records_sent: u64,
    /// Records sent that the partner applied or held already.
    pub records_confirmed: u64,
    /// Records sent of whose key the partner held something newer.
    pub records_superseded: u64,
    /// Records sent that the partner had no memory for.
    pub records_no_room: u64,
    /// Touches sent of whose key the partner did not hold the value: a whole record followed.
    pub records_lacking: u64,
    /// Transfers in chunks that a newer state of the key ended.
    pub records_aborted: u64,
    /// Records received.
    pub records_received: u64,
    /// Records received that this node applied or held already.
    pub records_applied: u64,
    /// Records received that this node had no memory for.
    pub records_refused: u64,
    /// Items of this node that the partner held and has evicted.
    pub partner_evictions: u64,
    /// Timestamps of the partner that were more than a minute ahead of our clock.
    pub clock_ahead: u64,
    /// How far the partner's wall clock is ahead of ours in milliseconds, now; negative if it is
    /// behind. `None` before a link has measured it.
    pub clock_skew_ms: Option<i64>,
    /// The wire version of the link, now.
    pub wire_version: Option<u16>,
}
