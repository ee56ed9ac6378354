//! A storage command whose line is parsed, and how to reply to it.

use super::reply::stored_reply;
use crate::command::{StoreRequest, Stored};
use crate::frontend::meta;
use crate::protocol::meta::MetaRequest;

/// A storage command whose line is parsed.
pub(in crate::frontend) struct StoreCommand<'a> {
    pub(in crate::frontend) key: &'a [u8],
    pub(in crate::frontend) value_len: usize,
    pub(in crate::frontend) request: StoreRequest,
    pub(in crate::frontend) reply: StoreReply<'a>,
}

/// How to reply to a storage command.
#[derive(Clone, Copy)]
pub(in crate::frontend) enum StoreReply<'a> {
    Classic {
        noreply: bool,
    },
    /// `ms`, with the words after it, which ask for flags in the reply.
    Meta(&'a MetaRequest<'a>, &'a [u8]),
}

impl StoreReply<'_> {
    #[inline(always)]
    pub(super) fn answer(self, out: &mut Vec<u8>, stored: Stored) {
        match self {
            Self::Classic { noreply } => stored_reply(out, noreply, stored),
            Self::Meta(request, _) => meta::set::answer(out, request, stored),
        }
    }
}
