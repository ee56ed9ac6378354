//! What a pair acknowledged is there after one of its nodes has restarted with a wrong wall clock.

use anyhow::Result;
use protocol_tests::audit::faults::{Fault, are_survived};

const SEED: u64 = 3;

#[test]
fn a_clock_is_an_hour_wrong() -> Result<()> {
    are_survived(
        SEED,
        &[Fault::WrongClock(0, "-1h"), Fault::WrongClock(1, "+1h")],
    )
}

#[test]
fn a_clock_is_a_day_wrong() -> Result<()> {
    are_survived(
        SEED,
        &[Fault::WrongClock(1, "-1d"), Fault::WrongClock(0, "+1d")],
    )
}

#[test]
fn a_node_alone_has_a_clock_that_is_behind() -> Result<()> {
    are_survived(
        SEED,
        &[
            Fault::WrongClockAlone(0, "-1h"),
            Fault::WrongClockAlone(1, "-1d"),
        ],
    )
}

#[test]
fn a_node_alone_has_a_clock_that_is_ahead() -> Result<()> {
    are_survived(
        SEED,
        &[
            Fault::WrongClockAlone(1, "+1h"),
            Fault::WrongClockAlone(0, "+1d"),
        ],
    )
}
