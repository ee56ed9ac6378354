//! `get`, `gets`, `gat`, `gats`: a line may have more keys than one turn serves.

use super::line::content;
use super::state::{Retrieval, TextFrontend, TextState};
use crate::command;
use crate::frontend::executor::Executor;
use crate::frontend::flow::Flow;
use crate::frontend::output::Output;
use crate::limits::{KEY_BYTES, TURN_KEYS};
use crate::protocol::text::{Keys, ParseError, reply};
use crate::store::{Dependence, Item};

impl TextFrontend {
    /// The rest of a line whose first keys are served.
    pub(super) fn more_keys(
        &mut self,
        input: &[u8],
        how: Retrieval,
        exec: &mut Executor<'_, '_>,
    ) -> (usize, Option<Flow>) {
        let end = memchr::memchr(b'\n', input).map_or(input.len(), |end| end + 1);
        self.keys(&input[..end], 0, how, exec)
    }

    /// Serves the keys of a whole line from `start` on, as far as the output budget allows.
    pub(super) fn keys(
        &mut self,
        whole: &[u8],
        start: usize,
        how: Retrieval,
        exec: &mut Executor<'_, '_>,
    ) -> (usize, Option<Flow>) {
        let line = content(whole);
        let mut keys = Keys(&line[start..]);
        if exec.ctx.consults() && puts_off(keys, exec) {
            return (0, Some(Flow::Consult));
        }
        let mut served = 0;
        while let Some((key, rest)) = keys.split_first()
            && !(how.is_refused && key.len() > KEY_BYTES)
        {
            if exec.out.len() >= exec.ctx.output_bytes_max || served == TURN_KEYS {
                self.state = TextState::Keys(how);
                return (line.len() - keys.0.len(), Some(Flow::Yield));
            }
            exec.retrieve(key, how);
            served += 1;
            keys = rest;
        }
        if how.is_refused {
            return self.refuse_request(ParseError::BAD_FORMAT, whole.len(), &mut exec.out.bytes);
        }
        exec.out.bytes.extend_from_slice(reply::END);
        self.state = TextState::Line;
        (whole.len(), None)
    }
}

impl Executor<'_, '_> {
    /// Answers one key; a miss answers nothing.
    fn retrieve(&mut self, key: &[u8], how: Retrieval) {
        let out = &mut *self.out;
        let show = |item: &Item| show(out, item, how.with_cas);
        match (how.touch, how.is_refused) {
            (None, false) => command::get(self.ctx, key, show),
            (None, true) => command::get(self.ctx, key, |_| {}),
            (Some(deadline_ms), false) => command::get_and_touch(self.ctx, key, deadline_ms, show),
            (Some(deadline_ms), true) => command::get_and_touch(self.ctx, key, deadline_ms, |_| {}),
        };
    }
}

fn show(out: &mut Output, item: &Item, with_cas: bool) {
    let cas = with_cas.then(|| item.cas());
    let len = item.value().len();
    reply::value_head(&mut out.bytes, item.key(), item.client_flags(), len, cas);
    out.push_value(item);
    out.bytes.extend_from_slice(b"\r\n");
}

/// Whether the keys of one turn are put off until the partner has been asked.
#[inline(never)]
fn puts_off(keys: Keys<'_>, exec: &mut Executor<'_, '_>) -> bool {
    let next = std::iter::successors(keys.split_first(), |(_, rest)| rest.split_first());
    let next = next.map(|(key, _)| key).take(TURN_KEYS as usize);
    exec.ctx.puts_off(next, Dependence::Reads)
}
