//! Changing the memory limit while the store is in use.
//!
//! More memory is available at once. Less memory is reached in steps: each sets the budget a little
//! below what is used and evicts down to it, so that no client's write has to evict much. The
//! number of shards does not change.

use std::sync::atomic::Ordering;

use super::memory;
use super::op_context::OpContext;
use super::{Now, Store};
use crate::limits;

impl Store {
    /// Sets another `-m`.
    pub fn set_limit_bytes(&self, limit_bytes: u64) {
        self.limit_bytes.store(limit_bytes, Ordering::Relaxed);
        let account = &self.shared.account;
        let wanted_bytes = self.wanted_budget_bytes();
        // Without evictions no steps are needed: what does not fit is refused.
        if wanted_bytes >= account.budget_bytes() || !self.shared.evicting {
            account.set_budget_bytes(wanted_bytes);
        }
    }

    /// Goes on with what [`Self::set_limit_bytes`] has begun, a bounded number of bytes. Called by
    /// housekeeping only. `send_changes` gets the context with news for the partner.
    pub fn shrink(&self, now: Now, mut send_changes: impl FnMut(&mut OpContext)) {
        let account = &self.shared.account;
        let mut context = OpContext::at(now);
        for _ in 0..limits::SHRINK_STEPS {
            let wanted_bytes = self.wanted_budget_bytes();
            let memory = account.snapshot();
            if memory.budget_bytes <= wanted_bytes {
                return;
            }
            let used_bytes = memory.used_bytes.min(memory.budget_bytes);
            let lower_bytes = used_bytes.saturating_sub(limits::SHRINK_STEP_BYTES);
            account.set_budget_bytes(lower_bytes.max(wanted_bytes));
            self.evict_to_budget(&mut context);
            send_changes(&mut context);
        }
    }

    /// The part of `-m` that is not for items.
    pub fn kept_bytes(&self) -> u64 {
        memory::kept_bytes(
            self.limit_bytes(),
            self.shards.len(),
            self.shared.replicated,
        )
    }

    /// What items may take once all steps are done.
    fn wanted_budget_bytes(&self) -> u64 {
        self.limit_bytes().saturating_sub(self.kept_bytes())
    }
}
