//! memtwin: a memcached whose every write is streamed to a failover node.
//!
//! This page describes the architecture; each module describes its own part.
//!
//! # Bird's eye view
//!
//! A node holds items in a sharded LRU and serves them to memcached clients. A node of a pair also
//! keeps one encrypted link to its partner: what changes here is sent there, what arrives from
//! there is merged by version, and neither side ever clears what it has. Both nodes take writes.
//!
//! ```text
//!        clients                                                      partner
//!           |                                                             |
//!           | connect                                                     | TLS 1.3
//!           v                                                             |
//!    +-------------+  sockets, in turn  +-------------+  changed   +-------------+
//!    |  acceptor   |------------------->|  workers    |----------->|  link       |
//!    +-------------+                    |  1 to -t    |  keys      +-------------+
//!           ^                           +-------------+             |     ^
//!           | opens, closes                    | read, change       |     | read at the moment
//!           |                                  v                    |     | of sending
//!           |                           +-------------+  records    |     |
//!           |     expire, flush         |  store      |<------------+     |
//!           |   +---------------------->|  (shards)   |-------------------+
//!           |   |                       +-------------+
//!           |  +--------------+
//!           |  | housekeeping |
//!           |  +--------------+
//!           +---- the link: the partner's table is here, or there is no partner
//! ```
//!
//! - **Acceptor**, one thread: accepts while the node serves and deals the sockets to the workers.
//! - **Workers**, one thread each with a runtime of its own; no work is stolen. A *turn* of a
//!   connection is one read, all complete requests in it, one write, in three steps that are kept
//!   apart: *execute*, *send* the keys that changed, *release* the replies. It can stop before
//!   any request, for its budget or for a reader that does not read; the rest waits. It stops
//!   before statistics when it has made changes, and after a large value: these are handed over
//!   first. In `semi-sync` mode the replies of a turn that wrote wait for the partner, and its
//!   connection executes nothing else before; what the turns of one poll wrote is one group.
//! - **Link**, one thread with a runtime of its own. Workers leave it batches of slots (8 bytes for
//!   a key) in a bounded channel and wake it only when it is parked. It reads each record from the
//!   store at the moment it goes on the wire, so ten writes of a key may travel as one, and tells
//!   the workers which groups the partner has.
//! - **Watch**, one thread: carries lines about what happens from the workers to the clients that
//!   `watch`; it sleeps while there are none.
//! - **Housekeeping**, one thread: the wall clock, expired items, delayed flushes.
//! - **Log**, one thread: the only one that writes to stderr, and so the only one that waits when
//!   nobody reads it. The others leave their lines in a bounded queue.
//!
//! # Code map
//!
//! - `main.rs` tells the life of a process in order; [`boot`], [`privileges`], [`daemon`],
//!   [`signals`] and [`logs`] are its steps; all that goes to stderr goes through [`logs`].
//!   [`pair`] runs two nodes on one machine, for a person to see.
//! - [`cli`] and [`config`]: memcached's flags, the TOML file and the defaults make one [`Config`],
//!   checked as a whole. [`limits`]: every bound of the server, asserted against the others.
//! - [`auth`]: users and passwords of clients. [`files`]: how every file is read that holds such
//!   things.
//! - [`reload`]: what is read again on SIGHUP, one list for the whole node.
//! - [`protocol`]: bytes to `Request<'_>`, replies to bytes; nom on borrowed slices. Pure.
//! - `c_number`: numbers as C reads them, for [`protocol`] and [`command`].
//!   `store_mode`: what both call storing a value, for they do not know each other.
//! - [`command`]: what commands do with the store, one operation each for every protocol: storing,
//!   looking up, arithmetic, deleting, flushing. It counts and tells `watch`, and prints nothing.
//! - [`store`]: items, shards, the memory account, eviction, expiry buckets, clocks and timestamps.
//!   `ops` is what commands use, `replica` what the link uses, `mutate` where entries change.
//! - [`replication`]: `link` is the state machine of a link (events and time in, frames out) and
//!   `wire` its frames; `startup` decides when a node serves; `change_queue` leads from the workers
//!   to the link; `key` and `tls` make and prove the pair's key; `runner` is the thread around
//!   them, which only moves bytes.
//! - [`rules`]: names for what link, store and startup gate of the two nodes rely on; the
//!   simulation takes each away, and must notice.
//! - [`net`]: the only place with client sockets. `acceptor` deals them to the workers,
//!   `connection` is the loop that owns one, `write_queue` holds replies that a client has not
//!   read, `handshake` begins TLS.
//! - [`frontend`]: each protocol without its socket, which is what fuzzing runs: `text`, `meta` and
//!   `binary` translate requests into operations of [`command`] and print the replies; `dispatch`
//!   finds the protocol, `text_auth` asks for the password of the text protocol, `control` is what
//!   a frontend may ask of the node.
//! - [`node`]: what all threads of a node share: its connections, `watch`, the commands that look
//!   after the server (`admin`), housekeeping.
//! - [`tls`]: what TLS offers on each kind of address, and how much an unauthenticated client may
//!   send.
//! - [`stats`]: counters, and what `stats` prints of them.
//!
//! Follow a `set`: `net/connection/mod.rs` reads it, `protocol/text/request.rs` parses it,
//! `frontend/text/value.rs` translates it and prints the reply, `command/store.rs` makes an item
//! and asks `store/ops.rs` to put it, `store/mutate.rs` puts it, gives it a timestamp and marks its
//! slot dirty; after the turn `net/commit.rs` and `replication/change_queue/commits.rs` hand the
//! slot over with those of other turns, `replication/link/outbound.rs` reads the item again and
//! writes its record, `replication/link/tickets.rs` finds out when the partner has it, and
//! `net/connection/mod.rs` writes the reply.
//!
//! # Invariants
//!
//! What is written here is as much about what is absent.
//!
//! **Dependencies point one way:** `net` to `node`, `node` to `frontend`, `frontend` to `command`,
//! `command` to `store`, `replication` to `store`; `frontend` alone joins `command` and `protocol`,
//! which do not know each other. [`protocol`] and [`store`] know neither tokio nor each other;
//! [`replication`] knows nothing of clients; [`stats`] only reads, and does not know
//! [`replication`]; nothing but `boot` imports [`net`].
//!
//! **One function changes entries.** Every change of an entry, whether a command, a record, expiry,
//! eviction or a flush makes it, passes one function of its shard. Account, expiry buckets,
//! tombstones, dirty keys and the count of what the partner is not known to hold hang there and
//! nowhere else.
//!
//! **No two locks.** No code holds two shard locks, nothing is freed under one, and nothing waits,
//! reads or writes a socket under one. Large values leave the lock as counted references.
//!
//! **A hash is never believed.** Keys are compared whole; a collision mixes no items up.
//!
//! **Table order is timestamp order.** A timestamp is taken under the lock of its key's shard. It
//! is never clamped, and it is the CAS unique: a stale `cas` fails after a failover, too. It is
//! rewritten in one case: a node that restarted alone moves all that it wrote above the clock of
//! its former life, once, before its first link is up (`store/lift.rs`).
//!
//! **Merge, never wipe.** Of two versions of a key the later one stays, whoever has it. A node
//! clears nothing to make room for its partner's copy. What removes a version that the partner has
//! not confirmed leaves a tombstone; but an eviction forgets a touch that made an item live longer,
//! and the partner keeps the value with its own deadline.
//!
//! **Clients wait for the partner's ack and for its word on a key**, each for a bounded time: a
//! full channel, a dropped batch, a link that ends or a degraded partner answers all who wait at
//! once, as not protected. There is no unbounded queue.
//!
//! **An empty node does not answer.** A client port opens when there is a link, or when no partner
//! was there to be asked for long enough; a partner that hangs is waited for longer, and one that
//! refuses is waited for until that is mended. Where the partner may hold something newer it is
//! asked before a command is carried out (`store/knowledge.rs`); a node that has not had its
//! partner's table closes the connection of a client rather than to answer without it.
//!
//! **The link is pure.** It has no socket, clock, thread or random number of its own, so that the
//! simulation plays the machine that production runs.
//!
//! **Everything has a limit with a name** in [`limits`], and a stated behaviour at it.
//!
//! [`Config`]: config::Config

pub mod auth;
pub mod boot;
mod c_number;
pub mod cli;
pub mod command;
pub mod config;
pub mod daemon;
mod files;
pub mod frontend;
pub mod limits;
pub mod logs;
mod net;
pub mod node;
pub mod pair;
pub mod privileges;
pub mod protocol;
mod reload;
pub mod replication;
mod rules;
pub mod signals;
mod stats;
pub mod store;
mod store_mode;
mod tls;
