//! A client that watches.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::mailbox::Mailbox;
use crate::limits::WATCHERS_MAX;
use crate::node::Node;
use crate::protocol::text::Events;

/// See the module. Dropping it ends that.
pub(crate) struct Watcher {
    pub(crate) node: Arc<Node>,
    pub(crate) mailbox: Arc<Mailbox>,
}

impl Watcher {
    /// Starts to send a client these events. `None` if too many clients watch already.
    pub(crate) fn begin(node: &Arc<Node>, events: Events) -> Option<Self> {
        let this = &node.watch;
        let mut watchers = this.watchers.lock();
        if watchers.len() == WATCHERS_MAX {
            return None;
        }
        let first_line = this.shared.lines.fetch_add(1, Ordering::Relaxed) + 1;
        let mailbox = Arc::new(Mailbox::new(events, first_line, this.mailbox_bytes));
        watchers.push(Arc::clone(&mailbox));
        this.update_events(&watchers);
        drop(watchers);
        node.counters.log_watchers.count_shared();
        // A full channel wakes the thread as well.
        let _ = this.wake.try_send(());
        Some(Self {
            node: Arc::clone(node),
            mailbox,
        })
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let watch = &self.node.watch;
        let mut watchers = watch.watchers.lock();
        watchers.retain(|it| !Arc::ptr_eq(it, &self.mailbox));
        watch.update_events(&watchers);
        drop(watchers);
        self.node.counters.log_watchers.uncount_shared();
    }
}
