//! `watch`: sends clients a line for each event.
//!
//! ```text
//! workers --lines--> a bounded log each --the thread "watch"--> a bounded mailbox for each
//!                                                                watcher --its worker--> socket
//! ```
//!
//! While no client watches, a turn costs one load of [`Watch::events`]. While one does, workers
//! write lines to their event logs; lines that do not fit are dropped and counted. A watcher that
//! does not read fills its mailbox; the lines it misses are counted, and it is sent the number when
//! it reads again.

mod event_log;
mod mailbox;
mod thread;
mod watcher;
mod watchers;

pub(crate) use event_log::EventLog;
pub(crate) use thread::start;
pub(crate) use watcher::Watcher;
pub(crate) use watchers::Watch;
