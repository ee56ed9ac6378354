//! Meta commands in a conversation.

mod arithmetic;

use super::text::{Conversation, Receiving, State, Step, Stop, bad_chunk, say};
use crate::command::meta as command;
use crate::limits::INCOMING_BYTES_MIN;
pub(crate) use crate::protocol::meta::reply;
use crate::protocol::meta::{Request, Verb, parse, parse_inspection};
use crate::protocol::text;
use crate::store::Upload;

impl Conversation {
    /// Executes `mg`, `ms`, `md` or `ma`; returns the bytes used.
    pub(crate) fn meta(
        &mut self,
        verb: Verb,
        args: &[u8],
        rest: &[u8],
        used: usize,
        step: &mut Step<'_, '_>,
    ) -> (usize, Option<Stop>) {
        let request = match parse(verb, args) {
            Ok(request) => request,
            Err(fault) => return self.fault(fault, used, &mut step.out.bytes),
        };
        match verb {
            Verb::Get => command::get(step.turn, step.out, &request),
            Verb::Delete => command::delete(step.turn, &mut step.out.bytes, &request),
            Verb::Arithmetic => arithmetic::arithmetic(step, &request),
            Verb::Set => return self.meta_set(&request, args, rest, used, step),
        }
        (used, None)
    }

    fn meta_set(
        &mut self,
        request: &Request<'_>,
        args: &[u8],
        rest: &[u8],
        used: usize,
        step: &mut Step<'_, '_>,
    ) -> (usize, Option<Stop>) {
        let block_len = request.data_len + 2;
        let out = &mut step.out.bytes;
        let flags = request.options.client_flags;
        let key_len = request.key.bytes.len();
        if !step.turn.store.fits(key_len, flags, request.data_len) {
            command::discard_too_large(step.turn, out, request);
            self.swallow(block_len);
            return (used, None);
        }
        if rest.len() >= block_len {
            let (data, line_end) = rest[..block_len].split_at(request.data_len);
            if line_end == b"\r\n" {
                command::set(step.turn, out, request, data);
            } else {
                bad_chunk(step, &request.key.bytes, flags, request.data_len, false);
            }
            return (used + block_len, None);
        }
        if request.data_len < INCOMING_BYTES_MIN {
            return (0, Some(Stop::NeedMore));
        }
        match command::begin(step.turn, out, request) {
            Some(upload) => {
                self.state = State::Value(Box::new(Receiving {
                    verb: text::Verb::Set,
                    client_flags: 0,
                    exptime: 0,
                    noreply: false,
                    upload,
                    line_end: Vec::new(),
                    meta: Some(args.into()),
                }));
            }
            None => self.swallow(block_len),
        }
        (used, None)
    }
}

/// Executes an `ms` whose value has come in piece by piece; its line is parsed once more.
pub(crate) fn finish(args: &[u8], upload: Upload, line_end: &[u8], step: &mut Step<'_, '_>) {
    let Ok(request) = parse(Verb::Set, args) else {
        return;
    };
    if line_end == b"\r\n" {
        command::set_upload(step.turn, &mut step.out.bytes, &request, upload);
    } else {
        let flags = request.options.client_flags;
        bad_chunk(step, &request.key.bytes, flags, request.data_len, false);
    }
}

/// Answers an `ms` for whose value there is no memory any more.
pub(crate) fn refuse(args: &[u8], step: &mut Step<'_, '_>) {
    if let Ok(request) = parse(Verb::Set, args) {
        command::refuse_no_memory(step.turn, &mut step.out.bytes, &request);
    }
}

/// Executes `me`.
pub(crate) fn inspect(args: &[u8], step: &mut Step<'_, '_>) {
    let out = &mut step.out.bytes;
    match parse_inspection(args) {
        Ok(request) => command::inspect(step.turn, out, &request),
        Err(fault) => say(out, false, fault.reply),
    }
}
