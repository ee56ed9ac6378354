//! How many bytes of large values may be on the wire: about ten milliseconds of the link's own
//! pace, so that a small record that comes next does not wait for longer behind them.
//!
//! The window grows by a frame with each window of acks that came about as fast as the fastest, and
//! shrinks by a quarter with an ack that took ten milliseconds more, once for each window of acks.

use std::collections::VecDeque;

use crate::limits::{BULK_DELAY_MS, CLOCK_PERIOD_MS, sizes};
use crate::store::Now;

/// The window of one connection.
#[derive(Debug)]
pub(super) struct BulkWindow {
    bytes: usize,
    /// When each unacknowledged frame was sent.
    sent_ms: VecDeque<u64>,
    /// The shortest time an ack took, and since when it counts.
    fastest_ms: u64,
    fastest_since_ms: u64,
    /// Acks before the window may shrink again: those of frames sent before it last did.
    settling: usize,
}

impl Default for BulkWindow {
    fn default() -> Self {
        Self {
            bytes: sizes().bulk_window_bytes_min,
            sent_ms: VecDeque::new(),
            fastest_ms: u64::MAX,
            fastest_since_ms: 0,
            settling: 0,
        }
    }
}

impl BulkWindow {
    /// The most bytes that may be unacknowledged.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// A frame goes on the wire.
    pub(super) fn sent(&mut self, now: Now) {
        self.sent_ms.push_back(now.boot_ms);
    }

    /// The oldest frame was acknowledged.
    pub(super) fn acked(&mut self, now: Now) {
        let Some(sent_ms) = self.sent_ms.pop_front() else {
            return;
        };
        let took_ms = now.boot_ms.saturating_sub(sent_ms);
        let is_old = now.boot_ms >= self.fastest_since_ms + CLOCK_PERIOD_MS;
        if took_ms < self.fastest_ms || is_old {
            (self.fastest_ms, self.fastest_since_ms) = (took_ms, now.boot_ms);
        }
        self.settling = self.settling.saturating_sub(1);
        if took_ms < self.fastest_ms + BULK_DELAY_MS {
            let growth = sizes().frame_bytes_max * sizes().frame_bytes_max / self.bytes;
            self.bytes = (self.bytes + growth).min(sizes().bulk_window_bytes_max);
        } else if self.settling == 0 {
            self.bytes = (self.bytes / 4 * 3).max(sizes().bulk_window_bytes_min);
            self.settling = self.sent_ms.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{BULK_WINDOW_BYTES_MAX, BULK_WINDOW_BYTES_MIN, FRAME_BYTES_MAX};

    /// Bytes in the window after `frames` frames on a line that carries `frames_per_ms`, whose acks
    /// take `round_trip_ms` more.
    fn settled_bytes(frames_per_ms: u64, round_trip_ms: u64) -> usize {
        let mut window = BulkWindow::default();
        let mut acks: VecDeque<u64> = VecDeque::new();
        let mut line_free_at = 0;
        let mut largest = 0;
        for now_ms in 0..20_000 {
            let now = Now::of(now_ms, 0);
            while acks.front().is_some_and(|&at_ms| at_ms <= now_ms) {
                acks.pop_front();
                window.acked(now);
            }
            while (acks.len() + 1) * FRAME_BYTES_MAX <= window.bytes() {
                window.sent(now);
                // In frames, from the start of the test.
                line_free_at = line_free_at.max(now_ms * frames_per_ms) + 1;
                acks.push_back(line_free_at / frames_per_ms + round_trip_ms);
            }
            if now_ms > 10_000 {
                largest = largest.max(window.bytes());
            }
        }
        largest
    }

    #[test]
    fn the_window_is_about_ten_milliseconds_of_the_line_whatever_the_round_trip() {
        for line in [(1, 0), (2, 0), (1, 30)] {
            let (frames_per_ms, round_trip_ms) = line;
            let bytes = settled_bytes(frames_per_ms, round_trip_ms);
            let filled_ms = (BULK_DELAY_MS + round_trip_ms) as usize;
            let expected = filled_ms * frames_per_ms as usize * FRAME_BYTES_MAX;
            let fits = (expected / 2..=2 * expected).contains(&bytes);
            assert!(fits, "{line:?}: {bytes} for {expected}");
        }
    }

    #[test]
    fn the_window_has_bounds() {
        assert_eq!(settled_bytes(1000, 0), BULK_WINDOW_BYTES_MAX);
        let mut window = BulkWindow::default();
        for second in 0..100u64 {
            let at = |ms| Now::of(1000 * second + ms, 0);
            window.sent(at(0));
            window.acked(at(second));
        }
        assert!(window.bytes() >= BULK_WINDOW_BYTES_MIN);
    }
}
