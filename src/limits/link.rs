//! The link's state machine: its frames, what it holds and sends, and its times.

/// Longest frame of the link, its length field included: a small record waits for no more than one
/// frame of a large one.
pub const FRAME_BYTES_MAX: usize = 64 * 1024;
/// A value up to this size, whatever its key, is one frame; what is larger may need several.
pub(crate) const ONE_FRAME_VALUE_BYTES: usize = FRAME_BYTES_MAX - 512;
/// Longest value the link takes, as announced by its first chunk: memcached's upper bound of `-I`.
pub(crate) const LINK_VALUE_BYTES_MAX: usize = 1 << 30;
/// Longest node id in a hello, in bytes: its length is one byte.
pub(crate) const NODE_ID_BYTES_MAX: usize = 255;
/// Longest replication address in a hello, in bytes: its length is one byte, and no host name is
/// longer.
pub(crate) const ADDRESS_BYTES_MAX: usize = 255;
/// Longest policy text in a hello, in bytes: hundreds of node ids.
pub(crate) const POLICY_BYTES_MAX: usize = 8 * 1024;
/// Longest reason in a refusal, in bytes; the rest is cut off. It goes into a line of the log.
pub(crate) const REASON_BYTES_MAX: usize = 1024;

/// Dirty keys that are not on the wire may take one part in this many of `-m`; beyond it the link
/// stops draining the change queue, and a sync covers what then overflows. A choice: a larger
/// part bridges longer stalls of the link without a sync, at the cost of items.
pub(crate) const DIRTY_KEYS_SHARE: u64 = 32;
/// What such a key takes at most, in its queue and in an index whose tables double: 16 bytes, and
/// 9 for each of 16 places that 7 keys may have; half as much again while the index grows.
pub(crate) const DIRTY_KEY_BYTES_MAX: usize = 16 + 21 + 11;
/// Never more than this: a sync of the whole table is shorter then.
pub(crate) const DIRTY_KEYS_MAX: usize = 1_000_000;
/// And never less, however small `-m` is: a few batches find room.
pub(crate) const DIRTY_KEYS_MIN: usize = 4 * BATCH_KEYS_MAX;
/// Keys in one batch that a worker sends to the change queue: a turn of the usual
/// [`super::TURN_REQUESTS`] is one.
pub(crate) const BATCH_KEYS_MAX: usize = 1024;
/// Bytes of live records on the wire and not yet acknowledged, larger values aside. A choice: it
/// fills a gigabit line over 30 ms of round trip.
pub(crate) const LIVE_WINDOW_BYTES: usize = 4 * 1024 * 1024;
/// The least bytes of larger live values on the wire: two frames, so that the next is there when
/// the first is acknowledged.
pub(crate) const BULK_WINDOW_BYTES_MIN: usize = 2 * FRAME_BYTES_MAX;
/// The most, however fast the link is.
pub(crate) const BULK_WINDOW_BYTES_MAX: usize = LIVE_WINDOW_BYTES;
/// How much longer the acks of such values may take than the fastest before there are fewer of
/// them on the wire: half of what a client waits for an ack.
pub(crate) const BULK_DELAY_MS: u64 = 10;
/// Bytes of a sync on the wire and not yet acknowledged: far fewer, for live records wait
/// behind them.
pub(crate) const SYNC_WINDOW_BYTES: usize = LIVE_WINDOW_BYTES / 16;
/// Bytes a sync adds to the wire before live records get their turn again: one frame.
pub(crate) const SYNC_BURST_BYTES: usize = FRAME_BYTES_MAX;
/// Bytes of live records after which a waiting sync gets one turn, so that a busy node still
/// finishes it: a fifth of the line is its own.
pub(crate) const SYNC_SHARE_BYTES: usize = 4 * SYNC_BURST_BYTES;
/// Lists of differing buckets that are not answered: one is on its way while the other is answered.
/// The node that answers keeps no more, so that a partner cannot fill its memory with them.
pub(crate) const SYNC_LISTS_MAX: usize = 2;
/// Items of which the partner says during a sync that it does not hold them; with more, the sync
/// confirms nothing. A choice: a quarter of a megabyte, and the evictions of a tenth of a second.
pub(crate) const SYNC_LACKING_MAX: usize = 16 << 10;
/// Entries that a sync looks at for one output: a millisecond of work or two, after which the link
/// reads and keeps time.
pub(crate) const SYNC_TURN_ENTRIES: usize = 16 << 10;
/// Looking at a shard counts as so many entries: a lock, and perhaps an allocation.
pub(crate) const SYNC_SHARD_COST_ENTRIES: usize = 4;
/// Frames on the wire that are not acknowledged; also the most acks a node may have pending. The
/// live window full of records of 64 bytes.
pub(crate) const IN_FLIGHT_MAX: usize = LIVE_WINDOW_BYTES / 64;
/// But what the sender keeps of them may take one part in this many of `-m`: at `-m 64` half a
/// megabyte, so that only small nodes feel it.
pub(crate) const IN_FLIGHT_SHARE: u64 = 128;
/// And never fewer than this may be on the wire, however small `-m` is: a round trip of a
/// millisecond still carries four million of them a second.
pub(crate) const IN_FLIGHT_MIN: usize = 4096;
/// Largest live value whose chunks no other live record overtakes: the default of `-I`. What is
/// larger would keep others waiting for longer than the order of two keys is worth.
pub(crate) const ORDERED_VALUE_BYTES_MAX: usize = 1024 * 1024;
/// Promotions remembered for the partner; more are forgotten. One frame takes all of them.
pub(crate) const PROMOTIONS_MAX: usize = 4096;

/// Evictions that wait for the link, which tells the partner; more are counted, and the next full
/// sync finds them out. A choice: 256 KiB bridge a tenth of a second of evictions in a full cache
/// that takes 160,000 writes a second.
pub(crate) const EVICTION_NOTICES_MAX: usize = 16 << 10;
/// Evictions in one frame: it is full.
pub(crate) const EVICTION_NOTICES_SENT: usize = 4000;

/// From one heartbeat of a link to the next: five before [`SILENCE_MS`] is over.
pub(crate) const HEARTBEAT_MS: u64 = 200;
/// A distance between the clocks of both nodes counts for this long, and at most for twice as long:
/// clocks that drift apart by a second in three hours are off by a tenth of one then.
pub(crate) const CLOCK_PERIOD_MS: u64 = 10 * 60 * 1000;
/// A link that has heard nothing for so long makes room for another incarnation of the partner,
/// whose host may have died without closing the connection. Two heartbeats are missing then, and
/// the third is late: between two a link is silent for one interval, and one heartbeat is late
/// whenever a packet is lost or a machine is busy.
pub(crate) const REPLACEABLE_SILENCE_MS: u64 = 4 * HEARTBEAT_MS;
/// A node is not safe to restart while a change has waited for longer than this. A choice: twice
/// what a silent partner takes to lose the link.
pub(crate) const RESTART_LAG_MS: u64 = 2 * SILENCE_MS;
/// A link that has heard nothing for so long is down. A choice: sooner, a busy machine would lose
/// its link; later, a dead partner is noticed later.
pub(crate) const SILENCE_MS: u64 = 1000;
/// A timestamp so far ahead of this node's clock raises an alarm: no time service leaves clocks a
/// minute apart.
pub(crate) const TIMESTAMP_AHEAD_ALARM_MS: u64 = 60 * 1000;
/// A timestamp so far ahead of this node's clock closes the link: absorbed, it would take the clock
/// past all that a timestamp can hold after some sixty such mistakes.
pub(crate) const TIMESTAMP_AHEAD_MAX_MS: u64 = 365 * 24 * 60 * 60 * 1000;
/// The distance of the wall clocks of both nodes counts for this long, and at most for twice as
/// long: 25 heartbeats, of which one is fast, and a clock that is set is noticed soon.
pub(crate) const SKEW_PERIOD_MS: u64 = 5000;
/// Heartbeats of a link before that distance is believed: the first may have waited behind the
/// handshake.
pub(crate) const SKEW_HEARTBEATS_MIN: u32 = 5;
/// Wall clocks that differ by so much raise an alarm: a time service keeps them a thousand times
/// closer, and a node that restarts is back in little more.
pub(crate) const SKEW_ALARM_MS: u64 = 1000;
/// Wall clocks that differ by less end the alarm.
pub(crate) const SKEW_AGREED_MS: u64 = SKEW_ALARM_MS / 2;
/// Entries that a lift moves in one turn of the link: some milliseconds of work, after which the
/// link sends a heartbeat if one is due. In tests few, so that clients and faults come in between.
pub(crate) const LIFT_TURN_ENTRIES: usize = if cfg!(test) { 256 } else { 16 << 10 };
/// Shortest time between two notices of space: each costs the partner a sync.
pub(crate) const SPACE_NOTICE_INTERVAL_MS: u64 = 1000;
/// How often that time doubles while syncs bring what must be refused again: to a minute.
pub(crate) const SPACE_NOTICE_DOUBLINGS_MAX: u32 = 6;

const _: () = assert!(NODE_ID_BYTES_MAX <= u8::MAX as usize);
const _: () = assert!(ADDRESS_BYTES_MAX <= u8::MAX as usize);
const _: () = assert!(LINK_VALUE_BYTES_MAX <= u32::MAX as usize);
// A hello and a refusal fit a frame, and all that is read before the hello is checked is little.
const _: () =
    assert!(NODE_ID_BYTES_MAX + POLICY_BYTES_MAX + 2 * ADDRESS_BYTES_MAX + 64 <= 16 * 1024);
const _: () = assert!(REASON_BYTES_MAX + 64 <= FRAME_BYTES_MAX);
// A frame's worth of keys holds every promotion, and a batch fits the set.
const _: () = assert!(PROMOTIONS_MAX * 8 + 64 <= FRAME_BYTES_MAX);
const _: () = assert!(EVICTION_NOTICES_SENT * 16 + 64 <= FRAME_BYTES_MAX);
const _: () = assert!(BATCH_KEYS_MAX * 2 <= DIRTY_KEYS_MIN);
const _: () = assert!(DIRTY_KEYS_MIN < DIRTY_KEYS_MAX);
const _: () = assert!(IN_FLIGHT_MIN < IN_FLIGHT_MAX);
// Both windows hold more than one frame, so that neither stream can stand still for ever.
const _: () = assert!(2 * FRAME_BYTES_MAX <= SYNC_WINDOW_BYTES);
const _: () = assert!(SYNC_BURST_BYTES <= SYNC_WINDOW_BYTES);
const _: () = assert!(SYNC_WINDOW_BYTES <= LIVE_WINDOW_BYTES);
const _: () = assert!(SKEW_HEARTBEATS_MIN as u64 * HEARTBEAT_MS < SKEW_PERIOD_MS);
// A lost heartbeat or two is not yet silence.
const _: () = assert!(3 * HEARTBEAT_MS < SILENCE_MS);
const _: () = assert!(HEARTBEAT_MS < REPLACEABLE_SILENCE_MS && REPLACEABLE_SILENCE_MS < SILENCE_MS);
