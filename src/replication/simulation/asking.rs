//! Clients whose command waits until the partner has been asked for its key.

use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

use super::command::Command;
use super::world::World;
use crate::command::CommandContext;
use crate::limits::{ASK_READ_MS, ASK_WRITE_MS, TURN_OUTPUT_BYTES};
use crate::store::{Consultation, Dependence, OpContext};

/// A command that was put off.
#[derive(Debug)]
pub(super) struct Waiting {
    command: Command,
    answered: oneshot::Receiver<bool>,
    /// On the clock of its node.
    until_ms: u64,
    consultation: Consultation,
}

/// What became of an ask.
enum Asked {
    /// The partner's records of the key are in the table.
    Answered,
    /// The node goes on without the partner.
    Unanswered,
}

impl World {
    /// Runs a command, or puts it off. False if the client waits, or its connection is closed.
    pub(super) fn run_or_ask(
        &mut self,
        side: usize,
        command: Command,
        op: &mut OpContext,
    ) -> Result<bool, String> {
        let is_put_off = match command.dependence() {
            Some(dependence) => {
                self.with_context(side, op, |ctx| ctx.puts_off([&*command.key], dependence))
            }
            None => false,
        };
        if !is_put_off {
            self.check_known(side, &command)?;
            self.run_command(side, &command, op)?;
            return Ok(true);
        }
        self.ask(side, command, std::mem::take(&mut op.consultation))?;
        Ok(false)
    }

    fn ask(
        &mut self,
        side: usize,
        command: Command,
        consultation: Consultation,
    ) -> Result<(), String> {
        if consultation.is_hopeless {
            return Err("it serves, and lacks its partner's table".to_owned());
        }
        let node = &mut self.nodes[side];
        let wait_ms = match consultation.dependence {
            Dependence::Reads => ASK_READ_MS,
            Dependence::Writes => ASK_WRITE_MS,
        };
        self.totals.asks += 1;
        let until_ms = node.now(self.time_ms).boot_ms + wait_ms;
        match node.workers.ask(consultation.wanted.clone()) {
            Some(answered) => {
                node.waiting.push(Waiting {
                    command,
                    answered,
                    until_ms,
                    consultation,
                });
                Ok(())
            }
            None => self.go_on(side, command, consultation, Asked::Unanswered),
        }
    }

    /// Goes on with the commands of a node that have waited for long enough.
    pub(super) fn poll_asked(&mut self, side: usize) -> Result<(), String> {
        let now_ms = self.nodes[side].now(self.time_ms).boot_ms;
        for mut waiting in std::mem::take(&mut self.nodes[side].waiting) {
            let asked = match waiting.answered.try_recv() {
                Ok(true) => Asked::Answered,
                Ok(false) | Err(TryRecvError::Closed) => Asked::Unanswered,
                Err(TryRecvError::Empty) if now_ms < waiting.until_ms => {
                    self.nodes[side].waiting.push(waiting);
                    continue;
                }
                Err(TryRecvError::Empty) => {
                    self.nodes[side].workers.pause_asks(now_ms);
                    Asked::Unanswered
                }
            };
            self.go_on(side, waiting.command, waiting.consultation, asked)?;
        }
        Ok(())
    }

    /// A node that has had its partner's table answers from its own; any other does not answer.
    fn go_on(
        &mut self,
        side: usize,
        command: Command,
        mut consultation: Consultation,
        asked: Asked,
    ) -> Result<(), String> {
        match asked {
            Asked::Answered => self.check_known(side, &command)?,
            Asked::Unanswered => {
                self.totals.asks_unanswered += 1;
                if !self.nodes[side].store.is_complete() {
                    return Ok(());
                }
            }
        }
        consultation.settle();
        let mut op = OpContext::at(self.nodes[side].now(self.time_ms));
        op.consultation = consultation;
        self.run_command(side, &command, &mut op)?;
        self.nodes[side].send_changes(&mut op);
        Ok(())
    }

    /// A node that answers from its own table must hold what its partner held when their link came
    /// up, or something newer.
    fn check_known(&self, side: usize, command: &Command) -> Result<(), String> {
        let (node, partner) = (&self.nodes[side], &self.nodes[1 - side]);
        let is_linked = node.linked_to == Some(partner.incarnation)
            && partner.linked_to == Some(node.incarnation);
        if !is_linked || command.dependence().is_none() {
            return Ok(());
        }
        match self.model.lacks(1 - side, command.which, &node.store) {
            Some(held) => Err(format!(
                "key {}: it answers {:?} and lacks {held:?} of its partner",
                command.which, command.kind
            )),
            None => Ok(()),
        }
    }

    fn with_context<T>(
        &self,
        side: usize,
        op: &mut OpContext,
        run: impl FnOnce(&mut CommandContext<'_>) -> T,
    ) -> T {
        let node = &self.nodes[side];
        run(&mut CommandContext {
            store: &node.store,
            op,
            counters: &node.counters,
            prefixes: &node.prefixes,
            spent_bytes: 0,
            output_bytes_max: TURN_OUTPUT_BYTES,
        })
    }

    fn run_command(
        &mut self,
        side: usize,
        command: &Command,
        op: &mut OpContext,
    ) -> Result<(), String> {
        let store = &self.nodes[side].store;
        let before = self.model.keys[command.which].entry(store);
        let before = before.map(|item| item.version());
        let mut rng = self.rng.fork();
        self.with_context(side, op, |ctx| command.run(ctx, &mut rng));
        let node = &self.nodes[side];
        self.model.note_command(command.kind, side);
        self.totals.commands += 1;
        self.model.note_flush(&node.store);
        self.model.ran(command.which, node, before)
    }
}
