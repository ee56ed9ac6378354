//! Executes requests whose packet is complete, and prints replies.

use crate::command::{
    self, ArithmeticOutcome, ArithmeticRequest, DeleteRequest, Deleted, Initial, Stored,
    deadline_ms,
};
use crate::frontend::Output;
use crate::frontend::executor::Executor;
use crate::protocol::StoreMode;
use crate::protocol::binary::{BinaryRequest, Header, Status, reply};
use crate::store::{Item, Now};

/// The reply to a storage command for which there is no memory.
pub(super) const NO_MEMORY_STORING: &str = "Out of memory allocating item";

impl Executor<'_, '_> {
    pub(super) fn answer_packet(&mut self, header: &Header, request: BinaryRequest<'_>) {
        match request {
            BinaryRequest::Get {
                key,
                exptime,
                with_key,
            } => {
                let out = &mut *self.out;
                let show = |item: &Item| hit(out, header, item, with_key);
                let found = match exptime {
                    None => command::get(self.ctx, key, show),
                    Some(exptime) => {
                        let deadline_ms = deadline_ms(i64::from(exptime), self.ctx.now());
                        command::get_and_touch(self.ctx, key, deadline_ms, show)
                    }
                };
                self.missed(found, header, key, with_key);
            }
            BinaryRequest::Touch { key, exptime } => {
                let deadline_ms = deadline_ms(i64::from(exptime), self.ctx.now());
                let out = &mut self.out.bytes;
                let found = command::get_and_touch(self.ctx, key, deadline_ms, |item| {
                    reply::hit_head(out, header, &[], item.client_flags(), 0, item.cas());
                });
                self.missed(found, header, key, false);
            }
            BinaryRequest::Delete { key } => self.delete(header, key),
            BinaryRequest::Arithmetic {
                key,
                incr,
                delta,
                initial,
                exptime,
            } => {
                let now = self.ctx.now();
                let asked = ArithmeticRequest {
                    delta,
                    incr,
                    compare: Some(header.cas),
                    initial: exptime.map(|exptime| first_number(initial, exptime, now)),
                    ..ArithmeticRequest::default()
                };
                let outcome = command::arithmetic(self.ctx, key, &asked);
                self.counted(header, outcome);
            }
            BinaryRequest::Flush { .. } if !self.server.takes_flush_all() => {
                self.error(header, Status::AuthFailure);
            }
            BinaryRequest::Flush { exptime } => {
                command::flush_all(self.ctx, i64::from(exptime));
                self.done(header, 0);
            }
            BinaryRequest::Noop => self.done(header, 0),
            BinaryRequest::Version => {
                let version = self.server.version().as_bytes();
                reply::value(&mut self.out.bytes, header, version, 0);
            }
            BinaryRequest::Stat { key } => self.stat(header, key),
            // Handled by the caller.
            _ => {}
        }
    }

    fn delete(&mut self, header: &Header, key: &[u8]) {
        self.ctx.prefixes.count_delete(key);
        let asked = DeleteRequest {
            compare: Some(header.cas).filter(|&cas| cas != 0),
            name: "delete",
            ..DeleteRequest::default()
        };
        match command::delete(self.ctx, key, &asked) {
            Deleted::Deleted => self.done(header, 0),
            Deleted::NotFound => self.error(header, Status::NotFound),
            Deleted::Exists => self.error(header, Status::Exists),
            Deleted::NoMemory => self.no_memory(header, NO_MEMORY_STORING),
        }
    }

    /// The reply of a storage command.
    pub(super) fn stored(&mut self, header: &Header, mode: StoreMode, stored: Stored) {
        let status = match (stored, mode) {
            (Stored::Stored { cas, .. }, _) => return self.done(header, cas),
            (Stored::Exists, _) | (Stored::NotStored, StoreMode::Add) => Status::Exists,
            (Stored::NotFound, _) | (Stored::NotStored, StoreMode::Replace) => Status::NotFound,
            (Stored::NotStored, _) => Status::NotStored,
            (Stored::TooLarge, _) => Status::TooLarge,
            (Stored::NoMemory, _) => {
                return self.no_memory(header, NO_MEMORY_STORING);
            }
        };
        self.error(header, status);
    }

    fn counted(&mut self, header: &Header, outcome: ArithmeticOutcome) {
        match outcome {
            ArithmeticOutcome::Value(_) if header.opcode.is_quiet() => {}
            ArithmeticOutcome::Value(number) => {
                let value = number.value.to_be_bytes();
                reply::value(&mut self.out.bytes, header, &value, number.cas);
            }
            ArithmeticOutcome::Exists => self.error(header, Status::Exists),
            ArithmeticOutcome::NotFound => self.error(header, Status::NotFound),
            ArithmeticOutcome::NonNumeric => self.error(header, Status::NonNumeric),
            ArithmeticOutcome::NoMemory { .. } => {
                self.no_memory(header, "Out of memory incrementing value");
            }
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
}

/// The item to create if there is none.
fn first_number(number: u64, exptime: u32, now: Now) -> Initial {
    let deadline_ms = deadline_ms(i64::from(exptime), now);
    Initial {
        number,
        deadline_ms,
        logged_deadline_ms: deadline_ms,
    }
}

fn hit(out: &mut Output, header: &Header, item: &Item, with_key: bool) {
    let key = if with_key { item.key() } else { &[] };
    let len = item.value().len();
    let flags = item.client_flags();
    reply::hit_head(&mut out.bytes, header, key, flags, len, item.cas());
    out.push_value(item);
}
