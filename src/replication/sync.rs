//! What the workers and the replication thread share data with: the change queue takes all of it
//! from here, so that `tests/model` can build the queue on a model of the same names.

pub(super) use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};

pub(super) use crossbeam_channel::{Receiver, Sender, bounded};
pub(super) use parking_lot::Mutex;
pub(super) use tokio::sync::{Notify, oneshot};
