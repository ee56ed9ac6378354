//! Storage commands of the text protocol, classic and meta: a line, then a value that may arrive in
//! parts.

use super::reply::say;
use super::state::{PartialReply, TextFrontend, TextState};
use super::store_reply::{StoreCommand, StoreReply};
use crate::command::{self, StoreRequest, Stored};
use crate::frontend::executor::{Executor, Receiving};
use crate::frontend::flow::Flow;
use crate::limits::INCOMING_BYTES_MIN;
use crate::protocol::StoreMode;
use crate::protocol::meta::{self, MetaVerb};
use crate::protocol::text::Storage;
use crate::store::{ItemHead, NoRoom, Now};

impl TextFrontend {
    pub(super) fn storage(
        &mut self,
        storage: &Storage<'_>,
        rest: &[u8],
        used: usize,
        exec: &mut Executor<'_, '_>,
    ) -> (usize, Option<Flow>) {
        let command = StoreCommand {
            key: storage.key,
            value_len: storage.data_len,
            request: request(storage, exec.ctx.now()),
            reply: StoreReply::Classic {
                noreply: storage.noreply,
            },
        };
        self.store(&command, rest, used, exec)
    }

    /// Executes a storage command if its value is complete, else begins to receive it.
    #[inline(always)]
    pub(in crate::frontend) fn store(
        &mut self,
        command: &StoreCommand<'_>,
        rest: &[u8],
        used: usize,
        exec: &mut Executor<'_, '_>,
    ) -> (usize, Option<Flow>) {
        let &StoreCommand {
            key,
            value_len,
            ref request,
            reply,
        } = command;
        let fits = (exec.ctx.store).fits(key.len(), request.client_flags, value_len);
        let block = rest.get(..value_len + 2);
        if fits && block.is_none() && value_len < INCOMING_BYTES_MIN {
            return (0, Some(Flow::NeedMore));
        }
        if let StoreReply::Classic { .. } = reply {
            exec.ctx.prefixes.count_set(key);
        }
        let ctx = &mut *exec.ctx;
        if !fits {
            let why = command::refuse(ctx, key, request, Stored::TooLarge);
            reply.answer(&mut exec.out.bytes, why);
            self.discard(value_len + 2);
            return (used, None);
        }
        let Some(block) = block else {
            self.begin_value(command, exec);
            return (used, None);
        };
        if let Some(value) = block.strip_suffix(b"\r\n") {
            let stored = command::store(ctx, key, request, value);
            reply.answer(&mut exec.out.bytes, stored);
        } else {
            bad_chunk(exec, key, request.client_flags, value_len, reply);
        }
        (used + block.len(), None)
    }

    /// Allocates the item of a large value, so that the rest is received into it.
    fn begin_value(&mut self, command: &StoreCommand<'_>, exec: &mut Executor<'_, '_>) {
        let StoreCommand {
            key,
            value_len,
            request,
            reply,
        } = command;
        match command::begin(exec.ctx, key, request, *value_len) {
            Ok(upload) => {
                let (noreply, meta) = match *reply {
                    StoreReply::Classic { noreply } => (noreply, None),
                    StoreReply::Meta(_, args) => (false, Some(args.into())),
                };
                self.state = TextState::Value(Box::new(Receiving {
                    request: *request,
                    upload,
                    reply: PartialReply {
                        noreply,
                        meta,
                        line_end: Vec::new(),
                    },
                }));
            }
            Err(why) => {
                reply.answer(&mut exec.out.bytes, why);
                self.discard(value_len + 2);
            }
        }
    }

    /// Takes more of a value, and executes its command when it is complete; returns the bytes used.
    pub(super) fn value(&mut self, input: &[u8], exec: &mut Executor<'_, '_>) -> usize {
        let TextState::Value(receiving) = &mut self.state else {
            return 0;
        };
        match receiving.take(input, exec) {
            Ok(taken) if receiving.reply.line_end.len() < 2 => taken,
            taken => {
                self.end_value(taken.is_ok(), exec);
                taken.unwrap_or_default()
            }
        }
    }

    /// Stores a complete value, or refuses an incomplete one for lack of memory.
    fn end_value(&mut self, is_whole: bool, exec: &mut Executor<'_, '_>) {
        let TextState::Value(receiving) = std::mem::take(&mut self.state) else {
            return;
        };
        let Receiving {
            request,
            upload,
            reply,
        } = *receiving;
        let PartialReply {
            noreply,
            meta,
            line_end,
        } = reply;
        let line = meta
            .as_deref()
            .map(|args| (meta::parse(MetaVerb::Set, args).ok(), args));
        let reply = match &line {
            Some((Some(line), args)) => StoreReply::Meta(line, args),
            _ => StoreReply::Classic { noreply },
        };
        if is_whole && line_end != b"\r\n" {
            let (key, value_len) = (upload.key(), upload.value_len());
            return bad_chunk(exec, key, request.client_flags, value_len, reply);
        }
        let stored = if is_whole {
            command::finish(exec.ctx, &request, upload)
        } else {
            self.discard(upload.missing_bytes() + 2);
            command::refuse(exec.ctx, upload.key(), &request, Stored::NoMemory)
        };
        reply.answer(&mut exec.out.bytes, stored);
    }
}

/// Translates a classic storage command.
fn request(storage: &Storage<'_>, now: Now) -> StoreRequest {
    StoreRequest {
        mode: storage.mode,
        compare: storage.compare,
        client_flags: storage.client_flags,
        deadline_ms: command::deadline_ms(storage.exptime, now),
        refusal_removes: storage.mode == StoreMode::Set && storage.compare.is_none(),
        ..StoreRequest::default()
    }
}

/// Replies to a value without a line end. As in memcached it counts in `cmd_set` of the class that
/// the item would have had.
fn bad_chunk(
    exec: &mut Executor<'_, '_>,
    key: &[u8],
    client_flags: u32,
    value_len: usize,
    reply: StoreReply<'_>,
) {
    let head = ItemHead {
        client_flags,
        ..ItemHead::default()
    };
    let class = exec.ctx.store.class_of(key, &head, value_len);
    exec.ctx.counters.class(class).cmd_set.count();
    let noreply = matches!(reply, StoreReply::Classic { noreply: true });
    say(&mut exec.out.bytes, noreply, "CLIENT_ERROR bad data chunk");
}

impl Receiving<PartialReply> {
    /// Takes data, then the two bytes of its line end.
    fn take(&mut self, input: &[u8], exec: &mut Executor<'_, '_>) -> Result<usize, NoRoom> {
        let ctx = &mut *exec.ctx;
        let data = ctx.store.receive(&mut self.upload, input, ctx.op)?;
        if self.upload.missing_bytes() > 0 {
            return Ok(data);
        }
        let end = (input.len() - data).min(2 - self.reply.line_end.len());
        self.reply
            .line_end
            .extend_from_slice(&input[data..data + end]);
        Ok(data + end)
    }
}
