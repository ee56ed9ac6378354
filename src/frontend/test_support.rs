//! Runs scripts through a frontend without a socket.

use super::control::{ControlReply, ServerControl};
use super::flow::Flow;
use crate::auth::Access;
use crate::command::CommandContext;
use crate::frontend::Output;
use crate::limits::TURN_OUTPUT_BYTES;
use crate::protocol::binary::MAGIC_REQUEST;
use crate::protocol::text::Admin;
use crate::stats::{Prefixes, WorkerCounters};
use crate::store::{Now, OpContext, Store, StoreConfig};

/// The moment at which all of them take place.
pub(crate) const NOW: Now = Now::of(1_000_000, 200_000_000_000);

/// A [`ServerControl`] without a node; by default without authentication.
#[derive(Default)]
pub(crate) struct TestControl(pub(crate) Access);

impl ServerControl for TestControl {
    fn stats(&self, args: &[&[u8]], out: &mut Vec<u8>) {
        out.extend_from_slice(match args.first() {
            None => b"STAT pid 1\r\nSTAT words with a blank\r\nEND\r\n",
            Some(_) => b"ERROR\r\n",
        });
    }

    fn dumps_keys(&self) -> bool {
        true
    }

    fn administer(&self, _command: Admin, _follows_replies: bool) -> ControlReply {
        ControlReply::OK
    }

    fn version(&self) -> &str {
        "1.6.45"
    }

    fn access(&self) -> &Access {
        &self.0
    }
}

/// A request of the binary protocol.
pub(crate) fn packet(opcode: u8, extras: &[u8], key: &[u8], value: &[u8]) -> Vec<u8> {
    let body = [extras, key, value].concat();
    let mut bytes = vec![
        MAGIC_REQUEST,
        opcode,
        0,
        key.len() as u8,
        extras.len() as u8,
    ];
    bytes.extend_from_slice(&[0; 3]);
    bytes.extend_from_slice(&(body.len() as u32).to_be_bytes());
    bytes.extend_from_slice(&[0; 12]);
    [bytes, body].concat()
}

/// A store and counters for frontends to run on.
pub(crate) struct Harness {
    pub(crate) store: Store,
    pub(crate) counters: WorkerCounters,
    prefixes: Prefixes,
}

impl Harness {
    /// With an empty store.
    pub(crate) fn new(config: &StoreConfig) -> Self {
        Self {
            store: Store::new(config),
            counters: WorkerCounters::default(),
            prefixes: Prefixes::new(b':', false),
        }
    }

    /// Runs one turn, and appends its replies.
    pub(crate) fn turn(
        &self,
        replies: &mut Vec<u8>,
        run: impl FnOnce(&mut CommandContext<'_>, &mut Output) -> (usize, Flow),
    ) -> (usize, Flow) {
        let mut op = OpContext::at(NOW);
        let mut ctx = CommandContext {
            store: &self.store,
            op: &mut op,
            counters: &self.counters,
            prefixes: &self.prefixes,
            spent_bytes: 0,
            output_bytes_max: TURN_OUTPUT_BYTES,
        };
        let mut out = Output::default();
        let ran = run(&mut ctx, &mut out);
        for (skipped, chunk) in out.chunks_after(0) {
            replies.extend_from_slice(&chunk.bytes()[skipped..]);
        }
        ran
    }

    /// Runs `input`, passed in pieces that end at `cuts`; returns the replies and how it stopped.
    pub(crate) fn run_script(
        &self,
        input: &[u8],
        cuts: &[usize],
        mut run: impl FnMut(&[u8], &mut CommandContext<'_>, &mut Output) -> (usize, Flow),
    ) -> (Vec<u8>, Flow) {
        let (mut replies, mut from) = (Vec::new(), 0);
        for &to in cuts.iter().chain([&input.len()]) {
            loop {
                let shown = &input[from..to];
                let (used, flow) = self.turn(&mut replies, |ctx, out| run(shown, ctx, out));
                from += used;
                match flow {
                    Flow::NeedMore => break,
                    Flow::Yield | Flow::HandOver | Flow::Consult => {
                        assert!(used > 0, "it stands still");
                    }
                    Flow::Close | Flow::Quit | Flow::Shutdown | Flow::Watch(_) => {
                        return (replies, flow);
                    }
                }
            }
        }
        (replies, Flow::NeedMore)
    }
}
