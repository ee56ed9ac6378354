//! The rules that keep both tables of a pair equal, one name for each.
//!
//! The code that follows a rule asks [`holds`]. In a server the answer is a constant. Tests take
//! rules away: `scripts/simulate --without RULE` must then find a history that goes wrong.

macro_rules! rules {
    ($($(#[$doc:meta])+ $name:ident,)+) => {
        /// What link, store and startup gate of the two nodes rely on.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Rule {
            $($(#[$doc])+ $name,)+
        }

        #[cfg(test)]
        impl Rule {
            /// In the order in which they are declared.
            pub(crate) const ALL: &[Self] = &[$(Self::$name,)+];
        }
    };
}

rules! {
    /// Expiry leaves a tombstone of what the partner has not confirmed.
    TombstoneOnExpiry,
    /// Eviction leaves a tombstone of what the partner has not confirmed.
    TombstoneOnEviction,
    /// Eviction takes items, not tombstones.
    TombstonesAreNotEvicted,
    /// An ack confirms the version it is for, and no other.
    AckConfirmsItsVersion,
    /// An ack of *no room* confirms nothing.
    NoRoomConfirmsNothing,
    /// An ack of *no room* protects no write that waits for it.
    NoRoomProtectsNothing,
    /// Groups of writes that share a key share what became of its record.
    SharedKeysShareRefusals,
    /// The end of a transfer answers those who wrote its version, and nobody else.
    TransferAnswersItsVersion,
    /// A group of writes waits for its last key.
    GroupWaitsForItsLastKey,
    /// Clients of a dropped batch are told that nobody protects it.
    OverflowAnswersWaiters,
    /// A record that does not fit is answered with *no room*.
    NoRoomIsAnswered,
    /// A record that does not fit removes the older version.
    NoRoomRemovesOlder,
    /// A record that was applied counts as confirmed at its receiver.
    RecordIsConfirmed,
    /// A touch makes a confirmed item unconfirmed.
    TouchUnconfirms,
    /// Of two equal timestamps, the later touch wins.
    TouchOrdersVersions,
    /// Of two deadlines of a version, the earlier counts.
    EarlierDeadlineCounts,
    /// A tombstone does not remove an item of its own version.
    EqualTombstoneKeepsItem,
    /// Records below the flush watermark are refused.
    WatermarkRefusesRecords,
    /// The timestamps of records are absorbed.
    RecordTimestampsAbsorbed,
    /// The timestamps that supersede a record are absorbed.
    SupersededTimestampsAbsorbed,
    /// The clock in a hello is absorbed.
    HelloClockAbsorbed,
    /// The flush watermark in a hello counts.
    HelloWatermarkCounts,
    /// A flush is sent although no record follows it.
    FlushIsSent,
    /// A full change queue requests a sync.
    OverflowRequestsSync,
    /// A sync sends every tombstone.
    SyncSendsTombstones,
    /// A bucket with a tombstone is not offered as empty.
    TombstoneIsNoEmptyBucket,
    /// A listed bucket is known once its list is answered.
    AnsweredListMakesKnown,
    /// Keys of unknown buckets are asked for.
    UnknownBucketsAreAskedFor,
    /// An ask is answered after the records of its keys.
    AskIsAnsweredAfterRecords,
    /// An ask brings whole records, not touches.
    AskBringsWholeRecords,
    /// What a comparison has found equal is confirmed.
    EqualBucketsAreConfirmed,
    /// What the partner says of an item outweighs the comparison of its bucket.
    PartnersWordOutweighsComparison,
    /// What a former life of the partner has confirmed does not count.
    ConfirmedPerLife,
    /// Only a value that the partner holds is touched without it.
    TouchNeedsValueThere,
    /// What the partner lacks for a touch is sent as a whole.
    LackingSendsRecord,
    /// The partner is told what was evicted here.
    EvictionsAreTold,
    /// The end of a sync waits for deferred values.
    SyncEndWaitsForDeferred,
    /// A value that the live lane sends ends its transfer in the sync lane.
    LiveEndsSyncTransfer,
    /// A removed value ends its transfer.
    RemovalEndsTransfer,
    /// A value of which the partner has sent a record ends its transfer once it is replaced.
    PartnerRecordEndsTransfer,
    /// Transfers that may not continue end before acks are sent.
    TransfersEndBeforeAcks,
    /// A value that changed during its transfer is sent again.
    ChangedTransferIsSentAgain,
    /// What was evicted for a record is sent.
    EvictionsForRecordsAreSent,
    /// The frames in flight are bounded.
    WindowsBoundFrames,
    /// A silent partner ends the link.
    SilenceEndsLink,
    /// The fastest heartbeat tells the partner's clock.
    FastestHeartbeatCounts,
    /// Deadlines are converted to the receiver's clock.
    DeadlinesAreConverted,
    /// Space that was reported requests a sync.
    SpaceRequestsSync,
    /// What a node wrote before it met its partner is lifted above its former life.
    FormerLifeIsLifted,
    /// What was written after the clock was set is lifted no farther than order needs.
    LiftEndsAtLeap,
    /// The lift moves nothing that was written after it began.
    LiftSparesNewWrites,
    /// The lift raises the flush watermark, too.
    LiftRaisesWatermark,
    /// The client port stays closed while the partner's table arrives.
    PortWaitsForSync,
}

/// Whether the code follows a rule.
#[cfg(not(test))]
#[inline(always)]
pub(crate) const fn holds(_rule: Rule) -> bool {
    true
}

#[cfg(test)]
pub(crate) use for_tests::{holds, take_away};

#[cfg(test)]
mod for_tests {
    use std::cell::Cell;
    use std::str::FromStr;

    use super::Rule;

    thread_local! {
        static WITHOUT: Cell<Option<Rule>> = const { Cell::new(None) };
    }

    /// Whether the code follows a rule on this thread.
    pub(crate) fn holds(rule: Rule) -> bool {
        WITHOUT.get() != Some(rule)
    }

    /// This thread follows all rules but this one from now on.
    pub(crate) fn take_away(rule: Option<Rule>) {
        WITHOUT.set(rule);
    }

    impl Rule {
        pub(crate) fn name(self) -> String {
            format!("{self:?}")
        }
    }

    impl FromStr for Rule {
        type Err = String;

        fn from_str(name: &str) -> Result<Self, String> {
            let found = Self::ALL.iter().find(|rule| rule.name() == name);
            found
                .copied()
                .ok_or_else(|| format!("no rule {name}: there are {:?}", Self::ALL))
        }
    }
}
