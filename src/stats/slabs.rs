//! `stats slabs`: commands by class of item, and the pages memcached would need for the items.
//!
//! There are no pages here. Their numbers are computed from the items, so that tools which multiply
//! and subtract them get consistent results.

use super::NodeView;
use crate::protocol::text::reply::stat;
use crate::store::classes::PAGE_BYTES;

/// Prints the statistics of each class that holds items or has been used.
pub(super) fn print(view: &NodeView<'_>, out: &mut Vec<u8>) {
    let last = view.store.classes().each().last().map(|(class, _)| class);
    let mut active = 0;
    for (class, chunk_bytes) in view.store.classes().each() {
        let figures = view.store.classes().figures(class);
        // An item larger than the largest chunk takes several chunks.
        let used_chunks = if Some(class) == last {
            figures.items.max(figures.item_bytes.div_ceil(chunk_bytes))
        } else {
            figures.items
        };
        let is_known = view.workers.iter().any(|worker| {
            let counts = worker.class(class);
            counts.each().any(|(_, counter)| counter.get() != 0)
        });
        if used_chunks != 0 || is_known {
            active += 1;
            print_class(view, class, (chunk_bytes, used_chunks), out);
        }
    }
    stat(out, "active_slabs", active);
    stat(out, "total_malloced", view.store.memory().used_bytes);
}

fn print_class(
    view: &NodeView<'_>,
    class: u8,
    (chunk_bytes, used_chunks): (u64, u64),
    out: &mut Vec<u8>,
) {
    let per_page = PAGE_BYTES / chunk_bytes;
    let pages = used_chunks.div_ceil(per_page).max(1);
    let chunks = pages * per_page;
    let mut say = |name: &str, value: u64| stat(out, &format!("{class}:{name}"), value);
    say("chunk_size", chunk_bytes);
    say("chunks_per_page", per_page);
    say("total_pages", pages);
    say("total_chunks", chunks);
    say("used_chunks", used_chunks);
    say("free_chunks", chunks - used_chunks);
    say("free_chunks_end", 0);
    macro_rules! counts {
        ($($name:ident)*) => {
            $(say(stringify!($name), view.sum_of_class(class, |counts| &counts.$name));)*
        };
    }
    counts!(get_hits cmd_set delete_hits incr_hits decr_hits cas_hits cas_badval touch_hits);
}
