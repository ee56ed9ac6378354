//! Conversations in every dialect, without their sockets.

use super::*;

mod access;
mod budget;
mod conversation;
mod deadline;
mod hand_over;
