//! The first bytes of an input: what is done with the rest.

use std::borrow::Cow;

use memchr::memmem;

use crate::compose;

/// What a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grammar {
    /// The classic text commands.
    Text,
    /// The meta commands.
    Meta,
    /// The binary protocol.
    Binary,
}

/// The rest is no protocol yet: see [`compose`].
const COMPOSED: u8 = 1;
const NO_EVICTIONS: u8 = 2;
const LITTLE_MEMORY: u8 = 4;
const REPLICATED: u8 = 8;
const ONE_REQUEST_PER_TURN: u8 = 16;
/// Values are read straight into their items, as large ones are from a socket.
const STRAIGHT: u8 = 32;
/// The protocol is set by `-B` instead of found.
const FIXED: u8 = 64;
/// The node asks for passwords, in both protocols.
const PASSWORDS: u8 = 128;

/// Pieces of one round of cuts, at most.
const PIECES_MAX: u8 = 7;

/// See the module.
#[derive(Debug)]
pub struct Plan<'a> {
    /// The target.
    pub grammar: Grammar,
    modes: u8,
    /// Lengths of the pieces that the bytes come in, over and over; none is 0.
    pub pieces: Vec<usize>,
    /// What clients send.
    pub bytes: Cow<'a, [u8]>,
}

impl<'a> Plan<'a> {
    /// Reads modes, number and lengths of pieces, then the bytes; `None` if there are none.
    pub fn read(grammar: Grammar, input: &'a [u8]) -> Option<Self> {
        let (&[modes, count], mut rest) = input.split_first_chunk()?;
        let mut pieces = Vec::new();
        for _ in 0..count % (PIECES_MAX + 1) {
            let (piece, later) = rest.split_first_chunk()?;
            pieces.push(usize::from(u16::from_le_bytes(*piece)).max(1));
            rest = later;
        }
        if pieces.is_empty() {
            pieces.push(1);
        }
        let bytes = match grammar {
            Grammar::Binary if modes & COMPOSED != 0 => Cow::Owned(compose::packets(rest)),
            Grammar::Meta if modes & COMPOSED != 0 => Cow::Owned(compose::meta_lines(rest)),
            _ => Cow::Borrowed(rest),
        };
        (!bytes.is_empty()).then_some(Self {
            grammar,
            modes,
            pieces,
            bytes,
        })
    }

    fn has(&self, mode: u8) -> bool {
        self.modes & mode != 0
    }

    /// Whether a full memory may change what is answered.
    pub fn is_tight(&self) -> bool {
        self.has(LITTLE_MEMORY)
    }

    /// Whether a full memory evicts, not refuses.
    pub fn evicts(&self) -> bool {
        !self.has(NO_EVICTIONS)
    }

    /// Whether there is a partner, who never confirms anything.
    pub fn is_replicated(&self) -> bool {
        self.has(REPLICATED)
    }

    /// Whether values go straight into their items.
    pub fn is_straight(&self) -> bool {
        self.has(STRAIGHT)
    }

    /// Whether `-B` sets the protocol.
    pub fn is_fixed(&self) -> bool {
        self.has(FIXED)
    }

    /// Whether clients have to say who they are.
    pub fn asks_for_passwords(&self) -> bool {
        self.has(PASSWORDS)
    }

    /// Whether the bytes may hold a command that is answered otherwise when others are before it
    /// in the same turn, or one that changes how much memory there is.
    pub fn has_moody_commands(&self) -> bool {
        // The beginning of `metadump` or `mgdump` will do.
        let moody: [&[u8]; 4] = [b"watch", b"dump", b"lru_crawler", b"memlimit"];
        moody
            .into_iter()
            .any(|word| memmem::find(&self.bytes, word).is_some())
    }

    /// Requests of a cut input that a turn executes at most.
    pub fn requests_per_turn(&self) -> u32 {
        if self.has(ONE_REQUEST_PER_TURN) {
            1
        } else {
            20
        }
    }
}
