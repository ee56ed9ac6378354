//! The binary protocol of one connection, without its socket: packets in, replies out.
//!
//! Like the text protocol it can stop before any request; the caller passes what was not executed
//! again.

mod reply;
mod sasl;
mod stat;
#[cfg(test)]
mod tests;
mod value;

use super::control::ServerControl;
use super::executor::{Executor, Flow, Receiving};
use super::output::Output;
use crate::command::CommandContext;
use crate::frontend::wait_state::WaitState;
use crate::protocol::binary::{
    self, BinaryRequest, HEADER_BYTES, Header, MAGIC_REQUEST, PacketError, Status, Write,
};
use crate::store::Upload;
use sasl::Progress;

/// The binary protocol on one connection.
#[derive(Debug, Default)]
pub struct BinaryFrontend {
    state: BinaryState,
    progress: Progress,
}

#[derive(Debug, Default)]
enum BinaryState {
    /// A packet comes next.
    #[default]
    Packet,
    /// A packet comes next, of a client that has not authenticated.
    Locked,
    /// A value comes next.
    Value(Box<Receiving<(Header, Write)>>),
    /// Data to be discarded comes next.
    Discard(usize),
}

impl BinaryFrontend {
    /// Executes requests until one of the reasons to stop; returns the bytes used.
    pub fn run(
        &mut self,
        input: &[u8],
        ctx: &mut CommandContext<'_>,
        out: &mut Output,
        server: &dyn ServerControl,
        requests_max: u32,
    ) -> (usize, Flow) {
        let mut exec = Executor { ctx, out, server };
        let mut used = 0;
        let mut requests = 0;
        loop {
            if self.is_complete() {
                self.end_value(true, &mut exec);
            }
            if used == input.len() {
                return (used, Flow::NeedMore);
            }
            // What follows a large value runs once the partner has that.
            if exec.ctx.op.large.is_some() {
                return (used, Flow::HandOver);
            }
            let spent_bytes = exec.out.len() + exec.ctx.spent_bytes;
            if spent_bytes >= exec.ctx.output_bytes_max || requests == requests_max {
                return (used, Flow::Yield);
            }
            let (taken, flow) = self.step(&input[used..], &mut exec);
            used += taken;
            if let Some(flow) = flow {
                return (used, flow);
            }
            requests += 1;
        }
    }

    /// A value that is being received.
    pub fn upload_mut(&mut self) -> Option<&mut Upload> {
        match &mut self.state {
            BinaryState::Value(receiving) => Some(&mut receiving.upload),
            _ => None,
        }
    }

    /// A value that has not been stored yet.
    pub fn upload(&self) -> Option<&Upload> {
        match &self.state {
            BinaryState::Value(receiving) => Some(&receiving.upload),
            _ => None,
        }
    }

    /// Gives up a value that is being received, because its memory is needed, and replies so.
    pub fn give_up_value(&mut self, out: &mut Output) -> bool {
        let BinaryState::Value(receiving) = std::mem::take(&mut self.state) else {
            return false;
        };
        let words = reply::NO_MEMORY_STORING;
        binary::reply::error_saying(&mut out.bytes, &receiving.reply.0, Status::NoMemory, words);
        true
    }

    /// Whether a value is complete and waits to be stored; no input follows it.
    pub fn is_complete(&self) -> bool {
        self.upload()
            .is_some_and(|upload| upload.missing_bytes() == 0)
    }

    /// What the connection waits for, for `stats conns`; `tail` is input that was not executed.
    pub(crate) fn waits_for(&self, tail: &[u8]) -> WaitState {
        match self.state {
            BinaryState::Packet
                if Header::parse(tail).is_some_and(|it| tail.len() >= it.head_len()) =>
            {
                WaitState::Value
            }
            BinaryState::Packet | BinaryState::Locked => WaitState::Read,
            BinaryState::Value(_) => WaitState::Value,
            BinaryState::Discard(_) => WaitState::Swallow,
        }
    }

    fn step(&mut self, input: &[u8], exec: &mut Executor<'_, '_>) -> (usize, Option<Flow>) {
        match &mut self.state {
            BinaryState::Packet => self.packet(input, exec),
            BinaryState::Locked => match Header::parse(input) {
                Some(header) if !header.is_open_to_all() => {
                    let error = header.check_body().err();
                    self.refuse_request(
                        &header,
                        error.unwrap_or(PacketError::UNAUTHENTICATED),
                        exec,
                    )
                }
                _ => self.packet(input, exec),
            },
            BinaryState::Value(receiving) => {
                let ctx = &mut *exec.ctx;
                let upload = &mut receiving.upload;
                if let Ok(taken) = ctx.store.receive(upload, input, ctx.op) {
                    return (taken, None);
                }
                self.end_value(false, exec);
                (0, None)
            }
            BinaryState::Discard(left) => {
                let taken = input.len().min(*left);
                *left -= taken;
                if *left == 0 {
                    self.state = self.at_rest();
                }
                (taken, None)
            }
        }
    }

    fn packet(&mut self, input: &[u8], exec: &mut Executor<'_, '_>) -> (usize, Option<Flow>) {
        let Some(header) = Header::parse(input) else {
            let is_ours = input.first() == Some(&MAGIC_REQUEST);
            return (0, Some(if is_ours { Flow::NeedMore } else { Flow::Close }));
        };
        let command = match header.check() {
            Ok(command) => command,
            Err(error) => return self.refuse_request(&header, error, exec),
        };
        let Some(request) = BinaryRequest::parse(&header, command, input) else {
            return (0, Some(Flow::NeedMore));
        };
        let used = header.head_len();
        match request {
            BinaryRequest::Store(store) => self.store(&header, &store, &input[used..], exec),
            BinaryRequest::SaslList => match self.sasl_list(&header, exec) {
                Some(error) => self.refuse_request(&header, error, exec),
                None => (used, None),
            },
            BinaryRequest::Sasl(sasl) => self.sasl(&header, &sasl, &input[used..], exec),
            BinaryRequest::Quit => {
                if !header.opcode.is_quiet() {
                    binary::reply::done(&mut exec.out.bytes, &header, 0);
                }
                (used, Some(Flow::Quit))
            }
            BinaryRequest::Stat { .. } if exec.ctx.op.has_changes() => (0, Some(Flow::HandOver)),
            request => {
                exec.answer_packet(&header, request);
                (used, None)
            }
        }
    }

    fn refuse_request(
        &mut self,
        header: &Header,
        error: PacketError,
        exec: &mut Executor<'_, '_>,
    ) -> (usize, Option<Flow>) {
        binary::reply::error(&mut exec.out.bytes, header, error.status);
        let Some(bytes) = error.discard_bytes else {
            return (0, Some(Flow::Close));
        };
        self.discard(bytes);
        (HEADER_BYTES, None)
    }

    fn discard(&mut self, bytes: usize) {
        self.state = if bytes == 0 {
            self.at_rest()
        } else {
            BinaryState::Discard(bytes)
        };
    }
}
