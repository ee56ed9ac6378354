//! Replies, read as a strict client would: what is no reply of either protocol is a finding.

mod binary;
mod text;

use std::fmt;

/// One reply, its value included.
#[derive(Clone, Copy)]
pub(crate) struct Reply<'a> {
    bytes: &'a [u8],
    /// Whether it is a statistic, which the moment decides.
    is_statistic: bool,
}

/// Reads all replies of one connection; its first byte tells the protocol.
pub(crate) fn read(mut bytes: &[u8]) -> Vec<Reply<'_>> {
    let is_binary = bytes.first() == Some(&binary::MAGIC);
    let mut replies = Vec::new();
    while !bytes.is_empty() {
        let (len, is_statistic) = if is_binary {
            binary::reply(bytes)
        } else {
            text::reply(bytes)
        };
        let (reply, rest) = bytes.split_at(len);
        replies.push(Reply {
            bytes: reply,
            is_statistic,
        });
        bytes = rest;
    }
    replies
}

impl PartialEq for Reply<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.is_statistic && other.is_statistic || self.bytes == other.bytes
    }
}

impl fmt::Display for Reply<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.bytes[..self.bytes.len().min(200)];
        write!(out, "{} ({} bytes)", shown.escape_ascii(), self.bytes.len())
    }
}
