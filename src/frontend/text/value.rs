//! Storage commands in a conversation: a line, then a value that may come in pieces.

use super::reply::{bad_chunk, stored_reply};
use super::{Conversation, State, Step, Stop};
use crate::command;
use crate::frontend::meta;
use crate::limits::INCOMING_BYTES_MIN;
use crate::protocol::text::{Storage, Verb};
use crate::store::{NoRoom, Upload};

/// A storage command whose data has not all come in.
#[derive(Debug)]
pub(in crate::frontend) struct Receiving {
    pub(in crate::frontend) verb: Verb,
    pub(in crate::frontend) client_flags: u32,
    pub(in crate::frontend) exptime: i64,
    pub(in crate::frontend) noreply: bool,
    pub(in crate::frontend) upload: Upload,
    pub(in crate::frontend) line_end: Vec<u8>,
    /// What followed `ms`; then the fields of the classic commands mean nothing.
    pub(in crate::frontend) meta: Option<Box<[u8]>>,
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

    /// Begins a command before its data is here, so that the data is received in its place.
    fn begin_value(&mut self, request: &Storage<'_>, step: &mut Step<'_, '_>) {
        match command::begin(step.turn, request) {
            Ok(upload) => {
                self.state = State::Value(Box::new(Receiving {
                    verb: request.verb,
                    client_flags: request.client_flags,
                    exptime: request.exptime,
                    noreply: request.noreply,
                    upload,
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

    /// Takes more of a value, and carries out its command when that is whole; returns the bytes
    /// used.
    pub(super) fn value(&mut self, input: &[u8], step: &mut Step<'_, '_>) -> usize {
        let State::Value(receiving) = &mut self.state else {
            return 0;
        };
        let Ok(taken) = receiving.take(input, step) else {
            self.refuse_value(step);
            return 0;
        };
        if receiving.line_end.len() == 2 {
            self.finish_value(step);
        }
        taken
    }

    /// The machine has no memory for the rest of a value.
    fn refuse_value(&mut self, step: &mut Step<'_, '_>) {
        let State::Value(receiving) = std::mem::take(&mut self.state) else {
            return;
        };
        self.swallow(receiving.upload.missing_bytes() + 2);
        if let Some(args) = &receiving.meta {
            return meta::refuse(args, step);
        }
        let key = receiving.upload.key().to_vec();
        let stored = command::refuse_no_memory(step.turn, &receiving.request(&key));
        stored_reply(&mut step.out.bytes, receiving.noreply, stored);
    }

    fn finish_value(&mut self, step: &mut Step<'_, '_>) {
        let State::Value(receiving) = std::mem::take(&mut self.state) else {
            return;
        };
        if let Some(args) = receiving.meta {
            return meta::finish(&args, receiving.upload, &receiving.line_end, step);
        }
        let key = receiving.upload.key().to_vec();
        let request = receiving.request(&key);
        if receiving.line_end != b"\r\n" {
            let (flags, noreply) = (request.client_flags, request.noreply);
            return bad_chunk(step, &key, flags, request.data_len, noreply);
        }
        let stored = command::store_upload(step.turn, &request, receiving.upload);
        stored_reply(&mut step.out.bytes, request.noreply, stored);
    }
}

impl Receiving {
    /// Takes data, then the two bytes of its line end.
    fn take(&mut self, input: &[u8], step: &mut Step<'_, '_>) -> Result<usize, NoRoom> {
        let turn = &mut *step.turn;
        let data = turn.store.receive(&mut self.upload, input, turn.batch)?;
        if self.upload.missing_bytes() > 0 {
            return Ok(data);
        }
        let end = (input.len() - data).min(2 - self.line_end.len());
        self.line_end.extend_from_slice(&input[data..data + end]);
        Ok(data + end)
    }

    /// The command, of which the upload knows the key.
    fn request<'k>(&self, key: &'k [u8]) -> Storage<'k> {
        Storage {
            verb: self.verb,
            key,
            client_flags: self.client_flags,
            exptime: self.exptime,
            data_len: self.upload.value_len(),
            only_over: 0,
            noreply: self.noreply,
        }
    }
}
