//! Memory that holds no item but grows with traffic: replies that clients have not read, changes
//! that the partner has not taken. It is charged, so that items make room for it.

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
    /// Keys and records on their way to the partner.
    Replication,
}

/// Memory charged for one purpose; given back when it is dropped.
#[derive(Debug)]
pub struct Reservation {
    shared: Arc<Shared>,
    purpose: Purpose,
    bytes: u64,
}

impl Reservation {
    /// Charges another number of bytes in place of the present one, however much memory is left:
    /// the next change of the store evicts for it.
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
    /// A reservation of nothing yet.
    pub fn reservation(&self, purpose: Purpose) -> Reservation {
        Reservation {
            shared: Arc::clone(&self.shared),
            purpose,
            bytes: 0,
        }
    }

    /// Whether replies that clients do not read hold their share of memory: then each client is
    /// given less at once.
    pub fn is_output_scarce(&self) -> bool {
        let account = &self.shared.account;
        let held_bytes = account.output_bytes.load(Ordering::Relaxed);
        held_bytes > account.budget_bytes() / OUTPUT_SHARE
    }
}
