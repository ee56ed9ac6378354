//! What an attempt to connect the two nodes comes to.

use tokio::sync::oneshot;

use super::accepted_link::AcceptedLink;
use super::authenticate::{LinkAuthError, LinkStream};

/// The result of an attempt to connect.
pub(super) enum ConnectOutcome {
    /// This node dialled its partner.
    Dialled(Box<Dialled>),
    /// A node that holds the key dialled this one.
    Accepted(Box<AcceptedLink>),
    /// The partner cannot be linked, because one of the nodes refuses the other.
    Refused {
        /// Why, and what to do.
        reason: String,
        /// It may go away by itself.
        is_temporary: bool,
    },
    /// There is no link; why.
    NoLink(NoLink),
}

impl ConnectOutcome {
    /// A memtwin node at the partner's address or on its host does not hold the key.
    pub(super) fn other_key() -> Self {
        Self::Refused {
            reason: LinkAuthError::OtherKey.to_string(),
            is_temporary: false,
        }
    }
}

/// A connection to the partner that this node has made.
pub(super) struct Dialled {
    pub(super) stream: LinkStream,
    /// Dropped when the link ends: the dialler waits for that before it dials again.
    pub(super) link_lives: oneshot::Sender<()>,
}

/// Why there is no link to the partner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoLink {
    /// Its name has no address. Logged by the lookup.
    Unresolved(String),
    /// Nothing answers, or the connection ends before the key is proved.
    Unreachable(String),
    /// Something answers that does not speak the link's protocol.
    OtherProtocol(String),
    /// Its host accepts connections, but its process says nothing, or runs and does not dial.
    Unresponsive(String),
}

impl NoLink {
    /// The reason in words.
    pub(super) fn reason(&self) -> &str {
        match self {
            Self::Unresolved(reason)
            | Self::Unreachable(reason)
            | Self::OtherProtocol(reason)
            | Self::Unresponsive(reason) => reason,
        }
    }

    /// Whether both are of the same kind, whatever their reasons.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}
