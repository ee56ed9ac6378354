//! Conversations of tests, without their sockets.

use super::control::{Console, Outcome};
use super::text::Stop;
use crate::auth::Access;
use crate::command::{Output, Turn};
use crate::limits::TURN_OUTPUT_BYTES;
use crate::protocol::text::Admin;
use crate::stats::{Prefixes, WorkerCounters};
use crate::store::{Now, OpContext, Store, StoreConfig};

/// The moment at which all of them take place.
pub(crate) const NOW: Now = Now {
    boot_ms: 1_000_000,
    wall_ms: 200_000_000_000,
};

/// A console without a node; it lets everybody in unless told otherwise.
#[derive(Default)]
pub(crate) struct Desk(pub(crate) Access);

impl Console for Desk {
    fn stats(&self, args: &[&[u8]], out: &mut Vec<u8>) {
        out.extend_from_slice(match args.first() {
            None => b"STAT pid 1\r\nSTAT words with a blank\r\nEND\r\n",
            Some(_) => b"ERROR\r\n",
        });
    }

    fn dumps_keys(&self) -> bool {
        true
    }

    fn administer(&self, _command: Admin, _follows_replies: bool) -> Outcome {
        Outcome::OK
    }

    fn version(&self) -> &str {
        "1.6.45"
    }

    fn access(&self) -> &Access {
        &self.0
    }
}

/// Who plays, with what.
pub(crate) struct Stage {
    pub(crate) store: Store,
    pub(crate) counters: WorkerCounters,
    prefixes: Prefixes,
}

impl Stage {
    /// With an empty store.
    pub(crate) fn new(config: &StoreConfig) -> Self {
        Self {
            store: Store::new(config),
            counters: WorkerCounters::default(),
            prefixes: Prefixes::new(b':', false),
        }
    }

    /// One turn of `run`; its replies are put behind the others.
    pub(crate) fn turn(
        &self,
        replies: &mut Vec<u8>,
        run: impl FnOnce(&mut Turn<'_>, &mut Output) -> (usize, Stop),
    ) -> (usize, Stop) {
        let mut batch = OpContext::at(NOW);
        let mut turn = Turn {
            store: &self.store,
            batch: &mut batch,
            counters: &self.counters,
            prefixes: &self.prefixes,
            spent_bytes: 0,
            output_bytes_max: TURN_OUTPUT_BYTES,
        };
        let mut out = Output::default();
        let ran = run(&mut turn, &mut out);
        for (skipped, chunk) in out.chunks_after(0) {
            replies.extend_from_slice(&chunk.bytes()[skipped..]);
        }
        ran
    }

    /// Plays `input`, shown in pieces that end at `cuts`; returns the replies and how it stopped.
    pub(crate) fn play(
        &self,
        input: &[u8],
        cuts: &[usize],
        mut run: impl FnMut(&[u8], &mut Turn<'_>, &mut Output) -> (usize, Stop),
    ) -> (Vec<u8>, Stop) {
        let (mut replies, mut from) = (Vec::new(), 0);
        for &to in cuts.iter().chain([&input.len()]) {
            loop {
                let shown = &input[from..to];
                let (used, stop) = self.turn(&mut replies, |turn, out| run(shown, turn, out));
                from += used;
                match stop {
                    Stop::NeedMore => break,
                    Stop::Yield | Stop::HandOver => assert!(used > 0, "it stands still"),
                    Stop::Close | Stop::Quit | Stop::Shutdown | Stop::Watch(_) => {
                        return (replies, stop);
                    }
                }
            }
        }
        (replies, Stop::NeedMore)
    }
}
