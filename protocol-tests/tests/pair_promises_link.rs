//! What a pair acknowledged is there, and what it deleted is not, after its link was cut, held up
//! or slow.
//!
//! Each node serves its own clients meanwhile, which set, delete and let expire; afterwards both
//! hold the same, and of each key what was acknowledged last.

use anyhow::Result;
use protocol_tests::audit::faults::{Fault, are_survived};

const SEED: u64 = 2;

#[test]
fn the_link_is_cut_and_both_sides_serve() -> Result<()> {
    are_survived(SEED, &[Fault::Cut, Fault::Cut])
}

#[test]
fn the_network_drops_everything_in_silence() -> Result<()> {
    are_survived(SEED, &[Fault::Hold])
}

#[test]
fn the_network_drops_one_direction() -> Result<()> {
    are_survived(SEED, &[Fault::HoldForward, Fault::HoldBackward])
}

#[test]
fn the_link_carries_less_than_clients_write() -> Result<()> {
    are_survived(SEED, &[Fault::Narrow])
}

#[test]
fn a_node_dies_after_the_link_was_cut() -> Result<()> {
    are_survived(SEED, &[Fault::CutThenKill(0), Fault::CutThenKill(1)])
}

#[test]
fn a_node_dies_while_the_network_drops_everything() -> Result<()> {
    are_survived(SEED, &[Fault::HoldThenKill(0), Fault::HoldThenKill(1)])
}

#[test]
fn a_node_dies_while_the_link_carries_too_little() -> Result<()> {
    are_survived(SEED, &[Fault::NarrowThenKill(0), Fault::NarrowThenKill(1)])
}

#[test]
fn a_node_dies_as_soon_as_the_link_is_back() -> Result<()> {
    are_survived(SEED, &[Fault::BlinkThenKill(0), Fault::BlinkThenKill(1)])
}
