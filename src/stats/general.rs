//! `stats`: memcached's general statistics.

use super::view::NodeView;
use crate::limits::VERSION_ANSWERED;
use crate::protocol::text::reply::stat;

/// Prints them in memcached's order.
pub(super) fn print(view: &NodeView<'_>, out: &mut Vec<u8>) {
    stat(out, "pid", std::process::id());
    stat(out, "version", VERSION_ANSWERED);
    stat(out, "cmd_get", view.sum(|counters| &counters.cmd_get));
}
