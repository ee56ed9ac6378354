//! Reads the stream that a node receives: its clock must be above every timestamp in it, and its
//! deadlines are as exact as the heartbeats allow.

use super::model::Model;
use super::node::boot_offset_ms;
use crate::replication::wire::{Ack, Frame, Framer, WireError};
use crate::store::{Store, Timestamp, Version};

/// The check of one connection, at its receiving end.
#[derive(Debug, Default)]
pub(super) struct StreamCheck {
    framer: Framer,
    /// The highest timestamp of the partner so far.
    highest: Timestamp,
    /// By how much the partner's clock is estimated too low: the delay of its fastest heartbeat.
    late_ms: Option<u64>,
}

impl StreamCheck {
    /// Bytes that are about to arrive at the node `to` when its clock shows `boot_ms`.
    pub(super) fn feed(
        &mut self,
        bytes: &[u8],
        model: &mut Model,
        (to, store, boot_ms): (usize, &Store, u64),
    ) -> Result<(), WireError> {
        let (highest, late_ms) = (&mut self.highest, &mut self.late_ms);
        let mut arrived = |key: &[u8], version: Version, late_ms: Option<u64>| {
            // Both clocks count whole milliseconds.
            let late_ms = late_ms.unwrap_or(0) + 1;
            model.record_arrives(store, to, (key, version, late_ms));
        };
        self.framer.feed(bytes, |frame| {
            let told = match frame {
                Frame::Hello(hello) => hello.clock.max(hello.flush_watermark),
                Frame::Flush { flush_watermark } => flush_watermark,
                Frame::Record(record) | Frame::ChunkStart { record, .. } => {
                    arrived(record.key, record.head.version, *late_ms);
                    record.head.version.latest()
                }
                Frame::Touch(touch) => {
                    arrived(touch.key, touch.head.version, *late_ms);
                    touch.head.version.latest()
                }
                Frame::Acks(runs) => {
                    let timestamps = runs.map(|(answer, _)| match answer {
                        Ack::Superseded(held) => held.latest(),
                        Ack::Applied | Ack::NoRoom | Ack::Lacking | Ack::Chunk => Timestamp::ZERO,
                    });
                    timestamps.max().unwrap_or(Timestamp::ZERO)
                }
                Frame::Welcome { clock, .. } => clock,
                Frame::Heartbeat {
                    boot_ms: sent_ms,
                    clock,
                    ..
                } => {
                    let sent_ms = sent_ms - boot_offset_ms(1 - to);
                    let under_way_ms = boot_ms - boot_offset_ms(to) - sent_ms;
                    *late_ms = Some(late_ms.map_or(under_way_ms, |ms| ms.min(under_way_ms)));
                    clock
                }
                _ => Timestamp::ZERO,
            };
            *highest = told.max(*highest);
            Ok(())
        })
    }

    /// The bytes were received: the next write of a client must win over everything in them.
    pub(super) fn check(&self, store: &Store) -> Result<(), String> {
        // Timestamps of the two sides differ in the last bit, which is ignored here.
        let known = Timestamp::from_raw(store.hybrid_clock().highest().get() | 1);
        if known >= self.highest {
            return Ok(());
        }
        Err(format!(
            "the partner sent {:?}, but the clock is at {known:?}",
            self.highest
        ))
    }
}
