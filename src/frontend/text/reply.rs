//! Replies of the text protocol.

use crate::command::{self, ArithmeticOutcome, ArithmeticRequest, DeleteRequest, Deleted, Stored};
use crate::frontend::executor::Executor;
use crate::frontend::meta;
use crate::protocol;
use crate::protocol::text::{TextRequest, reply};

impl Executor<'_, '_> {
    /// Executes a request that is complete in its line, and replies.
    pub(super) fn answer_line(&mut self, request: &TextRequest<'_>) {
        let out = &mut self.out.bytes;
        match *request {
            TextRequest::Delete { key, noreply } => {
                self.ctx.prefixes.count_delete(key);
                let asked = DeleteRequest {
                    name: "delete",
                    ..DeleteRequest::default()
                };
                let found = command::delete(self.ctx, key, &asked) == Deleted::Deleted;
                say(out, noreply, if found { "DELETED" } else { "NOT_FOUND" });
            }
            TextRequest::Touch {
                key,
                exptime,
                noreply,
            } => {
                let deadline_ms = command::deadline_ms(i64::from(exptime), self.ctx.now());
                let found = command::touch(self.ctx, key, deadline_ms);
                say(out, noreply, if found { "TOUCHED" } else { "NOT_FOUND" });
            }
            TextRequest::Arithmetic {
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
            TextRequest::FlushAll { noreply, .. } if !self.server.takes_flush_all() => {
                self.ctx.counters.cmd_flush.count();
                say(out, noreply, FLUSH_REFUSED);
            }
            TextRequest::FlushAll { exptime, noreply } => {
                command::flush_all(self.ctx, i64::from(exptime));
                say(out, noreply, "OK");
            }
            TextRequest::MetaNothing => out.extend_from_slice(protocol::meta::reply::NOTHING),
            TextRequest::MetaInspect { args } => meta::inspect(args, self),
            TextRequest::Version => {
                out.extend_from_slice(b"VERSION ");
                reply::line(out, self.server.version());
            }
            // Handled by the caller.
            _ => {}
        }
    }
}

/// The reply to `flush_all` under `-F`, whatever its arguments.
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

fn arithmetic(out: &mut Vec<u8>, noreply: bool, outcome: ArithmeticOutcome) {
    match outcome {
        ArithmeticOutcome::Value(number) if !noreply => reply::number(out, number.value),
        ArithmeticOutcome::Value(_) => {}
        ArithmeticOutcome::Exists => say(out, noreply, "EXISTS"),
        ArithmeticOutcome::NotFound => say(out, noreply, "NOT_FOUND"),
        ArithmeticOutcome::NonNumeric => say(
            out,
            noreply,
            "CLIENT_ERROR cannot increment or decrement non-numeric value",
        ),
        ArithmeticOutcome::NoMemory { .. } => say(out, noreply, "SERVER_ERROR out of memory"),
    }
}
