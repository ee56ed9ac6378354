//! Executes a request whose packet is all there, and the replies of storage commands.

use super::Step;
use crate::command::{self, ArithmeticRequest, Deleted, Delta, Initial, Stored, deadline_ms};
use crate::protocol::binary::{Header, Request, Status, Write, reply};
use crate::protocol::text;
use crate::store::{Item, Now};

/// What a storage command is answered that finds no memory.
pub(super) const NO_MEMORY_STORING: &str = "Out of memory allocating item";

impl Step<'_, '_> {
    pub(super) fn answer(&mut self, header: &Header, request: Request<'_>) {
        match request {
            Request::Get { key, with_key } => {
                let out = &mut *self.out;
                let found = command::get(self.turn, key, |item| hit(out, header, item, with_key));
                self.missed(found, header, key, with_key);
            }
            Request::GetAndTouch {
                key,
                exptime,
                with_key,
            } => {
                let deadline_ms = deadline_ms(i64::from(exptime), self.turn.now());
                let out = &mut *self.out;
                let found = command::get_and_touch(self.turn, key, deadline_ms, |item| {
                    hit(out, header, item, with_key);
                });
                self.missed(found, header, key, with_key);
            }
            Request::Touch { key, exptime } => {
                let deadline_ms = deadline_ms(i64::from(exptime), self.turn.now());
                let out = &mut self.out.bytes;
                let found = command::get_and_touch(self.turn, key, deadline_ms, |item| {
                    reply::hit_head(out, header, &[], item.client_flags(), 0, item.cas());
                });
                self.missed(found, header, key, false);
            }
            Request::Delete { key } => match command::delete(self.turn, key, header.cas) {
                Deleted::Deleted => self.done(header, 0),
                Deleted::NotFound => self.error(header, Status::NotFound),
                Deleted::Exists => self.error(header, Status::Exists),
            },
            Request::Arithmetic {
                key,
                incr,
                delta,
                initial,
                exptime,
            } => {
                let now = self.turn.now();
                let asked = ArithmeticRequest {
                    delta,
                    incr,
                    compare: Some(header.cas),
                    initial: exptime.map(|exptime| first_number(initial, exptime, now)),
                    ..ArithmeticRequest::default()
                };
                let outcome = command::arithmetic(self.turn, key, &asked);
                self.counted(header, outcome);
            }
            Request::Flush { .. } if !self.console.takes_flush_all() => {
                self.error(header, Status::AuthFailure);
            }
            Request::Flush { exptime } => {
                command::flush_all(self.turn, i64::from(exptime));
                self.done(header, 0);
            }
            Request::Noop => self.done(header, 0),
            Request::Version => {
                let version = self.console.version().as_bytes();
                reply::value(&mut self.out.bytes, header, version, 0);
            }
            Request::Stat { key } => self.stat(header, key),
            // The conversation has seen to these.
            Request::Store(_) | Request::SaslList | Request::Sasl(_) | Request::Quit => {}
        }
    }

    /// The reply of a storage command.
    pub(super) fn stored(&mut self, header: &Header, write: Write, stored: Stored) {
        let status = match (stored, write) {
            (Stored::Stored { cas, .. }, _) => return self.done(header, cas),
            (Stored::Exists, _) | (Stored::NotStored, Write::Add) => Status::Exists,
            (Stored::NotFound, _) | (Stored::NotStored, Write::Replace) => Status::NotFound,
            (Stored::NotStored, _) => Status::NotStored,
            (Stored::TooLarge, _) => Status::TooLarge,
            (Stored::NoMemory, _) => {
                return self.no_memory(header, NO_MEMORY_STORING);
            }
        };
        self.error(header, status);
    }

    fn counted(&mut self, header: &Header, outcome: Delta) {
        match outcome {
            Delta::Value(_) if header.opcode.is_quiet() => {}
            Delta::Value(number) => {
                let value = number.value.to_be_bytes();
                reply::value(&mut self.out.bytes, header, &value, number.cas);
            }
            Delta::Exists => self.error(header, Status::Exists),
            Delta::NotFound => self.error(header, Status::NotFound),
            Delta::NonNumeric => self.error(header, Status::NonNumeric),
            Delta::NoMemory { .. } => self.no_memory(header, "Out of memory incrementing value"),
        }
    }

    /// A quiet miss is no answer at all.
    fn missed(&mut self, found: bool, header: &Header, key: &[u8], with_key: bool) {
        if found || header.opcode.is_quiet() {
            return;
        }
        if with_key {
            reply::missing_key(&mut self.out.bytes, header, key);
        } else {
            self.error(header, Status::NotFound);
        }
    }

    /// A quiet success is no answer at all.
    fn done(&mut self, header: &Header, cas: u64) {
        if !header.opcode.is_quiet() {
            reply::done(&mut self.out.bytes, header, cas);
        }
    }

    pub(super) fn error(&mut self, header: &Header, status: Status) {
        reply::error(&mut self.out.bytes, header, status);
    }

    fn no_memory(&mut self, header: &Header, words: &str) {
        reply::error_saying(&mut self.out.bytes, header, Status::NoMemory, words);
    }

    /// Statistics are written as text, then each line becomes a packet.
    fn stat(&mut self, header: &Header, key: &[u8]) {
        self.turn.count_survey();
        if let Some(words) = key.strip_prefix(b"detail") {
            return self.stat_detail(header, words);
        }
        let mut lines = Vec::new();
        let args: Vec<&[u8]> = key
            .split(|&byte| byte == b' ')
            .filter(|word| !word.is_empty())
            .collect();
        // Text takes the beginning of these words for the words; here only a whole word counts.
        let is_part = |whole: &[u8]| {
            args.first()
                .is_some_and(|word| whole.starts_with(word) && *word != whole)
        };
        // As there, these are shown in text only.
        let is_texts = args
            .first()
            .is_some_and(|word| b"conns".starts_with(word) || b"extstore".starts_with(word));
        // More than a word is none, but behind these two anything may stand.
        let is_open = key.starts_with(b"reset ") || key.starts_with(b"settings ");
        let is_unclear = key.contains(&b' ') && !is_open;
        if !is_unclear && !is_texts && !is_part(b"reset") && !is_part(b"settings") {
            self.console.stats(&args, &mut lines);
        }
        if !lines.ends_with(text::reply::END) && lines != b"RESET\r\n" {
            return self.error(header, Status::NotFound);
        }
        let out = &mut self.out.bytes;
        for line in lines.split(|&byte| byte == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if let Some(rest) = line.strip_prefix(b"STAT ") {
                let end = memchr::memchr(b' ', rest).unwrap_or(rest.len());
                let (name, value) = rest.split_at(end);
                reply::stat(out, header, name, value.get(1..).unwrap_or_default());
            }
        }
        reply::stat(out, header, &[], &[]);
    }
}

impl Step<'_, '_> {
    /// `stat` of `detail on`, `detail off` or `detail dump`; whatever follows these does not
    /// count. A dump is one statistic of many lines, as in memcached.
    fn stat_detail(&mut self, header: &Header, words: &[u8]) {
        let is_asked = |word: &&[u8]| words.get(1..).is_some_and(|rest| rest.starts_with(word));
        let known: [&[u8]; 3] = [b"dump", b"on", b"off"];
        let mut lines = Vec::new();
        if words.first() == Some(&b' ')
            && let Some(word) = known.into_iter().find(is_asked)
        {
            self.console.stats(&[b"detail", word], &mut lines);
        }
        let out = &mut self.out.bytes;
        if lines.ends_with(text::reply::END) {
            reply::stat(out, header, b"detailed", &lines);
        } else if lines != b"OK\r\n" {
            return self.error(header, Status::NotFound);
        }
        reply::stat(out, header, &[], &[]);
    }
}

/// What is stored where nothing is.
fn first_number(number: u64, exptime: u32, now: Now) -> Initial {
    let deadline_ms = deadline_ms(i64::from(exptime), now);
    Initial {
        number,
        deadline_ms,
        logged_deadline_ms: deadline_ms,
    }
}

fn hit(out: &mut command::Output, header: &Header, item: &Item, with_key: bool) {
    let key = if with_key { item.key() } else { &[] };
    let len = item.value().len();
    let flags = item.client_flags();
    reply::hit_head(&mut out.bytes, header, key, flags, len, item.cas());
    out.push_value(item);
}
