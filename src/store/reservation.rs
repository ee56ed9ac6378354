//! Memory that is not an item but grows with traffic: replies that clients have not read, and
//! changes that the partner has not confirmed. It is charged to the account, so items are evicted
//! for it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Store;
use super::shared::Shared;
use crate::limits::OUTPUT_SHARE;

/// What a reservation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Replies that a client has not read yet.
    Output,
    /// Keys and records that the partner has not confirmed.
    Replication,
}

/// Memory charged for one purpose; refunded when it is dropped.
#[derive(Debug)]
pub struct Reservation {
    shared: Arc<Shared>,
    purpose: Purpose,
    bytes: u64,
}

impl Reservation {
    /// Changes the number of bytes charged, even beyond the budget: the next change of the store
    /// evicts for it.
    pub fn resize(&mut self, bytes: u64) {
        if bytes == self.bytes {
            return;
        }
        let account = &self.shared.account;
        let counts_as_output = self.purpose == Purpose::Output;
        if bytes > self.bytes {
            let more = bytes - self.bytes;
            account.charge(more);
            if counts_as_output {
                account.output_bytes.fetch_add(more, Ordering::Relaxed);
            }
        } else {
            let less = self.bytes - bytes;
            account.refund(less);
            if counts_as_output {
                account.output_bytes.fetch_sub(less, Ordering::Relaxed);
            }
        }
        self.bytes = bytes;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.resize(0);
    }
}

impl Store {
    /// A reservation of no bytes.
    pub fn reservation(&self, purpose: Purpose) -> Reservation {
        Reservation {
            shared: Arc::clone(&self.shared),
            purpose,
            bytes: 0,
        }
    }

    /// Whether unread replies hold more than their share of memory: then each turn may answer less.
    pub fn is_output_scarce(&self) -> bool {
        let account = &self.shared.account;
        let held_bytes = account.output_bytes.load(Ordering::Relaxed);
        held_bytes > account.budget_bytes() / OUTPUT_SHARE
    }
}
