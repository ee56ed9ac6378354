//! Command lines: found, parsed, executed.

use super::reply::{FLUSH_REFUSED, say};
use super::state::{Retrieval, TextFrontend, TextState};
use crate::command;
use crate::frontend::executor::Executor;
use crate::frontend::flow::Flow;
use crate::limits::{GET_LINE_BYTES, GET_LINE_SPACES, LINE_BYTES, LOG_COMMAND_BYTES};
use crate::protocol::text::{self, Keys, ParseError, TextRequest};

impl TextFrontend {
    pub(super) fn line(
        &mut self,
        input: &[u8],
        exec: &mut Executor<'_, '_>,
    ) -> (usize, Option<Flow>) {
        let Some(end) = memchr::memchr(b'\n', input) else {
            return (0, Some(without_end(input)));
        };
        let used = end + 1;
        let line = &input[..used];
        tracing::trace!(line = %beginning(content(line)).escape_ascii(), "command");
        match text::parse(line) {
            Err(mut error) => {
                if line.starts_with(b"flush_all ") {
                    exec.ctx.counters.cmd_flush.count();
                    if !error.reply.is_empty() && !exec.server.takes_flush_all() {
                        error.reply = FLUSH_REFUSED;
                    }
                }
                self.refuse_request(error, used, &mut exec.out.bytes)
            }
            Ok(TextRequest::Get {
                exptime,
                keys,
                with_cas,
                is_too_long,
            }) => {
                let now = exec.ctx.now();
                let how = Retrieval {
                    with_cas,
                    touch: exptime.map(|exptime| command::deadline_ms(i64::from(exptime), now)),
                    is_refused: is_too_long,
                };
                self.keys(line, offset(line, keys), how, exec)
            }
            Ok(request) if exec.ctx.consults() && exec.puts_off(&request) => {
                (0, Some(Flow::Consult))
            }
            Ok(TextRequest::Store(storage)) => self.storage(&storage, &input[used..], used, exec),
            Ok(TextRequest::Meta { verb, args }) => {
                self.meta(verb, args, &input[used..], used, exec)
            }
            Ok(TextRequest::Admin { command, noreply }) => {
                (used, self.administer(command, noreply, exec))
            }
            Ok(TextRequest::Stats { .. }) if exec.ctx.op.has_changes() => (0, Some(Flow::HandOver)),
            Ok(TextRequest::Stats { args }) => {
                self.stats(&args, exec);
                (used, None)
            }
            Ok(TextRequest::Quit) => (used, Some(Flow::Quit)),
            Ok(request) => {
                exec.answer_line(&request);
                (used, None)
            }
        }
    }

    pub(in crate::frontend) fn refuse_request(
        &mut self,
        error: ParseError,
        used: usize,
        out: &mut Vec<u8>,
    ) -> (usize, Option<Flow>) {
        if error.close {
            return (used, Some(Flow::Close));
        }
        say(out, error.reply.is_empty(), error.reply);
        self.discard(error.discard_bytes);
        (used, None)
    }

    pub(in crate::frontend) fn discard(&mut self, bytes: usize) {
        self.state = if bytes == 0 {
            TextState::Line
        } else {
            TextState::Discard(bytes)
        };
    }
}

/// A line without an end: either more is to come, or it is no line of ours.
fn without_end(input: &[u8]) -> Flow {
    if input.len() <= LINE_BYTES {
        return Flow::NeedMore;
    }
    let spaces = input.iter().take_while(|&&byte| byte == b' ').count();
    let words = &input[spaces..];
    let is_get = words.starts_with(b"get ") || words.starts_with(b"gets ");
    if spaces > GET_LINE_SPACES || !is_get || input.len() > GET_LINE_BYTES {
        return Flow::Close;
    }
    Flow::NeedMore
}

/// A line without its end.
pub(super) fn content(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// As much of a command line as is logged.
fn beginning(line: &[u8]) -> &[u8] {
    &line[..line.len().min(LOG_COMMAND_BYTES)]
}

/// Where the keys of a line begin.
fn offset(line: &[u8], keys: Keys<'_>) -> usize {
    content(line).len() - keys.0.len()
}
