//! The writes of one worker that wait for the partner, see [`super::commit`].

use std::cell::RefCell;
use std::sync::Arc;

use tokio::sync::Notify;

use crate::frontend::Output;
use crate::node::Node;
use crate::replication::change_queue::{Commits, WorkerAnswers};

/// See the module.
#[derive(Debug)]
pub(crate) struct CommitQueue {
    pub(super) commits: RefCell<Commits>,
    /// Wakes the task: there is a group to hand over.
    pub(super) added: Notify,
    pub(super) answers: Arc<WorkerAnswers>,
    /// Empty buffers for replies that wait.
    pub(super) outputs: RefCell<Vec<Output>>,
}

impl CommitQueue {
    /// `None` if the clients of this worker do not wait for a partner.
    pub(crate) fn of_worker(node: &Node, index: usize) -> Option<Self> {
        let ack_timeout = node.config.replication.ack_timeout;
        let ack_timeout_ms = ack_timeout.as_millis() as u64;
        let commits = node.change_queue.as_ref()?.commits(index, ack_timeout_ms)?;
        Some(Self {
            answers: commits.answers(),
            commits: RefCell::new(commits),
            added: Notify::new(),
            outputs: RefCell::default(),
        })
    }
}
