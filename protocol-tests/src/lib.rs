//! What the black-box tests share: starting a server, talking to it byte by byte, a pair of
//! nodes with a proxy on their link, faults of a pair, transcripts, and real clients.
//!
//! Nothing here knows the `memtwin` crate. The subject of a test is a program: Debian's
//! `memcached` (or the one named in `MEMCACHED_BIN`), or memtwin (`MEMTWIN_BIN`, else what the
//! workspace has built, release before debug).

pub mod attacks;
pub mod audit;
pub mod client;
pub mod clients;
pub mod compatibility;
pub mod contest;
pub mod link;
pub mod msm;
pub mod packets;
pub mod pair;
pub mod passwords;
pub mod process;
pub mod proxy;
pub mod random;
pub mod random_binary;
mod random_meta;
pub mod replies;
pub mod server;
pub mod subject;
pub mod tally;
pub mod tls;
pub mod transcript;
pub mod unread;
pub mod watching;
pub mod writers;
