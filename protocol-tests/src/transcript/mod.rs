//! Transcripts: plain files that read like a telnet session and are played to a server.
//!
//! ```text
//! # A comment.
//! flags: -M -m 2          how to start the server (before the first line that is sent)
//! socket: unix            over a unix socket instead of TCP
//! > set abc 0 0 5         sent, with CRLF
//! >> get abc\n            sent as it stands, nothing added
//! < STORED                the next line of the answer, without its CRLF
//! < key=abc \n            a line that ends in a line feed alone
//! <1.6.18 ERROR           what Debian's memcached answers instead
//! has STAT pid {*}        one of the lines up to END, in whatever order
//! closed                  the server closes, and has sent nothing more
//! sleep 2.5               seconds
//! 2> get abc              the same on a second connection (opened when first used)
//! 2< END
//! hangup                  this side closes
//! restart                 the server is started anew, all connections are gone
//! ```
//!
//! In what is sent and expected `\r \n \t \0 \\ \xHH` stand for bytes and `{a*250}` for 250 times
//! `a`. `{cas1}` in an expected line takes a number by name the first time and compares it from
//! then on; two names never stand for the same number; when sent it is that number. `{*}` in an
//! expected line is anything.
//!
//! Lines expected one after the other are a block. Untagged lines are what memtwin and
//! memcached 1.6.45 answer. When the block holds lines with the tag of the subject (`1.6.18`,
//! `1.6.45`, `memtwin`) those are its whole answer; `<1.6.18 (nothing)` is no answer at all.
//!
//! At the end of a file every connection says that it sends no more, and the server must close
//! it without having sent another byte.

mod parse;
mod play;
mod template;

pub use parse::{Action, Step, Transcript, parse};
pub use play::{play, play_on};
pub use template::{Captures, Template};
