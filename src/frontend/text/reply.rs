//! Replies of the text protocol to what commands came to.

use super::Executor;
use crate::command::{self, ArithmeticRequest, DeleteRequest, Deleted, Delta, Stored};
use crate::frontend::meta;
use crate::protocol::text::{Request, reply};

impl Executor<'_, '_> {
    /// Carries out what is done as soon as it is read, and answers.
    pub(super) fn answer_line(&mut self, request: &Request<'_>) {
        let out = &mut self.out.bytes;
        match *request {
            Request::Delete { key, noreply } => {
                self.ctx.count_prefix_delete(key);
                let asked = DeleteRequest {
                    name: "delete",
                    ..DeleteRequest::default()
                };
                let found = command::delete(self.ctx, key, &asked) == Deleted::Deleted;
                say(out, noreply, if found { "DELETED" } else { "NOT_FOUND" });
            }
            Request::Touch {
                key,
                exptime,
                noreply,
            } => {
                let deadline_ms = command::deadline_ms(i64::from(exptime), self.ctx.now());
                let found = command::touch(self.ctx, key, deadline_ms);
                say(out, noreply, if found { "TOUCHED" } else { "NOT_FOUND" });
            }
            Request::Arithmetic {
                key,
                delta,
                incr,
                noreply,
            } => {
                let by = ArithmeticRequest {
                    delta,
                    incr,
                    ..ArithmeticRequest::default()
                };
                arithmetic(out, noreply, command::arithmetic(self.ctx, key, &by));
            }
            Request::FlushAll { noreply, .. } if !self.server.takes_flush_all() => {
                self.ctx.counters.cmd_flush.count();
                say(out, noreply, FLUSH_REFUSED);
            }
            Request::FlushAll { exptime, noreply } => {
                command::flush_all(self.ctx, i64::from(exptime));
                say(out, noreply, "OK");
            }
            Request::MetaNothing => out.extend_from_slice(meta::reply::NOTHING),
            Request::MetaInspect { args } => meta::inspect(args, self),
            Request::Version => {
                out.extend_from_slice(b"VERSION ");
                reply::line(out, self.server.version());
            }
            // The conversation has seen to these.
            Request::Get { .. }
            | Request::GetAndTouch { .. }
            | Request::GetTooLong { .. }
            | Request::Store(_)
            | Request::Meta { .. }
            | Request::Admin { .. }
            | Request::Stats { .. }
            | Request::Quit => {}
        }
    }
}

/// What `flush_all` is answered under `-F`, whatever follows it.
pub(super) const FLUSH_REFUSED: &str = "CLIENT_ERROR flush_all not allowed";

pub(in crate::frontend) fn say(out: &mut Vec<u8>, noreply: bool, words: &str) {
    if !noreply {
        reply::line(out, words);
    }
}

pub(in crate::frontend) fn stored_reply(out: &mut Vec<u8>, noreply: bool, stored: Stored) {
    let words = match stored {
        Stored::Stored { .. } => "STORED",
        Stored::NotStored => "NOT_STORED",
        Stored::Exists => "EXISTS",
        Stored::NotFound => "NOT_FOUND",
        Stored::TooLarge => "SERVER_ERROR object too large for cache",
        Stored::NoMemory => "SERVER_ERROR out of memory storing object",
    };
    say(out, noreply, words);
}

fn arithmetic(out: &mut Vec<u8>, noreply: bool, outcome: Delta) {
    match outcome {
        Delta::Value(number) if !noreply => reply::number(out, number.value),
        Delta::Value(_) => {}
        Delta::Exists => say(out, noreply, "EXISTS"),
        Delta::NotFound => say(out, noreply, "NOT_FOUND"),
        Delta::NonNumeric => say(
            out,
            noreply,
            "CLIENT_ERROR cannot increment or decrement non-numeric value",
        ),
        Delta::NoMemory { .. } => say(out, noreply, "SERVER_ERROR out of memory"),
    }
}
