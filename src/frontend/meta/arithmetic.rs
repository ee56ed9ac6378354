//! `ma`.

use super::flags::{after_flag, created_deadline_ms, status, time_left, touched_deadline_ms};
use crate::command::{self, ArithmeticOutcome, ArithmeticRequest, Initial, Number};
use crate::frontend::executor::Executor;
use crate::protocol::meta::{MetaRequest, reply};
use crate::protocol::text;
use crate::store::{NEVER, Now};

/// Executes `ma` and answers it.
pub(super) fn arithmetic(exec: &mut Executor<'_, '_>, request: &MetaRequest<'_>) {
    let MetaRequest { key, options, .. } = request;
    let now = exec.ctx.now();
    let initial = options.vivify.map(|_| Initial {
        number: options.initial,
        deadline_ms: created_deadline_ms(request, now),
        logged_deadline_ms: NEVER,
    });
    let asked = ArithmeticRequest {
        delta: options.delta.unwrap_or(1),
        incr: !matches!(options.mode, Some(b'D' | b'-')),
        compare: options.compare,
        cas: options.cas,
        deadline_ms: touched_deadline_ms(options, now),
        initial,
    };
    let out = &mut exec.out.bytes;
    let words = match command::arithmetic(exec.ctx, &key.bytes, &asked) {
        ArithmeticOutcome::Value(_) if options.quiet => return,
        ArithmeticOutcome::Value(number) => return answer(out, request, &number, now),
        ArithmeticOutcome::NotFound => return status(out, "NF", request),
        ArithmeticOutcome::Exists => return status(out, "EX", request),
        ArithmeticOutcome::NonNumeric => {
            "CLIENT_ERROR cannot increment or decrement non-numeric value"
        }
        ArithmeticOutcome::NoMemory { is_initial: false } => "SERVER_ERROR out of memory",
        ArithmeticOutcome::NoMemory { is_initial: true } => {
            "SERVER_ERROR Out of memory allocating new item"
        }
    };
    text::reply::line(out, words);
}

/// Flags are answered in the order of the request: `t` before `T` shows the deadline before it.
fn answer(out: &mut Vec<u8>, request: &MetaRequest<'_>, number: &Number, now: Now) {
    let mut digits = itoa::Buffer::new();
    let digits = digits.format(number.value).as_bytes();
    if request.options.value {
        reply::value_head(out, digits.len());
    } else {
        out.extend_from_slice(b"HD");
    }
    let mut deadline_ms = number.deadline_before_ms;
    for (letter, word) in request.flags.iter() {
        let created = number.is_initial;
        deadline_ms = after_flag(letter, deadline_ms, &request.options, created, now);
        match letter {
            b'c' => reply::number(out, b'c', number.cas),
            b't' => time_left(out, deadline_ms, now),
            b'O' => reply::echo(out, word),
            b'k' => reply::key(out, &request.key.bytes, request.key.is_base64),
            _ => {}
        }
    }
    out.extend_from_slice(b"\r\n");
    if request.options.value {
        out.extend_from_slice(digits);
        out.extend_from_slice(b"\r\n");
    }
}
