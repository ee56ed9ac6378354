//! The text conversation of one connection, without its socket: bytes in, replies out.
//!
//! It can stop before any request, and between the keys of a long `get`; what it has not executed
//! stays with the caller and is shown again.

mod meta;

use crate::command::{self, Deleted, Output, Retrieval, Stored, Turn};
use crate::limits::{
    GET_LINE_BYTES, GET_LINE_SPACES, INCOMING_BYTES_MIN, LINE_BYTES, TURN_KEYS, TURN_OUTPUT_BYTES,
};
use crate::protocol::text::{self, Fault, Keys, Request, Storage, Verb, reply};
use crate::store::Incoming;

/// Commands that look beyond one connection and the items.
pub trait Console {
    /// `stats` with the words after it.
    fn stats(&self, args: &[&[u8]], out: &mut Vec<u8>);
    /// `verbosity`.
    fn set_verbosity(&self, level: u32);
    /// The answer to `version`.
    fn version(&self) -> &str;
}

/// Why the conversation stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The rest of the input is no whole request.
    NeedMore,
    /// The turn's budget is spent.
    Yield,
    /// The client is to be disconnected once the replies are out.
    Close,
}

/// What has been agreed on so far.
#[derive(Debug, Default)]
pub struct Conversation {
    state: State,
}

#[derive(Debug, Default)]
enum State {
    /// A command line comes next.
    #[default]
    Line,
    /// The rest of a long `get` line comes next; its keys are known to be good.
    Keys(Retrieval),
    /// A value comes next.
    Value(Box<Receiving>),
    /// Data nobody wants comes next.
    Swallow(usize),
}

/// A storage command whose data has not all come in.
#[derive(Debug)]
struct Receiving {
    verb: Verb,
    client_flags: u32,
    exptime: i64,
    noreply: bool,
    incoming: Incoming,
    line_end: Vec<u8>,
    /// What followed `ms`; then the fields of the classic commands mean nothing.
    meta: Option<Box<[u8]>>,
}

/// The parts of a step that do not change from request to request.
struct Step<'a, 't> {
    turn: &'a mut Turn<'t>,
    out: &'a mut Output,
    console: &'a dyn Console,
}

impl Conversation {
    /// Executes requests until one of the reasons to stop; returns the bytes used.
    pub fn run(
        &mut self,
        input: &[u8],
        turn: &mut Turn<'_>,
        out: &mut Output,
        console: &dyn Console,
        requests_max: u32,
    ) -> (usize, Stop) {
        let mut step = Step { turn, out, console };
        let mut used = 0;
        let mut requests = 0;
        loop {
            if used == input.len() {
                return (used, Stop::NeedMore);
            }
            if step.out.len() >= TURN_OUTPUT_BYTES || requests == requests_max {
                return (used, Stop::Yield);
            }
            let (taken, stop) = self.step(&input[used..], &mut step);
            used += taken;
            if let Some(stop) = stop {
                return (used, stop);
            }
            requests += 1;
        }
    }

    /// A value that is being received, to be filled straight from the socket.
    pub fn receiving(&mut self) -> Option<&mut Incoming> {
        match &mut self.state {
            State::Value(receiving) if receiving.incoming.missing_bytes() > 0 => {
                Some(&mut receiving.incoming)
            }
            _ => None,
        }
    }

    fn step(&mut self, input: &[u8], step: &mut Step<'_, '_>) -> (usize, Option<Stop>) {
        match &mut self.state {
            State::Line => self.line(input, step),
            State::Keys(how) => {
                let how = *how;
                self.keys(input, 0, how, step)
            }
            State::Value(receiving) => {
                let taken = receiving.take(input);
                if receiving.line_end.len() == 2 {
                    self.finish_value(step);
                }
                (taken, None)
            }
            State::Swallow(left) => {
                let taken = input.len().min(*left);
                *left -= taken;
                if *left == 0 {
                    self.state = State::Line;
                }
                (taken, None)
            }
        }
    }

    fn line(&mut self, input: &[u8], step: &mut Step<'_, '_>) -> (usize, Option<Stop>) {
        let Some(end) = memchr::memchr(b'\n', input) else {
            return (0, Some(without_end(input)));
        };
        let used = end + 1;
        tracing::trace!(line = %content(&input[..used]).escape_ascii(), "command");
        let out = &mut step.out.bytes;
        match text::parse(&input[..used]) {
            Err(fault) => return self.fault(fault, used, out),
            Ok(Request::Get { keys, with_cas }) => {
                let how = Retrieval {
                    with_cas,
                    touch: None,
                };
                return self.keys(&input[..used], offset(&input[..used], keys), how, step);
            }
            Ok(Request::GetAndTouch {
                exptime,
                keys,
                with_cas,
            }) => {
                let touch = command::deadline_ms(i64::from(exptime), step.turn.now());
                let how = Retrieval {
                    with_cas,
                    touch: Some(touch),
                };
                return self.keys(&input[..used], offset(&input[..used], keys), how, step);
            }
            Ok(Request::Store(storage)) => {
                return self.storage(&storage, &input[used..], used, step);
            }
            Ok(Request::Delete { key, noreply }) => {
                let found = command::delete(step.turn, key, 0) == Deleted::Deleted;
                say(out, noreply, if found { "DELETED" } else { "NOT_FOUND" });
            }
            Ok(Request::Touch {
                key,
                exptime,
                noreply,
            }) => {
                let deadline_ms = command::deadline_ms(i64::from(exptime), step.turn.now());
                let found = command::touch(step.turn, key, deadline_ms);
                say(out, noreply, if found { "TOUCHED" } else { "NOT_FOUND" });
            }
            Ok(Request::Arithmetic {
                key,
                delta,
                incr,
                noreply,
            }) => {
                let by = command::Step::new(delta, incr);
                arithmetic(out, noreply, command::arithmetic(step.turn, key, &by));
            }
            Ok(Request::FlushAll { exptime, noreply }) => {
                command::flush_all(step.turn, i64::from(exptime));
                say(out, noreply, "OK");
            }
            Ok(Request::Verbosity { level, noreply }) => {
                step.console.set_verbosity(level);
                say(out, noreply, "OK");
            }
            Ok(Request::Meta { verb, args }) => {
                return self.meta(verb, args, &input[used..], used, step);
            }
            Ok(Request::MetaNothing) => out.extend_from_slice(meta::reply::NOTHING),
            Ok(Request::MetaInspect { args }) => meta::inspect(args, step),
            Ok(Request::Version) => {
                out.extend_from_slice(b"VERSION ");
                reply::line(out, step.console.version());
            }
            Ok(Request::Stats { args }) => step.console.stats(&args, out),
            Ok(Request::Quit) => return (used, Some(Stop::Close)),
        }
        (used, None)
    }

    fn fault(&mut self, fault: Fault, used: usize, out: &mut Vec<u8>) -> (usize, Option<Stop>) {
        if fault.close {
            return (used, Some(Stop::Close));
        }
        say(out, fault.reply.is_empty(), fault.reply);
        self.swallow(fault.swallow_bytes);
        (used, None)
    }

    fn swallow(&mut self, bytes: usize) {
        self.state = if bytes == 0 {
            State::Line
        } else {
            State::Swallow(bytes)
        };
    }

    /// Serves the keys of a whole line from `start` on, as far as the output budget allows.
    fn keys(
        &mut self,
        input: &[u8],
        start: usize,
        how: Retrieval,
        step: &mut Step<'_, '_>,
    ) -> (usize, Option<Stop>) {
        let end = memchr::memchr(b'\n', input).map_or(input.len(), |end| end + 1);
        let line = content(&input[..end]);
        let mut keys = Keys(&line[start..]);
        let mut served = 0;
        while let Some((key, rest)) = keys.split_first() {
            if step.out.len() >= TURN_OUTPUT_BYTES || served == TURN_KEYS {
                self.state = State::Keys(how);
                return (line.len() - keys.0.len(), Some(Stop::Yield));
            }
            command::retrieve(step.turn, step.out, key, how);
            served += 1;
            keys = rest;
        }
        step.out.bytes.extend_from_slice(reply::END);
        self.state = State::Line;
        (end, None)
    }

    fn storage(
        &mut self,
        request: &Storage<'_>,
        rest: &[u8],
        used: usize,
        step: &mut Step<'_, '_>,
    ) -> (usize, Option<Stop>) {
        let block_len = request.data_len + 2;
        if !step
            .turn
            .store
            .fits(request.key.len(), request.client_flags, request.data_len)
        {
            let stored = command::discard_too_large(step.turn, request);
            stored_reply(&mut step.out.bytes, request.noreply, stored);
            self.swallow(block_len);
            return (used, None);
        }
        if rest.len() >= block_len {
            let (data, line_end) = rest[..block_len].split_at(request.data_len);
            if line_end == b"\r\n" {
                let stored = command::store(step.turn, request, data);
                stored_reply(&mut step.out.bytes, request.noreply, stored);
            } else {
                bad_chunk(step, request.noreply);
            }
            return (used + block_len, None);
        }
        if request.data_len < INCOMING_BYTES_MIN {
            return (0, Some(Stop::NeedMore));
        }
        self.begin_value(request, step);
        (used, None)
    }

    /// Makes the item before its data is here, so that the data goes straight into it.
    fn begin_value(&mut self, request: &Storage<'_>, step: &mut Step<'_, '_>) {
        match command::begin(step.turn, request) {
            Ok(incoming) => {
                self.state = State::Value(Box::new(Receiving {
                    verb: request.verb,
                    client_flags: request.client_flags,
                    exptime: request.exptime,
                    noreply: request.noreply,
                    incoming,
                    line_end: Vec::new(),
                    meta: None,
                }));
            }
            Err(stored) => {
                stored_reply(&mut step.out.bytes, request.noreply, stored);
                self.swallow(request.data_len + 2);
            }
        }
    }

    fn finish_value(&mut self, step: &mut Step<'_, '_>) {
        let State::Value(receiving) = std::mem::take(&mut self.state) else {
            return;
        };
        let Receiving {
            verb,
            client_flags,
            exptime,
            noreply,
            incoming,
            line_end,
            meta,
        } = *receiving;
        if let Some(args) = meta {
            return meta::finish(&args, incoming, &line_end, step);
        }
        if line_end != b"\r\n" {
            return bad_chunk(step, noreply);
        }
        let key = incoming.key().to_vec();
        let data_len = incoming.value().len();
        let request = Storage {
            verb,
            key: &key,
            client_flags,
            exptime,
            data_len,
            only_over: 0,
            noreply,
        };
        let stored = command::store_incoming(step.turn, &request, incoming);
        stored_reply(&mut step.out.bytes, noreply, stored);
    }
}

impl Receiving {
    /// Takes data, then the two bytes of its line end.
    fn take(&mut self, input: &[u8]) -> usize {
        let data = input.len().min(self.incoming.missing_bytes());
        self.incoming.push(&input[..data]);
        if self.incoming.missing_bytes() > 0 {
            return data;
        }
        let end = (input.len() - data).min(2 - self.line_end.len());
        self.line_end.extend_from_slice(&input[data..data + end]);
        data + end
    }
}

/// A line without an end: either more is to come, or it is no line of ours.
fn without_end(input: &[u8]) -> Stop {
    if input.len() <= LINE_BYTES {
        return Stop::NeedMore;
    }
    let spaces = input.iter().take_while(|&&byte| byte == b' ').count();
    let words = &input[spaces..];
    let is_get = words.starts_with(b"get ") || words.starts_with(b"gets ");
    if spaces > GET_LINE_SPACES || !is_get || input.len() > GET_LINE_BYTES {
        return Stop::Close;
    }
    Stop::NeedMore
}

/// A line without its end.
fn content(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Where the keys of a line begin.
fn offset(line: &[u8], keys: Keys<'_>) -> usize {
    content(line).len() - keys.0.len()
}

fn say(out: &mut Vec<u8>, noreply: bool, words: &str) {
    if !noreply {
        reply::line(out, words);
    }
}

fn bad_chunk(step: &mut Step<'_, '_>, noreply: bool) {
    step.turn.counters.cmd_set.count();
    say(&mut step.out.bytes, noreply, "CLIENT_ERROR bad data chunk");
}

fn stored_reply(out: &mut Vec<u8>, noreply: bool, stored: Stored) {
    let words = match stored {
        Stored::Stored(_) => "STORED",
        Stored::NotStored => "NOT_STORED",
        Stored::Exists => "EXISTS",
        Stored::NotFound => "NOT_FOUND",
        Stored::TooLarge => "SERVER_ERROR object too large for cache",
        Stored::NoMemory => "SERVER_ERROR out of memory storing object",
    };
    say(out, noreply, words);
}

fn arithmetic(out: &mut Vec<u8>, noreply: bool, outcome: command::Delta) {
    use command::Delta;
    match outcome {
        Delta::Value(value, _) if !noreply => reply::number(out, value),
        Delta::Value(..) => {}
        Delta::Exists => say(out, noreply, "EXISTS"),
        Delta::NotFound => say(out, noreply, "NOT_FOUND"),
        Delta::NonNumeric => say(
            out,
            noreply,
            "CLIENT_ERROR cannot increment or decrement non-numeric value",
        ),
        Delta::NoMemory => say(out, noreply, "SERVER_ERROR out of memory"),
    }
}
