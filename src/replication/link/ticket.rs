//! A group of writes whose clients wait for the partner.

/// Names a group of writes that a worker handed over together, and says when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The worker, from 0.
    pub worker: u16,
    /// Counts up from 1 for each worker; small and large groups have numbers of their own.
    pub number: u64,
    /// When it was handed over, on this node's boot-time clock.
    pub sent_ms: u64,
    /// The group is one value that needs more than one frame. Such values are answered out of
    /// order, because small records overtake them.
    pub is_large: bool,
}

/// What became of a [`Ticket`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Which group.
    pub ticket: Ticket,
    /// The partner's table holds every write of the group, or something newer. False if it refused
    /// one, or if nothing is known of it any more.
    pub protected: bool,
}

impl Answer {
    /// Nothing is known of the group.
    pub fn unprotected(ticket: Ticket) -> Self {
        Self {
            ticket,
            protected: false,
        }
    }
}

/// A group of writes as it reaches the link.
#[derive(Clone, Copy, Debug, Default)]
pub struct WriteGroup<'a> {
    /// The slots that were written, in that order.
    pub slots: &'a [u64],
    /// `None`: no client waits.
    pub ticket: Option<Ticket>,
    /// One of the writes is a flush, which the table has already.
    pub has_flushed: bool,
}
