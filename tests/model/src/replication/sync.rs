//! The names of the server's `replication/sync.rs`, made of steps that the model can interleave.
//!
//! The atomics are the model's own. Who looks into a channel without taking from it, or finds it
//! empty, may see an older state: only a fence of the queue itself prevents that. The lock around
//! the items orders those who send and take a little more than crossbeam does.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::iter;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use loom::sync::MutexGuard;
pub use loom::sync::atomic::{AtomicU64, AtomicUsize, Ordering, fence};
pub use tokio::sync::oneshot;

/// A flag whose stores have one order. The model's own lets a swap miss a store that happened
/// before it, if another swap ran at the same time as that store.
#[derive(Debug)]
pub struct AtomicBool(loom::sync::atomic::AtomicBool);

/// A lock that is not poisoned.
#[derive(Default)]
pub struct Mutex<T>(loom::sync::Mutex<T>);

/// One end of a bounded channel.
#[derive(Debug)]
pub struct Sender<T>(Arc<Channel<T>>);

/// The other end.
#[derive(Debug)]
pub struct Receiver<T>(Arc<Channel<T>>);

#[derive(Debug)]
struct Channel<T> {
    items: Mutex<VecDeque<T>>,
    /// How many, for those who look without the lock.
    count: AtomicUsize,
    items_max: usize,
}

/// The channel had no room, or nothing.
#[derive(Debug)]
pub struct Refused;

/// Wakes one task, or the next that waits.
#[derive(Debug, Default)]
pub struct Notify(Mutex<Notified>);

#[derive(Debug, Default)]
struct Notified {
    is_due: bool,
    /// Of each, one task at a time waits.
    waiter: Option<Waker>,
}

impl AtomicBool {
    /// A new flag.
    pub fn new(value: bool) -> Self {
        Self(loom::sync::atomic::AtomicBool::new(value))
    }

    /// Its value, or an older one.
    pub fn load(&self, order: Ordering) -> bool {
        self.0.load(order)
    }

    /// Sets it.
    pub fn store(&self, value: bool, order: Ordering) {
        self.0.swap(value, order);
    }

    /// Sets it. Returns what it was.
    pub fn swap(&self, value: bool, order: Ordering) -> bool {
        self.0.swap(value, order)
    }
}

impl<T> Mutex<T> {
    /// Waits for the lock.
    #[expect(
        clippy::expect_used,
        reason = "a panic ends the model, so nobody comes after it"
    )]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().expect("not poisoned")
    }
}

impl<T> fmt::Debug for Mutex<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Mutex")
    }
}

/// Both ends of a channel for so many.
pub fn bounded<T>(items_max: usize) -> (Sender<T>, Receiver<T>) {
    let channel = Arc::new(Channel {
        items: Mutex(loom::sync::Mutex::new(VecDeque::new())),
        count: AtomicUsize::new(0),
        items_max,
    });
    (Sender(Arc::clone(&channel)), Receiver(channel))
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Sender<T> {
    /// Adds an item.
    ///
    /// # Errors
    /// The channel is full; the item is dropped.
    pub fn try_send(&self, item: T) -> Result<(), Refused> {
        let mut items = self.0.items.lock();
        if items.len() >= self.0.items_max {
            return Err(Refused);
        }
        items.push_back(item);
        self.0.count.fetch_add(1, Ordering::AcqRel);
        Ok(())
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.0.count.load(Ordering::Acquire)
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> Receiver<T> {
    /// Takes the oldest item.
    ///
    /// # Errors
    /// The channel is empty, as far as this thread can see.
    pub fn try_recv(&self) -> Result<T, Refused> {
        if self.is_empty() {
            return Err(Refused);
        }
        let mut items = self.0.items.lock();
        let item = items.pop_front().ok_or(Refused)?;
        self.0.count.fetch_sub(1, Ordering::AcqRel);
        Ok(item)
    }

    /// Takes items until there is none.
    pub fn try_iter(&self) -> impl Iterator<Item = T> {
        iter::from_fn(|| self.try_recv().ok())
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.0.count.load(Ordering::Acquire) == 0
    }
}

impl Notify {
    /// Nobody is notified yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Wakes the task that waits, or lets the next wait end at once.
    pub fn notify_one(&self) {
        let waiter = {
            let mut state = self.0.lock();
            state.is_due = true;
            state.waiter.take()
        };
        if let Some(waiter) = waiter {
            waiter.wake();
        }
    }

    /// Waits until it is notified.
    pub fn notified(&self) -> impl Future<Output = ()> {
        poll_fn(|context| self.poll_notified(context))
    }

    fn poll_notified(&self, context: &Context<'_>) -> Poll<()> {
        let mut state = self.0.lock();
        if std::mem::take(&mut state.is_due) {
            state.waiter = None;
            return Poll::Ready(());
        }
        state.waiter = Some(context.waker().clone());
        Poll::Pending
    }
}
