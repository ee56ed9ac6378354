//! What an attempt to connect the two nodes comes to.

use tokio::sync::oneshot;

use super::accepted_link::AcceptedLink;
use super::authenticate::LinkStream;

/// The result of an attempt to connect.
pub(super) enum ConnectOutcome {
    /// This node dialled its partner.
    Dialled(Box<Dialled>),
    /// A node that holds the key dialled this one.
    Accepted(Box<AcceptedLink>),
    /// A memtwin node on the partner's host does not hold the key; why.
    Refused(String),
    /// No memtwin node was reached; why.
    Absent(Absence),
}

/// A connection to the partner that this node has made.
pub(super) struct Dialled {
    pub(super) stream: LinkStream,
    /// Dropped when the link ends: the dialler waits for that before it dials again.
    pub(super) link_lives: oneshot::Sender<()>,
}

/// Why a dialled partner counts as absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Absence {
    /// Its name has no address. Logged by the lookup.
    Unresolved(String),
    /// Nothing answers, or the connection ends before the key is proved.
    Unreachable(String),
    /// Something answers that does not speak the link's protocol.
    OtherProtocol(String),
}

impl Absence {
    /// The reason in words.
    pub(super) fn reason(&self) -> &str {
        match self {
            Self::Unresolved(reason) | Self::Unreachable(reason) | Self::OtherProtocol(reason) => {
                reason
            }
        }
    }

    /// Whether both are of the same kind, whatever their reasons.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}
