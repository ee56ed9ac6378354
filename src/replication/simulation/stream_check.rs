//! Reads the stream that a node receives: its clock must be above every timestamp in it, and its
//! deadlines are as exact as the heartbeats allow.

use super::model::{Arrived, Model, which_of};
use super::node::SimNode;
use crate::replication::wire::{Ack, Frame, Framer, Record, WireError};
use crate::store::{Store, Timestamp};

/// The check of one connection, at its receiving end.
#[derive(Debug, Default)]
pub(super) struct StreamCheck {
    framer: Framer,
    /// The highest timestamp of the partner so far.
    highest: Timestamp,
    /// By how much the partner's clock is estimated too low: the delay of its fastest heartbeat.
    late_ms: Option<i64>,
    /// Records in chunks, by lane, and how many bytes of each are missing.
    transfers: [Option<(Arrived, usize)>; 2],
    /// Records that have arrived whole since they were last taken.
    pub(super) arrived: Vec<Arrived>,
}

impl StreamCheck {
    /// Bytes that are about to arrive at a node.
    pub(super) fn feed(
        &mut self,
        bytes: &[u8],
        model: &mut Model,
        to: &SimNode,
        from: &SimNode,
        time_ms: u64,
    ) -> Result<(), WireError> {
        let mut framer = std::mem::take(&mut self.framer);
        let fed = framer.feed(bytes, |frame| {
            self.on_frame(frame, model, to, from, time_ms);
            Ok(())
        });
        self.framer = framer;
        fed
    }

    fn on_frame(
        &mut self,
        frame: Frame<'_>,
        model: &mut Model,
        to: &SimNode,
        from: &SimNode,
        time_ms: u64,
    ) {
        let told = match frame {
            Frame::Hello(hello) => hello.clock.max(hello.flush_watermark),
            Frame::Flush { flush_watermark } => flush_watermark,
            Frame::Record(record) => {
                let arrived = self.begin(&record, model, to, true);
                self.arrived.push(arrived);
                record.head.version.latest()
            }
            Frame::Touch(touch) => {
                let record = (which_of(touch.key), touch.head.version);
                model.record_begins(to, record, self.late_ms.unwrap_or(0) + 1, true);
                self.arrived.push(Arrived {
                    which: record.0,
                    version: record.1,
                    tombstone: false,
                    is_touch: true,
                });
                record.1.latest()
            }
            Frame::ChunkStart {
                record,
                value_len_bytes,
            } => {
                let arrived = self.begin(&record, model, to, false);
                let missing = value_len_bytes - record.value.len();
                self.transfers[record.lane as usize] = Some((arrived, missing));
                record.head.version.latest()
            }
            Frame::Chunk { lane, bytes } => {
                let transfer = &mut self.transfers[lane as usize];
                if let Some((arrived, missing)) = transfer {
                    *missing -= bytes.len();
                    if *missing == 0 {
                        self.arrived.push(*arrived);
                        *transfer = None;
                    }
                }
                Timestamp::ZERO
            }
            Frame::ChunkAbort { lane } => {
                self.transfers[lane as usize] = None;
                Timestamp::ZERO
            }
            Frame::Acks(runs) => {
                let timestamps = runs.map(|(answer, _)| match answer {
                    Ack::Superseded(held) => held.latest(),
                    Ack::Applied | Ack::NoRoom | Ack::Lacking | Ack::Chunk => Timestamp::ZERO,
                });
                timestamps.max().unwrap_or(Timestamp::ZERO)
            }
            Frame::Welcome { clock, .. } => clock,
            Frame::Heartbeat { boot_ms, clock, .. } => {
                let sent_ms = from.clocks.time_ms(boot_ms);
                let under_way_ms = time_ms as i64 - sent_ms;
                self.late_ms = Some(self.late_ms.map_or(under_way_ms, |ms| ms.min(under_way_ms)));
                clock
            }
            _ => Timestamp::ZERO,
        };
        self.highest = told.max(self.highest);
    }

    fn begin(&self, record: &Record<'_>, model: &mut Model, to: &SimNode, whole: bool) -> Arrived {
        let which = which_of(record.key);
        let version = record.head.version;
        // Both clocks count whole milliseconds.
        let late_ms = self.late_ms.unwrap_or(0) + 1;
        if !record.tombstone {
            model.record_begins(to, (which, version), late_ms, whole);
        }
        Arrived {
            which,
            version,
            tombstone: record.tombstone,
            is_touch: false,
        }
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
