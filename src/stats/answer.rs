//! `stats` and its sub-commands.

use super::{NodeView, general, items, reset, settings, slabs};
use crate::protocol::text::reply;

/// A function that prints rows.
type Print<'n> = dyn Fn(&mut Vec<u8>) + 'n;

/// Sources of statistics outside of this module.
pub(crate) struct StatSources<'n> {
    /// The rows of `stats replication`.
    pub replication: &'n Print<'n>,
    /// The rows of `stats conns`.
    pub connections: &'n Print<'n>,
}

/// Answers `stats <args>`.
///
/// As in memcached, the beginning of a word is enough: `stats res` and `stats r` reset, too.
pub(crate) fn answer(
    view: &NodeView<'_>,
    others: &StatSources<'_>,
    args: &[&[u8]],
    out: &mut Vec<u8>,
) {
    match args.first().copied() {
        None => general::print(view, out),
        Some(word) if b"reset".starts_with(word) => {
            reset::reset(view);
            return reply::line(out, "RESET");
        }
        Some(word) if b"detail".starts_with(word) => return detail(view, args, out),
        Some(word) if b"settings".starts_with(word) => settings::print(view, out),
        Some(b"items") => items::print(view, out),
        Some(b"slabs") => slabs::print(view, out),
        Some(b"sizes") => sizes(view, out),
        Some(word) if b"conns".starts_with(word) => (others.connections)(out),
        // There is no external storage. As in memcached without it, there are no rows.
        Some(word) if b"extstore".starts_with(word) => {}
        Some(b"replication") => (others.replication)(out),
        Some(_) => return reply::line(out, "ERROR"),
    }
    out.extend_from_slice(reply::END);
}

/// `stats detail on|off|dump`; the beginning of a word is enough here, too.
fn detail(view: &NodeView<'_>, args: &[&[u8]], out: &mut Vec<u8>) {
    if !view.config.client.dumps {
        return reply::line(out, "CLIENT_ERROR stats detail not allowed");
    }
    match args.get(1).copied() {
        Some(word) if b"on".starts_with(word) => view.prefixes.turn(true),
        Some(word) if b"off".starts_with(word) => view.prefixes.turn(false),
        Some(word) if b"dump".starts_with(word) => return view.prefixes.dump(out),
        _ => return reply::line(out, "CLIENT_ERROR usage: stats detail on|off|dump"),
    }
    reply::line(out, "OK");
}

/// `stats sizes`: the number of items of each size, in steps of 32 bytes.
fn sizes(view: &NodeView<'_>, out: &mut Vec<u8>) {
    match view.store.classes().sizes() {
        None => reply::stat(out, "sizes_status", "disabled"),
        Some(sizes) => {
            for (bytes, items) in sizes {
                reply::stat(out, &bytes.to_string(), items);
            }
        }
    }
}
