//! The binary conversation of one connection, without its socket: packets in, replies out.
//!
//! Like the text conversation it can stop before any request; what it has not executed stays with
//! the caller and is shown again.

mod reply;
mod sasl;
#[cfg(test)]
mod tests;

use super::control::Console;
use super::text::Stop;
use crate::command::{self, Output, Turn};
use crate::frontend::wait_state;
use crate::limits::INCOMING_BYTES_MIN;
use crate::protocol::binary::{
    self, Fault, HEADER_BYTES, Header, MAGIC_REQUEST, Request, Status, Store, Write,
};
use crate::protocol::text::{Storage, Verb};
use crate::store::Upload;
use sasl::Progress;

/// What has been agreed on so far.
#[derive(Debug, Default)]
pub struct BinaryConversation {
    state: State,
    progress: Progress,
}

#[derive(Debug, Default)]
enum State {
    /// A packet comes next.
    #[default]
    Packet,
    /// A packet comes next, of a client that has not authenticated.
    Locked,
    /// A value comes next.
    Value(Box<Receiving>),
    /// Data nobody wants comes next.
    Swallow(usize),
}

/// A storage command whose value has not all come in.
#[derive(Debug)]
struct Receiving {
    header: Header,
    write: Write,
    client_flags: u32,
    exptime: u32,
    upload: Upload,
}

/// The parts of a step that do not change from request to request.
struct Step<'a, 't> {
    turn: &'a mut Turn<'t>,
    out: &'a mut Output,
    console: &'a dyn Console,
}

impl BinaryConversation {
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
            if self.is_complete() {
                self.finish_value(&mut step);
            }
            if used == input.len() {
                return (used, Stop::NeedMore);
            }
            let spent_bytes = step.out.len() + step.turn.spent_bytes;
            if spent_bytes >= step.turn.output_bytes_max || requests == requests_max {
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
    pub fn receiving(&mut self) -> Option<&mut Upload> {
        match &mut self.state {
            State::Value(receiving) => Some(&mut receiving.upload),
            _ => None,
        }
    }

    /// A value that has not been stored yet.
    pub fn upload(&self) -> Option<&Upload> {
        match &self.state {
            State::Value(receiving) => Some(&receiving.upload),
            _ => None,
        }
    }

    /// Gives up a value that is being received, which the client is told: its memory is needed.
    pub fn give_up_value(&mut self, out: &mut Output) -> bool {
        let State::Value(receiving) = std::mem::take(&mut self.state) else {
            return false;
        };
        let words = reply::NO_MEMORY_STORING;
        binary::reply::error_saying(&mut out.bytes, &receiving.header, Status::NoMemory, words);
        true
    }

    /// Whether a value has come in whole and waits to be stored: nothing follows it.
    pub fn is_complete(&self) -> bool {
        matches!(&self.state, State::Value(receiving) if receiving.upload.missing_bytes() == 0)
    }

    /// What is waited for, as `stats conns` tells it; `tail` has come in and was not executed.
    pub(crate) fn waits_for(&self, tail: &[u8]) -> wait_state::State {
        match self.state {
            State::Packet if Header::parse(tail).is_some_and(|it| tail.len() >= it.head_len()) => {
                wait_state::State::Value
            }
            State::Packet | State::Locked => wait_state::State::Read,
            State::Value(_) => wait_state::State::Value,
            State::Swallow(_) => wait_state::State::Swallow,
        }
    }

    fn step(&mut self, input: &[u8], step: &mut Step<'_, '_>) -> (usize, Option<Stop>) {
        match &mut self.state {
            State::Packet => self.packet(input, step),
            State::Locked => match Header::parse(input) {
                Some(header) if !header.is_open_to_all() => {
                    let fault = header.check_body().err();
                    self.fault(&header, fault.unwrap_or(Fault::UNAUTHENTICATED), step)
                }
                _ => self.packet(input, step),
            },
            State::Value(receiving) => {
                let turn = &mut *step.turn;
                let upload = &mut receiving.upload;
                if let Ok(taken) = turn.store.receive(upload, input, turn.batch) {
                    return (taken, None);
                }
                self.refuse_value(step);
                (0, None)
            }
            State::Swallow(left) => {
                let taken = input.len().min(*left);
                *left -= taken;
                if *left == 0 {
                    self.state = self.at_rest();
                }
                (taken, None)
            }
        }
    }

    fn packet(&mut self, input: &[u8], step: &mut Step<'_, '_>) -> (usize, Option<Stop>) {
        let Some(header) = Header::parse(input) else {
            let is_ours = input.first() == Some(&MAGIC_REQUEST);
            return (0, Some(if is_ours { Stop::NeedMore } else { Stop::Close }));
        };
        let command = match header.check() {
            Ok(command) => command,
            Err(fault) => return self.fault(&header, fault, step),
        };
        let Some(request) = Request::parse(&header, command, input) else {
            return (0, Some(Stop::NeedMore));
        };
        let used = header.head_len();
        match request {
            Request::Store(store) => self.store(&header, &store, &input[used..], step),
            Request::SaslList => match self.sasl_list(&header, step) {
                Some(fault) => self.fault(&header, fault, step),
                None => (used, None),
            },
            Request::Sasl(sasl) => self.sasl(&header, &sasl, &input[used..], step),
            Request::Quit => {
                if !header.opcode.is_quiet() {
                    binary::reply::done(&mut step.out.bytes, &header, 0);
                }
                (used, Some(Stop::Quit))
            }
            Request::Stat { .. } if step.turn.batch.has_changes() => (0, Some(Stop::HandOver)),
            request => {
                step.answer(&header, request);
                (used, None)
            }
        }
    }

    fn fault(
        &mut self,
        header: &Header,
        fault: Fault,
        step: &mut Step<'_, '_>,
    ) -> (usize, Option<Stop>) {
        binary::reply::error(&mut step.out.bytes, header, fault.status);
        let Some(bytes) = fault.swallow_bytes else {
            return (0, Some(Stop::Close));
        };
        self.swallow(bytes);
        (HEADER_BYTES, None)
    }

    fn swallow(&mut self, bytes: usize) {
        self.state = if bytes == 0 {
            self.at_rest()
        } else {
            State::Swallow(bytes)
        };
    }

    fn store(
        &mut self,
        header: &Header,
        store: &Store<'_>,
        rest: &[u8],
        step: &mut Step<'_, '_>,
    ) -> (usize, Option<Stop>) {
        let used = header.head_len();
        let fits = step
            .turn
            .store
            .fits(store.key.len(), store.client_flags, store.value_len);
        if !fits {
            let stored = command::discard_too_large(step.turn, &unconditional(store));
            step.stored(header, store.write, stored);
            self.swallow(store.value_len);
            return (used, None);
        }
        if let Some(value) = rest.get(..store.value_len) {
            let stored = command::store(
                step.turn,
                &storage(header, store, step.turn.store.has_cas()),
                value,
            );
            step.stored(header, store.write, stored);
            return (used + store.value_len, None);
        }
        if store.value_len < INCOMING_BYTES_MIN {
            return (0, Some(Stop::NeedMore));
        }
        self.begin_value(header, store, step);
        (used, None)
    }

    /// Begins a command before its value is here, so that the value is received in its place.
    fn begin_value(&mut self, header: &Header, store: &Store<'_>, step: &mut Step<'_, '_>) {
        match command::begin(step.turn, &unconditional(store)) {
            Ok(upload) => {
                self.state = State::Value(Box::new(Receiving {
                    header: *header,
                    write: store.write,
                    client_flags: store.client_flags,
                    exptime: store.exptime,
                    upload,
                }));
            }
            Err(stored) => {
                step.stored(header, store.write, stored);
                self.swallow(store.value_len);
            }
        }
    }

    /// The machine has no memory for the rest of a value.
    fn refuse_value(&mut self, step: &mut Step<'_, '_>) {
        let State::Value(receiving) = std::mem::take(&mut self.state) else {
            return;
        };
        let key = receiving.upload.key().to_vec();
        let store = Store {
            write: receiving.write,
            key: &key,
            client_flags: receiving.client_flags,
            exptime: receiving.exptime,
            value_len: receiving.upload.value_len(),
        };
        let stored = command::refuse_no_memory(step.turn, &unconditional(&store));
        step.stored(&receiving.header, receiving.write, stored);
        self.swallow(receiving.upload.missing_bytes());
    }

    fn finish_value(&mut self, step: &mut Step<'_, '_>) {
        let State::Value(receiving) = std::mem::take(&mut self.state) else {
            return;
        };
        let Receiving {
            header,
            write,
            client_flags,
            exptime,
            upload,
        } = *receiving;
        let key = upload.key().to_vec();
        let store = Store {
            write,
            key: &key,
            client_flags,
            exptime,
            value_len: upload.value_len(),
        };
        let stored = command::store_upload(
            step.turn,
            &storage(&header, &store, step.turn.store.has_cas()),
            upload,
        );
        step.stored(&header, write, stored);
    }
}

/// A storage command as commands know it: with a CAS unique every `set`, `add` and `replace` is a
/// `cas`. A node without CAS looks at none, as memcached does.
fn storage<'a>(header: &Header, store: &Store<'a>, has_cas: bool) -> Storage<'a> {
    let unconditional = unconditional(store);
    if !has_cas {
        return unconditional;
    }
    let verb = match unconditional.verb {
        Verb::Set | Verb::Add | Verb::Replace if header.cas != 0 => Verb::Cas(header.cas),
        verb => verb,
    };
    Storage {
        verb,
        only_over: header.cas,
        ..unconditional
    }
}

/// The same whatever version is there.
fn unconditional<'a>(store: &Store<'a>) -> Storage<'a> {
    Storage {
        verb: match store.write {
            Write::Set => Verb::Set,
            Write::Add => Verb::Add,
            Write::Replace => Verb::Replace,
            Write::Append => Verb::Append,
            Write::Prepend => Verb::Prepend,
        },
        key: store.key,
        client_flags: store.client_flags,
        exptime: i64::from(store.exptime),
        data_len: store.value_len,
        only_over: 0,
        noreply: false,
    }
}
