//! What the fuzz targets share: they play clients, or a partner, to the real server without its
//! sockets, and look at more than whether it panics.
//!
//! Clients ([`clients`]): the bytes are answered alike however they are cut; each turn makes a
//! bounded answer and keeps a bounded rest; every reply is one of the protocol; the store's books
//! are true afterwards, with several clients at once, little memory and passing time, too; and
//! somebody else is still served. The partner ([`partner`]): frames are the same however they are
//! cut and are written as they were read; the link takes or refuses them, and the books stay true.
//!
//! An input begins with a [`Plan`]: how to cut it and what kind of node to play it to.

mod client;
mod compose;
mod crowd;
mod frames;
mod node;
mod plan;
mod replies;

pub use frames::partner;
pub use plan::{Grammar, Plan};

use replies::Reply;

/// Plays an input in a grammar. Panics at the first thing that is not as it must be.
pub fn clients(grammar: Grammar, input: &[u8]) {
    let Some(plan) = Plan::read(grammar, input) else {
        return;
    };
    let (whole, _) = crowd::alone(&plan, &[plan.bytes.len()], u32::MAX);
    let whole = replies::read(&whole);
    // With little memory it matters for eviction when an item begins.
    if !plan.is_tight() && !plan.has_moody_commands() {
        let (cut, is_cut_off) = crowd::alone(&plan, &plan.pieces, plan.requests_per_turn());
        let cut = replies::read(&cut);
        let compared = if is_cut_off { cut.len() } else { whole.len() };
        same(&whole[..compared.min(whole.len())], &cut);
    }
    crowd::together(&plan);
}

/// Statistics may differ from one moment to the next, nothing else.
fn same(whole: &[Reply<'_>], cut: &[Reply<'_>]) {
    for (at, (one, other)) in whole.iter().zip(cut).enumerate() {
        assert!(one == other, "reply {at} is {one} or, cut, {other}");
    }
    assert_eq!(whole.len(), cut.len(), "replies, and replies when cut");
}
