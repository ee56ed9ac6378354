//! Sync: brings the partner what it lacks since the link was down, or since changes were dropped.
//!
//! Keys lie in 65,536 buckets by their hash. Each side does two things, independently of the other:
//! its [`SyncSender`] offers its own table, its [`SyncReceiver`] takes the partner's. In one
//! *round*
//!
//! 1. the sender sends its tombstones, and the sums of its buckets;
//! 2. the receiver compares them with its own. Equal buckets, and those in which the sender has
//!    nothing, are *known*: the partner holds nothing newer there. Of the others it lists what it
//!    holds, as hashes and versions, at most two lists at a time;
//! 3. the sender answers each list with the records that the receiver lacks or has older versions
//!    of, and at the end with a mark, which makes the listed buckets known;
//! 4. the sender's end mark follows the answer to the last list.
//!
//! All of it goes behind the live lane, in a window of its own. The receiver keeps no table of the
//! partner's sums, and the sender none of lists beyond two frames: both are bounded whatever the
//! partner sends. The cost grows with the difference, but for eight bytes a bucket.
//!
//! Why nothing is missed: both sides read their tables after the link came up, and every change
//! from then on goes through the live lane. A sum that was equal was that of a moment at which both
//! held the same; an entry that changes after its shard was listed is on its way already. Where
//! that is not so, because changes were dropped, the partner is told of their buckets (`Unsynced`),
//! takes them for unknown at once, and they are compared again in the next round.
//!
//! What a round brings obeys the rules of all records: of two versions the higher one stays, and
//! there is one ordered stream in each direction.

mod held_there;
mod receive;
mod receiver;
mod send;
mod sender;
mod shard_view;

use receiver::SyncReceiver;
use sender::SyncSender;

/// Both directions of one connection.
#[derive(Debug, Default)]
pub(super) struct Sync {
    pub(super) sender: SyncSender,
    pub(super) receiver: SyncReceiver,
    /// How many more entries may be looked at in this output.
    entries_left: usize,
    /// That was not enough: it goes on in the next one.
    is_unfinished: bool,
}

impl Sync {
    /// The sync of a link that has come up: everything is to be compared. `same_hashes`: both nodes
    /// hash keys with the same secret.
    pub(super) fn begun(same_hashes: bool) -> Self {
        let mut sender = SyncSender::default();
        sender.request_all();
        Self {
            sender,
            receiver: SyncReceiver::new(same_hashes),
            ..Self::default()
        }
    }

    /// Whether neither direction has anything to send, or may have once the partner answers.
    pub(super) fn is_idle(&self) -> bool {
        self.sender.is_idle() && !self.receiver.is_listing()
    }

    /// Whether the next output may carry more of it, without any event before.
    pub(super) fn is_unfinished(&self) -> bool {
        self.is_unfinished
    }
}
