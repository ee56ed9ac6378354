//! The tickets of the server.

#[path = "../../../../src/replication/link/ticket.rs"]
mod ticket;

pub use ticket::{Answer, Ticket, WriteGroup};
