//! The unfinished TLS handshakes of one worker.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use tokio::sync::Mutex;
use tokio::task::AbortHandle;

use crate::limits::HANDSHAKES_MAX;
use crate::logs::clients;
use crate::node::Node;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Handshakes {
    /// The unfinished ones, the oldest first.
    pub(super) open: RefCell<BTreeMap<u64, AbortHandle>>,
    pub(super) begun: Cell<u64>,
    /// Held by the handshake that takes the next step. Fair.
    pub(super) turn: Mutex<()>,
}

impl Handshakes {
    /// Closes the oldest one if there are too many.
    pub(super) fn make_room(&self, node: &Node) {
        let mut open = self.open.borrow_mut();
        if open.len() < HANDSHAKES_MAX {
            return;
        }
        let oldest = open.pop_first();
        drop(open);
        if let Some((_, oldest)) = oldest {
            oldest.abort();
            node.counters.ssl_handshake_errors.count_shared();
            clients::handshake_failed(&"the oldest unfinished handshake was closed for a new one");
        }
    }
}
