//! Storage commands in a conversation: a line, then a value that may come in pieces.

use super::answer::{bad_chunk, stored_reply};
use super::{Conversation, State, Step, Stop, meta};
use crate::command;
use crate::limits::INCOMING_BYTES_MIN;
use crate::protocol::text::{Storage, Verb};
use crate::store::Incoming;

/// A storage command whose data has not all come in.
#[derive(Debug)]
pub(super) struct Receiving {
    pub(super) verb: Verb,
    pub(super) client_flags: u32,
    pub(super) exptime: i64,
    pub(super) noreply: bool,
    pub(super) incoming: Incoming,
    pub(super) line_end: Vec<u8>,
    /// What followed `ms`; then the fields of the classic commands mean nothing.
    pub(super) meta: Option<Box<[u8]>>,
}

impl Conversation {
    pub(super) fn storage(
        &mut self,
        request: &Storage<'_>,
        rest: &[u8],
        used: usize,
        step: &mut Step<'_, '_>,
    ) -> (usize, Option<Stop>) {
        let block_len = request.data_len + 2;
        if !step
            .turn
            .store
            .fits(request.key.len(), request.client_flags, request.data_len)
        {
            let stored = command::discard_too_large(step.turn, request);
            stored_reply(&mut step.out.bytes, request.noreply, stored);
            self.swallow(block_len);
            return (used, None);
        }
        if rest.len() >= block_len {
            let (data, line_end) = rest[..block_len].split_at(request.data_len);
            if line_end == b"\r\n" {
                let stored = command::store(step.turn, request, data);
                stored_reply(&mut step.out.bytes, request.noreply, stored);
            } else {
                command::count_prefix(step.turn, request);
                let (key, flags) = (request.key, request.client_flags);
                bad_chunk(step, key, flags, request.data_len, request.noreply);
            }
            return (used + block_len, None);
        }
        if request.data_len < INCOMING_BYTES_MIN {
            return (0, Some(Stop::NeedMore));
        }
        self.begin_value(request, step);
        (used, None)
    }

    /// Makes the item before its data is here, so that the data goes straight into it.
    fn begin_value(&mut self, request: &Storage<'_>, step: &mut Step<'_, '_>) {
        match command::begin(step.turn, request) {
            Ok(incoming) => {
                self.state = State::Value(Box::new(Receiving {
                    verb: request.verb,
                    client_flags: request.client_flags,
                    exptime: request.exptime,
                    noreply: request.noreply,
                    incoming,
                    line_end: Vec::new(),
                    meta: None,
                }));
            }
            Err(stored) => {
                stored_reply(&mut step.out.bytes, request.noreply, stored);
                self.swallow(request.data_len + 2);
            }
        }
    }

    pub(super) fn finish_value(&mut self, step: &mut Step<'_, '_>) {
        let State::Value(receiving) = std::mem::take(&mut self.state) else {
            return;
        };
        let Receiving {
            verb,
            client_flags,
            exptime,
            noreply,
            incoming,
            line_end,
            meta,
        } = *receiving;
        if let Some(args) = meta {
            return meta::finish(&args, incoming, &line_end, step);
        }
        let key = incoming.key().to_vec();
        let data_len = incoming.value().len();
        if line_end != b"\r\n" {
            return bad_chunk(step, &key, client_flags, data_len, noreply);
        }
        let request = Storage {
            verb,
            key: &key,
            client_flags,
            exptime,
            data_len,
            only_over: 0,
            noreply,
        };
        let stored = command::store_incoming(step.turn, &request, incoming);
        stored_reply(&mut step.out.bytes, noreply, stored);
    }
}

impl Receiving {
    /// Takes data, then the two bytes of its line end.
    pub(super) fn take(&mut self, input: &[u8]) -> usize {
        let data = input.len().min(self.incoming.missing_bytes());
        self.incoming.push(&input[..data]);
        if self.incoming.missing_bytes() > 0 {
            return data;
        }
        let end = (input.len() - data).min(2 - self.line_end.len());
        self.line_end.extend_from_slice(&input[data..data + end]);
        data + end
    }
}
