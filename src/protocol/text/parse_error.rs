//! What is wrong with a command line, in memcached's words.

/// A line that is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// The reply; empty if `noreply` hides it.
    pub reply: &'static str,
    /// Bytes of announced data to discard.
    pub discard_bytes: usize,
    /// Close without a byte: no memcached client sends this.
    pub close: bool,
}

impl ParseError {
    /// A malformed command, or a key that is too long.
    pub const BAD_FORMAT: Self = Self::saying("CLIENT_ERROR bad command line format");
    pub(super) const UNKNOWN: Self = Self::saying("ERROR");
    pub(super) const BAD_EXPTIME: Self = Self::saying("CLIENT_ERROR invalid exptime argument");
    pub(super) const BAD_DELTA: Self = Self::saying("CLIENT_ERROR invalid numeric delta argument");
    pub(super) const BAD_DELETE: Self =
        Self::saying("CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]");
    pub(super) const NOT_OURS: Self = Self {
        close: true,
        ..Self::saying("")
    };

    pub(in crate::protocol) const fn saying(reply: &'static str) -> Self {
        Self {
            reply,
            discard_bytes: 0,
            close: false,
        }
    }

    pub(super) fn quiet(self, noreply: bool) -> Self {
        if noreply {
            Self { reply: "", ..self }
        } else {
            self
        }
    }
}
