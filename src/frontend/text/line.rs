//! Command lines in a conversation: found, parsed, carried out.

use super::reply::{FLUSH_REFUSED, say};
use super::{Conversation, State, Step, Stop};
use crate::command::{self, Retrieval};
use crate::limits::{
    GET_LINE_BYTES, GET_LINE_SPACES, KEY_BYTES, LINE_BYTES, LOG_COMMAND_BYTES, TURN_KEYS,
};
use crate::protocol::text::{self, Fault, Keys, Request, reply};

impl Conversation {
    pub(super) fn line(&mut self, input: &[u8], step: &mut Step<'_, '_>) -> (usize, Option<Stop>) {
        let Some(end) = memchr::memchr(b'\n', input) else {
            return (0, Some(without_end(input)));
        };
        let used = end + 1;
        let line = &input[..used];
        tracing::trace!(line = %beginning(content(line)).escape_ascii(), "command");
        match text::parse(line) {
            Err(mut fault) => {
                if line.starts_with(b"flush_all ") {
                    step.turn.counters.cmd_flush.count();
                    if !fault.reply.is_empty() && !step.console.takes_flush_all() {
                        fault.reply = FLUSH_REFUSED;
                    }
                }
                self.fault(fault, used, &mut step.out.bytes)
            }
            Ok(Request::Get { keys, with_cas }) => {
                let how = Retrieval {
                    with_cas,
                    touch: None,
                    is_refused: false,
                };
                self.keys(line, offset(line, keys), how, step)
            }
            Ok(Request::GetAndTouch {
                exptime,
                keys,
                with_cas,
            }) => {
                let touch = command::deadline_ms(i64::from(exptime), step.turn.now());
                let how = Retrieval {
                    with_cas,
                    touch: Some(touch),
                    is_refused: false,
                };
                self.keys(line, offset(line, keys), how, step)
            }
            Ok(Request::GetTooLong { exptime, keys }) => {
                let now = step.turn.now();
                let how = Retrieval {
                    with_cas: false,
                    touch: exptime.map(|exptime| command::deadline_ms(i64::from(exptime), now)),
                    is_refused: true,
                };
                self.keys_refused(line, offset(line, keys), how, step)
            }
            Ok(Request::Store(storage)) => self.storage(&storage, &input[used..], used, step),
            Ok(Request::Meta { verb, args }) => self.meta(verb, args, &input[used..], used, step),
            Ok(Request::Admin { command, noreply }) => {
                (used, self.administer(command, noreply, step))
            }
            Ok(Request::Stats { .. }) if step.turn.batch.has_changes() => (0, Some(Stop::HandOver)),
            Ok(Request::Stats { args }) => {
                self.stats(&args, step);
                (used, None)
            }
            Ok(Request::Quit) => (used, Some(Stop::Quit)),
            Ok(request) => {
                step.answer(&request);
                (used, None)
            }
        }
    }

    pub(in crate::frontend) fn fault(
        &mut self,
        fault: Fault,
        used: usize,
        out: &mut Vec<u8>,
    ) -> (usize, Option<Stop>) {
        if fault.close {
            return (used, Some(Stop::Close));
        }
        say(out, fault.reply.is_empty(), fault.reply);
        self.swallow(fault.swallow_bytes);
        (used, None)
    }

    pub(in crate::frontend) fn swallow(&mut self, bytes: usize) {
        self.state = if bytes == 0 {
            State::Line
        } else {
            State::Swallow(bytes)
        };
    }

    /// The rest of a line whose first keys are served.
    pub(super) fn more_keys(
        &mut self,
        input: &[u8],
        how: Retrieval,
        step: &mut Step<'_, '_>,
    ) -> (usize, Option<Stop>) {
        let end = memchr::memchr(b'\n', input).map_or(input.len(), |end| end + 1);
        if how.is_refused {
            return self.keys_refused(&input[..end], 0, how, step);
        }
        self.keys(&input[..end], 0, how, step)
    }

    /// Serves the keys of a whole line from `start` on, as far as the output budget allows.
    fn keys(
        &mut self,
        whole: &[u8],
        start: usize,
        how: Retrieval,
        step: &mut Step<'_, '_>,
    ) -> (usize, Option<Stop>) {
        let line = content(whole);
        let mut keys = Keys(&line[start..]);
        let mut served = 0;
        while let Some((key, rest)) = keys.split_first() {
            if step.out.len() >= step.turn.output_bytes_max || served == TURN_KEYS {
                self.state = State::Keys(how);
                return (line.len() - keys.0.len(), Some(Stop::Yield));
            }
            command::retrieve(step.turn, step.out, key, how);
            served += 1;
            keys = rest;
        }
        step.out.bytes.extend_from_slice(reply::END);
        self.state = State::Line;
        (whole.len(), None)
    }

    /// Looks up the keys of a line before one that is too long, and answers that one alone.
    fn keys_refused(
        &mut self,
        whole: &[u8],
        start: usize,
        how: Retrieval,
        step: &mut Step<'_, '_>,
    ) -> (usize, Option<Stop>) {
        let line = content(whole);
        let mut keys = Keys(&line[start..]);
        let mut served = 0;
        while let Some((key, rest)) = keys.split_first() {
            if key.len() > KEY_BYTES {
                break;
            }
            if served == TURN_KEYS {
                self.state = State::Keys(how);
                return (line.len() - keys.0.len(), Some(Stop::Yield));
            }
            command::look_up(step.turn, key, how);
            served += 1;
            keys = rest;
        }
        self.fault(Fault::BAD_FORMAT, whole.len(), &mut step.out.bytes)
    }
}

/// A line without an end: either more is to come, or it is no line of ours.
fn without_end(input: &[u8]) -> Stop {
    if input.len() <= LINE_BYTES {
        return Stop::NeedMore;
    }
    let spaces = input.iter().take_while(|&&byte| byte == b' ').count();
    let words = &input[spaces..];
    let is_get = words.starts_with(b"get ") || words.starts_with(b"gets ");
    if spaces > GET_LINE_SPACES || !is_get || input.len() > GET_LINE_BYTES {
        return Stop::Close;
    }
    Stop::NeedMore
}

/// A line without its end.
fn content(line: &[u8]) -> &[u8] {
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
