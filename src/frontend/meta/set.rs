//! `ms`.

use super::flags::deadline_of;
use crate::command::{StoreMode, StoreRequest, Stored};
use crate::frontend::text::stored_reply;
use crate::protocol::meta::{MetaRequest, reply};
use crate::store::{Now, item_flags};

/// Translates `ms`. Its `E0` is ignored: no `cas` could replace an item whose CAS unique is 0.
pub(super) fn store_request(request: &MetaRequest<'_>, now: Now) -> StoreRequest {
    let MetaRequest { key, options, .. } = request;
    let mode = match options.mode {
        Some(b'E') => StoreMode::Add,
        Some(b'A') => StoreMode::Append,
        Some(b'P') => StoreMode::Prepend,
        Some(b'R') => StoreMode::Replace,
        _ => StoreMode::Set,
    };
    let joins = matches!(mode, StoreMode::Append | StoreMode::Prepend);
    let vivify = options.vivify.filter(|_| joins);
    StoreRequest {
        mode,
        compare: options.compare,
        cas: options.cas.filter(|&cas| cas != 0),
        client_flags: options.client_flags,
        deadline_ms: deadline_of(vivify.or(options.exptime), now),
        item_flags: if key.is_base64 {
            item_flags::BASE64_KEY
        } else {
            0
        },
        vivify: vivify.is_some(),
        accepts_stale: options.stale,
        refusal_removes: true,
    }
}

/// Answers `ms`.
pub(in crate::frontend) fn answer(out: &mut Vec<u8>, request: &MetaRequest<'_>, stored: Stored) {
    let (words, cas, value_len) = match stored {
        Stored::Stored { .. } if request.options.quiet => return,
        Stored::Stored { cas, value_len } => (b"HD", cas, value_len),
        Stored::Exists => (b"EX", 0, request.data_len),
        Stored::NotFound => (b"NF", 0, request.data_len),
        Stored::NotStored => (b"NS", 0, request.data_len),
        Stored::TooLarge | Stored::NoMemory => return stored_reply(out, false, stored),
    };
    out.extend_from_slice(words);
    for (letter, word) in request.flags.iter() {
        match letter {
            b'O' => reply::echo(out, word),
            b'k' => reply::key(out, &request.key.bytes, request.key.is_base64),
            b'c' => reply::number(out, b'c', cas),
            b's' => reply::number(out, b's', value_len),
            _ => {}
        }
    }
    out.extend_from_slice(b"\r\n");
}
