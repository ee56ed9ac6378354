//! The housekeeping thread: refreshes the clock, fires delayed flushes, removes expired items, and
//! evicts after the memory limit was lowered.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::Node;
use crate::limits::{EXPIRY_ROUNDS, HOUSEKEEPING_MS, STALLED_INPUT_MS, WAITING_CHECK_MS};

/// Drops stalled input while other clients wait for memory to continue theirs. `waiting_ms` is the
/// time since all waiting inputs were last woken, while any waits.
fn make_room_for_input(node: &Node, now_boot_ms: u64, waiting_ms: &mut u64) {
    let excess_bytes = node.store.excess_input_bytes();
    if excess_bytes > 0 {
        // Input exceeds its bound and would leave no memory for items: drop what has grown least
        // recently.
        node.registry.drop_stalled(now_boot_ms, excess_bytes);
    }
    let Some(lacking_bytes) = node.store.lacking_input_bytes() else {
        return;
    };
    if lacking_bytes > 0 {
        let stalled_since_ms = now_boot_ms.saturating_sub(STALLED_INPUT_MS);
        node.registry.drop_stalled(stalled_since_ms, lacking_bytes);
    }
    *waiting_ms += HOUSEKEEPING_MS;
    if *waiting_ms >= WAITING_CHECK_MS {
        *waiting_ms = 0;
        node.store.wake_waiting_input();
    }
}

/// Starts the thread. It ends when the sender of `stop` is dropped.
pub(crate) fn start(node: Arc<Node>, stop: Receiver<()>) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name("housekeeping".to_owned())
        .spawn(move || {
            let period = Duration::from_millis(HOUSEKEEPING_MS);
            let mut round = 0;
            let mut waiting_ms = 0;
            while stop.recv_timeout(period) == Err(RecvTimeoutError::Timeout) {
                node.clock.refresh();
                let now = node.clock.now();
                if node.store.flush_if_due(now).is_some() {
                    node.wake_link();
                }
                make_room_for_input(&node, now.boot_ms, &mut waiting_ms);
                node.store.shrink(now, |context| node.send_changes(context));
                round = (round + 1) % EXPIRY_ROUNDS;
                let is_asked = node.crawler.is_asked_for_expiry();
                if round == 0 || is_asked {
                    node.store.expire(now, |context| node.send_changes(context));
                }
                if is_asked {
                    node.crawler.finish_expiry();
                }
            }
        })
}
