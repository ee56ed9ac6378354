//! What a node knows of its own life and of its partner's, across links: the end of the last link,
//! and the lift of what it wrote before its first.
//!
//! Each node remembers when its last link ended, on its own clock, and with which incarnation of
//! the partner, and says so in its hello. A node that has met nobody in this life and hears of an
//! incarnation that is not its own was restarted: the partner may hold what an earlier life wrote,
//! with timestamps up to that moment. Then it lifts what it holds, see [`crate::store::Lift`].
//!
//! - The lift begins before anything of the partner's hello is absorbed: all timestamps are this
//!   life's own. The partner's flush watermark is raised after it, because the partner flushed what
//!   the former life knew, and not what this one wrote.
//! - The welcome follows the lift and carries the lifted clock. A link is up once both welcomes are
//!   there, so no record meets a timestamp that is still to be lifted. Both sides send heartbeats
//!   meanwhile, so that neither takes the other for dead.
//! - If the link is cut during the lift, the lift goes on, and the next handshake waits for it. It
//!   does not begin again: this node has met its partner then, and has the partner's clock.
//! - At most one of two nodes lifts: who remembers a link has met somebody in its life. If both
//!   were restarted alone, nobody remembers, and nothing of either's former life is left to lose
//!   against. A node that dies before its link is up leaves no trace: the partner still remembers
//!   the life before.

use crate::replication::wire::LastLink;
use crate::store::Lift;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Life {
    /// A hello of a partner was accepted.
    pub(super) has_met: bool,
    /// The end of the last link.
    pub(super) last_link: Option<LastLink>,
    /// The lift that is under way.
    pub(super) lift: Option<Lift>,
    /// The wall clocks were reported to differ.
    pub(super) skew_alarm: bool,
}
