//! What a link counts.

/// Numbers for `stats replication`. Totals since the node's start, but for the four that say what
/// waits now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkCounters {
    /// How often the link came up.
    pub link_ups: u64,
    /// Passes over our table that were sent to the end.
    pub pass_sent: u64,
    /// Passes of the partner that arrived to the end.
    pub pass_received: u64,
    /// Dirty keys that wait for their turn on the wire, now.
    pub queue_keys: u64,
    /// Records on the wire, in part or whole, without a verdict, now.
    pub unconfirmed_records: u64,
    /// Their bytes, now.
    pub unconfirmed_bytes: u64,
    /// The partner may lack anything of the table, now: the next link begins with a pass, or one
    /// is wanted, under way or not yet answered to its end.
    pub sync_pending: bool,
    /// Batches of dirty keys that were dropped and left to a pass.
    pub queue_overflows: u64,
    /// Records put on the wire, live and pass, tombstones included.
    pub records_sent: u64,
    /// Our records that the partner applied, or held already.
    pub records_confirmed: u64,
    /// Our records of which the partner held something newer.
    pub records_superseded: u64,
    /// Our records that the partner had no room for.
    pub records_no_room: u64,
    /// Transfers in pieces that a newer state of the key ended.
    pub records_aborted: u64,
    /// The partner's records that arrived.
    pub records_received: u64,
    /// The partner's records that our table holds now, or held already.
    pub records_applied: u64,
    /// The partner's records that found no room here.
    pub records_refused: u64,
    /// Stamps of the partner that were more than a minute ahead of our clock.
    pub clock_ahead: u64,
}
