//! `mg`, `ms`, `md`, `ma`, `me`.
//!
//! Stale items and their one winner: `md` with `I` marks an item stale; the first `mg` that meets
//! it wins (`W`) and leaves the mark "token sent", so that later ones do not (`Z`). Marks are
//! changed like deadlines: through the store's door, with a stamp of their own, so that the
//! partner has them too.

mod delete;
mod get;
mod inspect;

mod time;

pub use delete::delete;
pub use get::get;
pub(super) use inspect::counted;
pub use inspect::inspect;
pub use time::{after_flag, deadline_of, left_secs};

use crate::protocol::meta::{Request, reply};

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
pub fn status(out: &mut Vec<u8>, words: &str, request: &Request<'_>) {
    out.extend_from_slice(words.as_bytes());
    echo(out, request);
    out.extend_from_slice(b"\r\n");
}
