//! The binary protocol of one connection, without its socket: packets in, replies out.
//!
//! Like the text protocol it can stop before any request; the caller passes what was not executed
//! again.

mod reply;
mod sasl;
mod stat;
mod state;
#[cfg(test)]
mod tests;
mod value;

use super::control::ServerControl;
use super::executor::Executor;
use super::flow::Flow;
use super::output::Output;
use crate::command::CommandContext;
use crate::protocol::binary::{
    self, BinaryRequest, HEADER_BYTES, Header, MAGIC_REQUEST, PacketError, Status,
};
use crate::store::Dependence;
pub use state::BinaryFrontend;
use state::BinaryState;

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
            if let Some(flow) = exec.end_of_turn(requests == requests_max) {
                return (used, flow);
            }
            let (taken, flow) = self.step(&input[used..], &mut exec);
            used += taken;
            if let Some(flow) = flow {
                return (used, flow);
            }
            requests += 1;
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

    fn step(&mut self, input: &[u8], exec: &mut Executor<'_, '_>) -> (usize, Option<Flow>) {
        match &mut self.state {
            BinaryState::Packet => self.packet(input, exec),
            BinaryState::Locked => match Header::parse(input) {
                Some(header) if !header.is_open_to_all() => {
                    let error = header.check_body().err();
                    let error = error.unwrap_or(PacketError::UNAUTHENTICATED);
                    self.refuse_request(&header, error, exec)
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
        if exec.ctx.consults() && puts_off(exec, &header, &request) {
            return (0, Some(Flow::Consult));
        }
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
}

/// Whether a request is put off until the partner has been asked.
#[inline(never)]
fn puts_off(exec: &mut Executor<'_, '_>, header: &Header, request: &BinaryRequest<'_>) -> bool {
    let ctx = &mut *exec.ctx;
    match *request {
        BinaryRequest::Get { key, .. } => ctx.puts_off([key], Dependence::Reads),
        BinaryRequest::Store(ref store) => {
            ctx.puts_off_store(store.key, store.mode, header.cas != 0)
        }
        // Its reply, too, says whether there was an item.
        BinaryRequest::Touch { key, .. }
        | BinaryRequest::Delete { key }
        | BinaryRequest::Arithmetic { key, .. } => ctx.puts_off([key], Dependence::Writes),
        _ => false,
    }
}
