//! `mg`, `ms`, `md`, `ma`, `me`.
//!
//! Stale items and their one winner: `md` with `I` marks an item stale; the first `mg` that meets
//! it wins (`W`) and leaves the mark "token sent", so that later ones do not (`Z`). Marks are
//! changed like deadlines: through the store's door, with a stamp of their own, so that the
//! partner has them too.

mod arithmetic;
mod delete;
mod get;
mod inspect;
mod rewrite;
mod set;
mod time;

pub use arithmetic::arithmetic;
pub use delete::delete;
pub use get::get;
pub(super) use inspect::counted;
pub use inspect::inspect;
pub use set::{begin, discard_too_large, refuse_no_memory, set, set_upload};

use super::turn::Turn;
use crate::protocol::meta::{Request, reply};
use crate::store::Timestamp;

/// The flags that answers carry whether an item was found or not.
fn echo(out: &mut Vec<u8>, request: &Request<'_>) {
    for (letter, word) in request.flags.iter() {
        match letter {
            b'O' => reply::echo(out, word),
            b'k' => reply::key(out, &request.key.bytes, request.key.is_base64),
            _ => {}
        }
    }
}

/// A status of two letters with the echoed flags.
fn status(out: &mut Vec<u8>, words: &str, request: &Request<'_>) {
    out.extend_from_slice(words.as_bytes());
    echo(out, request);
    out.extend_from_slice(b"\r\n");
}

/// The CAS unique of an item just put: the client's own, else its stamp. What expires at once was
/// never put; it gets a stamp all the same. 0 on a node without.
fn cas_of(turn: &Turn<'_>, own: Option<u64>, stamp: Option<Timestamp>) -> u64 {
    if !turn.store.has_cas() {
        return 0;
    }
    own.unwrap_or_else(|| {
        stamp
            .unwrap_or_else(|| turn.store.hybrid_clock().next(turn.now()))
            .get()
    })
}
