//! Storage commands of the binary protocol: a packet whose value may arrive in parts.

use super::state::{BinaryFrontend, BinaryState};
use crate::command::{self, StoreMode, StoreRequest, Stored};
use crate::frontend::executor::{Executor, Receiving};
use crate::frontend::flow::Flow;
use crate::limits::INCOMING_BYTES_MIN;
use crate::protocol::binary::{Header, StoreHead};
use crate::store::Now;

impl BinaryFrontend {
    pub(super) fn store(
        &mut self,
        header: &Header,
        store: &StoreHead<'_>,
        rest: &[u8],
        exec: &mut Executor<'_, '_>,
    ) -> (usize, Option<Flow>) {
        let used = header.head_len();
        let &StoreHead { mode, key, .. } = store;
        let fits = (exec.ctx.store).fits(key.len(), store.client_flags, store.value_len);
        let value = rest.get(..store.value_len);
        if fits && value.is_none() && store.value_len < INCOMING_BYTES_MIN {
            return (0, Some(Flow::NeedMore));
        }
        exec.ctx.prefixes.count_set(key);
        let request = request(store, exec.ctx.now());
        if !fits {
            let why = command::refuse(exec.ctx, key, &request, Stored::TooLarge);
            exec.stored(header, mode, why);
            self.discard(store.value_len);
            return (used, None);
        }
        let Some(value) = value else {
            self.begin_value(header, store, request, exec);
            return (used, None);
        };
        let request = conditional(request, header, exec);
        let stored = command::store(exec.ctx, key, &request, value);
        exec.stored(header, mode, stored);
        (used + value.len(), None)
    }

    /// Allocates the item of a large value, so that the rest is received into it.
    fn begin_value(
        &mut self,
        header: &Header,
        store: &StoreHead<'_>,
        request: StoreRequest,
        exec: &mut Executor<'_, '_>,
    ) {
        match command::begin(exec.ctx, store.key, &request, store.value_len) {
            Ok(upload) => {
                self.state = BinaryState::Value(Box::new(Receiving {
                    request,
                    upload,
                    reply: (*header, store.mode),
                }));
            }
            Err(why) => {
                exec.stored(header, store.mode, why);
                self.discard(store.value_len);
            }
        }
    }

    /// Stores a complete value, or refuses an incomplete one for lack of memory.
    pub(super) fn end_value(&mut self, is_whole: bool, exec: &mut Executor<'_, '_>) {
        let BinaryState::Value(receiving) = std::mem::take(&mut self.state) else {
            return;
        };
        let Receiving {
            request,
            upload,
            reply: (header, mode),
        } = *receiving;
        let stored = if is_whole {
            let request = conditional(request, &header, exec);
            command::finish(exec.ctx, &request, upload)
        } else {
            self.discard(upload.missing_bytes());
            command::refuse(exec.ctx, upload.key(), &request, Stored::NoMemory)
        };
        exec.stored(&header, mode, stored);
    }
}

/// Translates a storage command without its CAS unique, which is not looked at before the value is
/// complete.
fn request(store: &StoreHead<'_>, now: Now) -> StoreRequest {
    StoreRequest {
        mode: store.mode,
        client_flags: store.client_flags,
        deadline_ms: command::deadline_ms(i64::from(store.exptime), now),
        refusal_removes: store.mode == StoreMode::Set,
        ..StoreRequest::default()
    }
}

/// Adds the CAS unique of the header: it turns `set`, `add` and `replace` into `cas`. It is ignored
/// if CAS is disabled, as in memcached.
fn conditional(request: StoreRequest, header: &Header, exec: &Executor<'_, '_>) -> StoreRequest {
    if header.cas == 0 || !exec.ctx.store.has_cas() {
        return request;
    }
    StoreRequest {
        mode: match request.mode {
            StoreMode::Set | StoreMode::Add | StoreMode::Replace => StoreMode::Set,
            joins => joins,
        },
        compare: Some(header.cas),
        refusal_removes: false,
        ..request
    }
}
