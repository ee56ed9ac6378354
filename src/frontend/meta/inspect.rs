//! `me`: an item's metadata for debugging.

use super::flags::left_secs;
use crate::command;
use crate::frontend::executor::Executor;
use crate::protocol::meta::{parse_inspection, reply};
use crate::protocol::text;
use crate::store::classes::counted_bytes;
use crate::store::item_flags;

/// Executes `me` and answers it.
pub(in crate::frontend) fn inspect(args: &[u8], exec: &mut Executor<'_, '_>) {
    let out = &mut exec.out.bytes;
    let request = match parse_inspection(args) {
        Ok(request) => request,
        Err(error) => return text::reply::line(out, error.reply),
    };
    let now = exec.ctx.now();
    let is_found = command::inspect(exec.ctx, &request.key, |item| {
        let shown = reply::Shown {
            key: item.key(),
            in_base64: item.has_flag(item_flags::BASE64_KEY),
            expires_secs: left_secs(item.deadline_ms(), now),
            idle_secs: item.idle_ms(now) / 1000,
            cas: item.cas(),
            fetched: item.is_fetched(),
            class: item.class().into(),
            size_bytes: counted_bytes(item),
        };
        reply::shown(out, &shown);
    });
    if !is_found {
        exec.out.bytes.extend_from_slice(b"EN\r\n");
    }
}
