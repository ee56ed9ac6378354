//! The memory account charges what the allocator really takes.
//!
//! A wrong class lets the node outgrow `-m`: one byte above a power of two, items were charged a
//! whole class too little, 2,304 bytes instead of 2,560.

#![allow(
    clippy::unwrap_used,
    reason = "a test says what it could not read by failing"
)]

use memtwin::store::size_class_bytes;
use tikv_jemalloc_ctl::{Error, epoch, stats};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// How often a size is measured before it counts as wrong.
const LOOKS: usize = 5;

/// Bytes that jemalloc says it handed out, and bytes of the pages behind them.
fn allocated_and_active_bytes() -> Result<(f64, f64), Error> {
    epoch::advance()?;
    let allocated = stats::allocated::read()? as f64;
    Ok((allocated, stats::active::read()? as f64))
}

/// What one allocation takes. Nothing is ever freed, so that no cached piece is handed out again.
fn measure(bytes: usize, count: usize, kept: &mut Vec<Vec<u8>>) -> Result<(f64, f64), Error> {
    kept.reserve(count);
    let before = allocated_and_active_bytes()?;
    kept.extend((0..count).map(|_| Vec::with_capacity(bytes)));
    let after = allocated_and_active_bytes()?;
    let count = count as f64;
    Ok(((after.0 - before.0) / count, (after.1 - before.1) / count))
}

// One test only: a second thread's allocations would be counted too.
#[test]
fn the_size_class_of_a_request_is_what_jemalloc_takes() {
    let mut kept = Vec::new();
    // Below a page, classes are 1/8 apart and caches of the thread blur the figure a little.
    let small = (1..=1024).step_by(5).chain((1025..=14_336).step_by(97));
    let edges =
        (3..14).flat_map(|bits| [1 << bits, (1 << bits) + 1, 5 << (bits - 2), 7 << (bits - 2)]);
    for bytes in small.chain(edges) {
        let expected = size_class_bytes(bytes) as f64;
        let is_right = |&taken: &f64| (taken - expected).abs() / expected < 0.06;
        let mut taken = Vec::new();
        // See below why more than once.
        while taken.len() < LOOKS && !taken.last().is_some_and(is_right) {
            let count = if bytes > 1024 { 400 } else { 1500 };
            taken.push(measure(bytes, count, &mut kept).unwrap().0);
        }
        assert!(
            taken.last().is_some_and(is_right),
            "{bytes}: {taken:?} taken, {expected} expected"
        );
    }
    let large = (14_337..=65_536).step_by(509);
    let larger = [
        65_537,
        100_000,
        131_073,
        200_000,
        500_000,
        1 << 20,
        (1 << 20) + 1,
    ];
    let largest = [1_100_000, 3_000_000, 9_999_999, 20 << 20, 40_000_000];
    for bytes in large.chain(larger).chain(largest) {
        let expected = size_class_bytes(bytes) as f64;
        let mut taken = Vec::new();
        // The test runner's own thread frees something now and then: of several looks at a single
        // allocation one at least is undisturbed.
        while taken.len() < LOOKS && taken.last() != Some(&(expected, expected)) {
            taken.push(measure(bytes, 1, &mut kept).unwrap());
        }
        assert_eq!(
            taken.last(),
            Some(&(expected, expected)),
            "{bytes}: taken and in pages: {taken:?}"
        );
    }
}
