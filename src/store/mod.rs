//! The store: a sharded LRU of items under one memory budget. It knows neither sockets nor tokio.
//!
//! - [`shards`]: the store itself.
//! - [`ops`]: the operations of commands: read, update, flush.
//! - [`replica`]: the operations of the link: records, walks of the table.
//!   [`touch_record`]: a touch without its value.
//! - [`partner_says`]: what the partner says of the entries here, [`confirmed`]: what is known of
//!   them by that, and [`unprotected`]: how many it is not known to hold.
//! - [`mutate`]: the one function that changes an entry, and [`in_place`]: what it
//!   changes in its slot. [`table`]: the entries of a shard.
//! - [`upload`]: a client's value that arrives over several turns. [`unfinished`]: the bound on the
//!   memory of such values and of long lines.
//! - [`walk`]: visits all items, for dumps and statistics.
//! - [`memory`]: the account. [`evict`] keeps its budget, [`resize`] changes it, [`relief`] evicts
//!   when the machine has less memory than the budget.
//! - [`eviction_notices`]: what was evicted although the partner counts on it.
//! - [`expiry_buckets`]: finds expired items.
//! - [`digests`] and [`listing`]: sums and lists of the table, to compare it with the partner's.
//! - [`knowledge`]: whether the partner is to be asked before a key is answered for.
//! - [`lift`]: moves all entries to later timestamps, in steps.
//!
//! **Invariant:** no code holds two shard locks, and no entry is freed under one.

mod ages;
#[cfg(any(test, fuzzing))]
mod audit;
pub mod classes;
mod clock;
mod config;
mod confirmed;
mod counters;
mod digests;
mod evict;
mod eviction_notices;
mod expiry_buckets;
mod hash;
mod hlc;
mod housekeeping;
mod in_place;
mod input_reservation;
mod item;
mod knowledge;
mod lift;
mod listing;
mod lookup;
mod lru_list;
mod machine;
mod memory;
mod mutate;
mod observer;
mod op_context;
mod ops;
mod partial_item;
mod partner_says;
mod pending_item;
mod record;
mod relief;
mod replica;
mod reservation;
mod resize;
mod shard;
mod shards;
mod shared;
mod shift;
mod table;
#[cfg(test)]
mod tests;
mod touch_record;
mod unfinished;
mod unprotected;
mod unreplicated;
mod upload;
mod walk;

pub use classes::{ClassFigures, ClassPlan, Classes};
pub use clock::{Clock, EPOCH_UNIX_MS, Now};
pub use config::StoreConfig;
pub use counters::{ClassCounters, Counters};
pub use eviction_notices::Evicted;
pub use hash::{KeyHash, KeyHasher, bucket_of};
pub use hlc::{HybridClock, Timestamp, Version};
pub use input_reservation::InputReservation;
pub use item::{Item, ItemHead, NEVER, item_flags};
pub use knowledge::{Consult, Consultation, Dependence};
pub use lift::Lift;
pub use listing::ListedEntry;
pub use lookup::Miss;
pub use memory::{Memory, size_class_bytes};
pub use observer::{ItemSummary, Observer, StoreEventView};
pub use op_context::OpContext;
pub use ops::Action;
pub use partial_item::PartialItem;
pub use pending_item::{NoRoom, PendingItem};
pub use record::{ApplyResult, Origin, RecordHead, RefuseReason};
pub use reservation::{Purpose, Reservation};
pub use shards::Store;
pub use unprotected::UnprotectedItems;
pub use unreplicated::{Unreplicated, UnreplicatedCount};
pub use upload::Upload;
pub use walk::Walk;
