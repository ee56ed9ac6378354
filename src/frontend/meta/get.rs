//! `mg`: shows an item, changes its deadline, creates it, says who is to recache it.

use super::flags::{
    after_flag, created_deadline_ms, deadline_of, status, time_left, touched_deadline_ms,
};
use crate::command::{self, Found, GetRequest, Recache, Vivify};
use crate::frontend::executor::Executor;
use crate::frontend::output::Output;
use crate::protocol::meta::{MetaRequest, reply};
use crate::store::{Item, NEVER, Now, item_flags};

/// Executes `mg` and answers it.
pub(super) fn get(exec: &mut Executor<'_, '_>, request: &MetaRequest<'_>) {
    let now = exec.ctx.now();
    let asked = get_request(request, now);
    let out = &mut *exec.out;
    let is_found = command::retrieve(exec.ctx, &request.key.bytes, &asked, |found| {
        answer(out, request, found, now);
    });
    if !is_found && !request.options.quiet {
        status(&mut exec.out.bytes, "EN", request);
    }
}

fn get_request(request: &MetaRequest<'_>, now: Now) -> GetRequest {
    let options = &request.options;
    let recache = match options.recache {
        None | Some(0) => Recache::default(),
        before => {
            let mut letters = request.flags.iter().map(|(letter, _)| letter);
            Recache {
                before_ms: deadline_of(before, now),
                after_touch: letters.find(|letter| matches!(letter, b'T' | b'R')) == Some(b'T'),
            }
        }
    };
    GetRequest {
        touch: touched_deadline_ms(options, now),
        vivify: options.vivify.map(|_| Vivify {
            deadline_ms: created_deadline_ms(request, now),
            cas: options.cas,
        }),
        recache: Some(recache),
        is_unused: options.unused,
        shows_history: options.history,
        missed_touch_is_get: true,
    }
}

/// Flags are answered and take effect in the order of the request.
fn answer(out: &mut Output, request: &MetaRequest<'_>, found: &Found<'_>, now: Now) {
    let options = &request.options;
    let item = found.item;
    let value_len = item.map_or(0, |item| item.value().len());
    let shows_value = options.value && options.compare != Some(found.cas);
    let bytes = &mut out.bytes;
    if shows_value {
        reply::value_head(bytes, value_len);
    } else {
        bytes.extend_from_slice(b"HD");
    }
    let mut deadline_ms = item.map_or(NEVER, Item::deadline_ms);
    for (letter, word) in request.flags.iter() {
        deadline_ms = after_flag(letter, deadline_ms, options, item.is_none(), now);
        match letter {
            b's' => reply::number(bytes, b's', value_len),
            b't' => time_left(bytes, deadline_ms, now),
            b'c' => reply::number(bytes, b'c', found.cas),
            b'f' => reply::number(bytes, b'f', item.map_or(0, Item::client_flags)),
            b'l' => {
                let idle_ms = item.map_or(0, |item| item.idle_ms(now));
                reply::number(bytes, b'l', idle_ms / 1000);
            }
            b'h' => reply::number(bytes, b'h', u8::from(item.is_some_and(Item::is_fetched))),
            b'O' => reply::echo(bytes, word),
            b'k' => match item {
                Some(item) => {
                    let in_base64 = item.has_flag(item_flags::BASE64_KEY);
                    reply::key(bytes, item.key(), in_base64);
                }
                // As in memcached: the item is made without that flag.
                None => reply::key(bytes, &request.key.bytes, false),
            },
            _ => {}
        }
    }
    for (letter, applies) in [
        (b'Z', found.token_sent),
        (b'X', found.stale),
        (b'W', found.won),
    ] {
        if applies {
            reply::flag(bytes, letter);
        }
    }
    bytes.extend_from_slice(b"\r\n");
    if shows_value {
        if let Some(item) = item {
            out.push_value(item);
        }
        out.bytes.extend_from_slice(b"\r\n");
    }
}
