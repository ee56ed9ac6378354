//! A client's place in a node: one of those of `-c`, shown by `stats conns`, with what is spoken
//! there.

use std::sync::Arc;

use super::listener::Door;
use super::stream::Accepted;
use crate::node::Node;
use crate::node::connections::{Address, Entry};

/// See the module; dropping it frees the place.
#[derive(Debug)]
pub(crate) struct Seat {
    node: Arc<Node>,
    pub(crate) entry: Arc<Entry>,
    pub(crate) door: Door,
}

/// A client on its way to a worker.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) socket: Accepted,
    pub(crate) seat: Seat,
}

impl Arrival {
    /// Gives a client that was accepted its place; whether there is one must be known.
    pub(crate) fn new(
        node: &Arc<Node>,
        socket: Accepted,
        peer: Address,
        local: Address,
        door: Door,
    ) -> Self {
        let now_boot_ms = node.clock.now().boot_ms;
        let entry = node
            .registry
            .enter(socket.fd(), peer, Some(local), now_boot_ms);
        node.counters.curr_connections.count_shared();
        node.counters.total_connections.count_shared();
        let seat = Seat {
            node: Arc::clone(node),
            entry,
            door,
        };
        Self { socket, seat }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.node.registry.leave(&self.entry);
        self.node.counters.curr_connections.uncount_shared();
    }
}
