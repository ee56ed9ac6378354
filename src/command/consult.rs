//! Commands that are put off until the partner has been asked.

use super::context::CommandContext;
use super::store_request::StoreMode;
use crate::limits::sizes;
use crate::store::{Consult, Dependence};

impl CommandContext<'_> {
    /// Whether any command may have to be put off. Callers ask this before they prepare what they
    /// ask next: it is all that a node without a partner pays.
    #[inline(always)]
    pub fn consults(&self) -> bool {
        self.store.consults()
    }

    /// Whether a command on these keys is to be put off, because the partner may hold something
    /// newer. What must be known first is noted in the context of the turn.
    #[inline(always)]
    pub fn puts_off<'k>(
        &mut self,
        keys: impl IntoIterator<Item = &'k [u8]>,
        dependence: Dependence,
    ) -> bool {
        self.store.consults() && self.consult(keys, dependence)
    }

    #[inline(never)]
    fn consult<'k>(
        &mut self,
        keys: impl IntoIterator<Item = &'k [u8]>,
        dependence: Dependence,
    ) -> bool {
        let consultation = &mut self.op.consultation;
        for key in keys {
            match self.store.consult(key) {
                Consult::Nobody => {}
                Consult::Partner(slot) if consultation.is_settled(slot) => {}
                Consult::Partner(slot) if consultation.wanted.len() < sizes().ask_keys_max => {
                    consultation.wanted.push(slot);
                }
                // The others are asked for once these are settled.
                Consult::Partner(_) => break,
                Consult::NoAnswer => consultation.is_hopeless = true,
            }
        }
        consultation.dependence = dependence;
        consultation.is_hopeless || !consultation.wanted.is_empty()
    }

    /// The same of a storage command: only one that stores whatever is held need not know it.
    pub fn puts_off_store(&mut self, key: &[u8], mode: StoreMode, compares: bool) -> bool {
        let is_blind = mode == StoreMode::Set && !compares;
        !is_blind && self.puts_off([key], Dependence::Writes)
    }
}
