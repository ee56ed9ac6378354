//! A client's place among the connections of `-c`, with the options of its listener. `stats conns`
//! shows it.

use std::sync::Arc;

use super::listener::ListenerOptions;
use super::stream::ClientSocket;
use crate::node::Node;
use crate::node::connections::{Endpoint, Entry};

/// A place among the connections; dropping it frees the place.
pub(crate) struct ConnectionSlot {
    node: Arc<Node>,
    pub(crate) entry: Arc<Entry>,
    pub(crate) options: ListenerOptions,
}

/// An accepted connection on its way to a worker.
pub(crate) struct AcceptedConnection {
    pub(crate) socket: ClientSocket,
    pub(crate) slot: ConnectionSlot,
}

impl AcceptedConnection {
    /// Gives an accepted client its place. The caller has checked that one is free.
    pub(crate) fn new(
        node: &Arc<Node>,
        socket: ClientSocket,
        peer: Endpoint,
        local: Endpoint,
        options: ListenerOptions,
    ) -> Self {
        let now_boot_ms = node.clock.now().boot_ms;
        let entry = node
            .registry
            .enter(socket.fd(), peer, Some(local), now_boot_ms);
        node.counters.curr_connections.count_shared();
        node.counters.total_connections.count_shared();
        let slot = ConnectionSlot {
            node: Arc::clone(node),
            entry,
            options,
        };
        Self { socket, slot }
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.node.registry.leave(&self.entry);
        self.node.counters.curr_connections.uncount_shared();
    }
}
