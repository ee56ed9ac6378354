//! The housekeeping thread: refreshes the clock, fires delayed flushes, expires items, and evicts
//! when the memory limit has been lowered.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::Node;
use crate::limits::{EXPIRY_ROUNDS, HOUSEKEEPING_MS, STALLED_INPUT_MS, WAITING_CHECK_MS};

/// While clients wait to send more of what they have begun, those that have stalled give way.
/// `waiting_ms` is how long somebody has waited since all who wait were last woken.
fn make_room_for_input(node: &Node, now_boot_ms: u64, waiting_ms: &mut u64) {
    let excess_bytes = node.store.excess_input_bytes();
    if excess_bytes > 0 {
        // Items would have no memory left: whoever has grown least recently gives way.
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

/// Starts the thread; it ends when the other end of `stop` is gone.
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
