//! Ways to play an input: by one client, or by several that get in each other's way.

use memtwin::config::Protocol;
use memtwin::node::Node;
use memtwin::store::Now;

use crate::client::Client;
use crate::node::{self, START};
use crate::plan::Plan;
use crate::replies;

/// Clients that play the same input.
const CLIENTS: usize = 3;
/// Pieces of a cut input before the rest comes at once, and rounds of the crowd: a long input in
/// short pieces would take a second, in which hundreds of others can be played.
const PIECES_MAX: usize = 2000;
const ROUNDS_MAX: usize = 200;
/// Milliseconds that pass for each byte of a piece: some pieces outlast what expires.
const MS_PER_BYTE: u64 = 9;

/// Plays the whole input, in pieces of these lengths over and over; returns what is answered, and
/// whether it was cut off in a line.
pub(crate) fn alone(plan: &Plan<'_>, pieces: &[usize], requests_per_turn: u32) -> (Vec<u8>, bool) {
    let node = node::start(plan);
    let mut client = Client::connect(&node, requests_per_turn, plan.is_straight());
    let mut rest = &plan.bytes[..];
    for (nth, piece) in pieces.iter().cycle().enumerate() {
        let piece = if nth < PIECES_MAX { *piece } else { rest.len() };
        let (now, later) = rest.split_at(piece.min(rest.len()));
        client.send(now, START);
        rest = later;
        if rest.is_empty() {
            break;
        }
    }
    let ended = (std::mem::take(&mut client.answered), client.is_cut_off);
    drop(client);
    check(&node, START, !plan.is_tight() && !plan.has_moody_commands());
    ended
}

/// Lets several clients play it in turns, while time passes and items expire.
pub(crate) fn together(plan: &Plan<'_>) {
    let node = node::start(plan);
    let per_turn = plan.requests_per_turn();
    let mut clients: Vec<(Client<'_>, usize)> = (0..CLIENTS)
        .map(|_| (Client::connect(&node, per_turn, plan.is_straight()), 0))
        .collect();
    let mut now = START;
    for (round, piece) in plan.pieces.iter().cycle().enumerate() {
        // A number of pieces that is no multiple of the clients' gives each other cuts.
        let (client, sent) = &mut clients[round % CLIENTS];
        let len = if round < ROUNDS_MAX {
            *piece
        } else {
            usize::MAX
        };
        let until = sent.saturating_add(len).min(plan.bytes.len());
        client.send(&plan.bytes[*sent..until], now);
        *sent = until;
        now = later(now, *piece as u64 * MS_PER_BYTE);
        node.store.flush_if_due(now);
        if round % CLIENTS == 0 {
            node.store.expire(now, |context| node.send_changes(context));
        }
        if clients.iter().all(|(_, sent)| *sent == plan.bytes.len()) {
            break;
        }
    }
    for (client, _) in &clients {
        replies::read(&client.answered);
    }
    drop(clients);
    check(&node, now, false);
}

fn later(now: Now, ms: u64) -> Now {
    Now {
        boot_ms: now.boot_ms + ms,
        wall_ms: now.wall_ms + ms,
    }
}

/// What must be true when all clients are gone.
fn check(node: &Node, now: Now, has_room: bool) {
    node.store.audit(now);
    let memory = node.store.memory();
    assert!(memory.used_bytes <= memory.budget_bytes, "{memory:?}");
    let mut other = Client::connect(node, 20, false);
    other.send(b"version\r\n", now);
    if has_room {
        other.send(b"set somebody 1 0 4\r\nelse\r\nget somebody\r\n", now);
    }
    let answered = other.answered.escape_ascii().to_string();
    let is_served = match node.config.client.protocol {
        Protocol::Binary => answered.is_empty(),
        _ if node.access.text.is_some() => answered.starts_with("CLIENT_ERROR unauthenticated"),
        _ if has_room => {
            answered.ends_with("STORED\\r\\nVALUE somebody 1 4\\r\\nelse\\r\\nEND\\r\\n")
        }
        _ => answered.starts_with("VERSION "),
    };
    assert!(is_served, "somebody else is answered {answered}");
}
