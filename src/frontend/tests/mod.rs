//! Frontends of every protocol, without their sockets.

use super::*;

mod access;
mod budget;
mod consult;
mod deadline;
mod fragmentation;
mod hand_over;
