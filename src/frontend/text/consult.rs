//! Which requests are put off until the partner has been asked: those whose reply or effect depends
//! on what is held.

use crate::frontend::executor::Executor;
use crate::protocol::meta::parse_inspection;
use crate::protocol::text::TextRequest;
use crate::store::Dependence;

impl Executor<'_, '_> {
    /// Whether a request is put off. Those with several keys, and meta requests, are looked at
    /// where they are carried out.
    #[inline(never)]
    pub(super) fn puts_off(&mut self, request: &TextRequest<'_>) -> bool {
        let ctx = &mut *self.ctx;
        match *request {
            TextRequest::Store(ref storage) => {
                ctx.puts_off_store(storage.key, storage.mode, storage.compare.is_some())
            }
            // A deletion that nobody is answered is carried out in any case.
            TextRequest::Delete { key, noreply } => {
                !noreply && ctx.puts_off([key], Dependence::Writes)
            }
            TextRequest::Arithmetic { key, .. } | TextRequest::Touch { key, .. } => {
                ctx.puts_off([key], Dependence::Writes)
            }
            TextRequest::MetaInspect { args } => parse_inspection(args)
                .is_ok_and(|inspection| ctx.puts_off([&*inspection.key], Dependence::Reads)),
            _ => false,
        }
    }
}
