//! One client's connection without its socket.

use memtwin::command::CommandContext;
use memtwin::frontend::{Flow, Frontend, Output};
use memtwin::limits::{INCOMING_BYTES_MIN, LINE_BYTES, TURN_OUTPUT_BYTES};
use memtwin::node::Node;
use memtwin::store::{OpContext, Now};

use crate::node::ITEM_BYTES_MAX;

/// What a reply may take beside a value; `stats` is the longest.
const REPLY_BYTES: usize = 32 << 10;

/// A dump of so few items takes no more turns.
const DUMP_TURNS_MAX: u32 = 10_000;
/// The longest user and password that are waited for.
const LOGIN_BYTES: usize = 16 << 10;

/// See the module.
pub(crate) struct Client<'n> {
    node: &'n Node,
    frontend: Frontend,
    tail: Vec<u8>,
    requests_per_turn: u32,
    straight: bool,
    longest_piece: usize,
    is_closed: bool,
    /// Whether it was closed for a line without an end. It is executed where it comes at once, so
    /// that cuts decide, as they do in memcached.
    pub(crate) is_cut_off: bool,
    /// All that it was answered.
    pub(crate) answered: Vec<u8>,
}

impl<'n> Client<'n> {
    pub(crate) fn connect(node: &'n Node, requests_per_turn: u32, straight: bool) -> Self {
        Self {
            node,
            frontend: Frontend::new(node.config.client.protocol, &node.access),
            tail: Vec::new(),
            requests_per_turn,
            straight,
            longest_piece: 0,
            is_closed: false,
            is_cut_off: false,
            answered: Vec::new(),
        }
    }

    /// Sends a piece, which the server reads at once.
    pub(crate) fn send(&mut self, piece: &[u8], now: Now) {
        if self.is_closed {
            return;
        }
        self.longest_piece = self.longest_piece.max(piece.len());
        let taken = if self.straight { self.fill(piece) } else { 0 };
        if self.frontend.is_complete() {
            self.take_turns(now);
        }
        self.tail.extend_from_slice(&piece[taken..]);
        if !self.is_closed {
            self.take_turns(now);
        }
        // Each line that is cut off and each value that is waited for has its bound.
        let words = self.tail.trim_ascii_start();
        let may_be_long = words.starts_with(b"get ") || words.starts_with(b"gets ");
        let login = self.node.access.text.as_ref().map_or(0, |_| LOGIN_BYTES);
        let bound = LINE_BYTES + INCOMING_BYTES_MIN + login + self.longest_piece;
        assert!(
            may_be_long || self.tail.len() <= bound,
            "a rest of {} bytes",
            self.tail.len()
        );
    }

    /// Puts what it can into the value that is being received.
    fn fill(&mut self, piece: &[u8]) -> usize {
        let mut taken = 0;
        if self.tail.is_empty()
            && let Some(incoming) = self.frontend.receiving()
        {
            incoming.rest(|rest| {
                taken = rest.len().min(piece.len());
                rest[..taken].copy_from_slice(&piece[..taken]);
                taken
            });
        }
        taken
    }

    fn take_turns(&mut self, now: Now) {
        // A dump takes turns without using anything.
        let mut turns_of_nothing = 0;
        loop {
            let before = self.tail.len();
            match self.take_turn(now) {
                Flow::NeedMore => return,
                Flow::Yield | Flow::HandOver | Flow::Consult if self.tail.len() < before => {
                    turns_of_nothing = 0;
                }
                Flow::Yield | Flow::HandOver | Flow::Consult => {
                    turns_of_nothing += 1;
                    assert!(turns_of_nothing < DUMP_TURNS_MAX, "it stands still");
                }
                // Whoever watches is not listened to any more.
                Flow::Quit | Flow::Shutdown | Flow::Watch(_) => self.is_closed = true,
                Flow::Close => {
                    self.is_closed = true;
                    self.is_cut_off = self.tail.len() > LINE_BYTES && !self.tail.contains(&b'\n');
                }
            }
            if self.is_closed {
                self.tail.clear();
                return;
            }
        }
    }

    fn take_turn(&mut self, now: Now) -> Flow {
        let mut op = OpContext::at(now);
        let mut output = Output::default();
        let mut ctx = CommandContext {
            store: &self.node.store,
            op: &mut op,
            counters: &self.node.workers[0],
            prefixes: &self.node.prefixes,
            spent_bytes: 0,
            output_bytes_max: TURN_OUTPUT_BYTES,
        };
        let (used, flow) = self.frontend.run(
            &self.tail,
            &mut ctx,
            &mut output,
            self.node,
            self.requests_per_turn,
        );
        assert!(used <= self.tail.len());
        self.tail.drain(..used);
        let bound = TURN_OUTPUT_BYTES + ITEM_BYTES_MAX + REPLY_BYTES;
        assert!(output.len() <= bound, "a turn answers {}", output.len());
        let before = self.answered.len();
        for (from, chunk) in output.chunks_after(0) {
            self.answered.extend_from_slice(&chunk.bytes()[from..]);
        }
        assert_eq!(self.answered.len() - before, output.len());
        flow
    }
}
