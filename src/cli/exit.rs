//! Which exit code a command line earns that cannot be read.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::extended;
use crate::config::Problem;
use crate::config::problem::EXIT_USAGE;

/// memcached's exit code for a flag it does not know or that lacks its value.
pub(super) const EXIT_BAD_FLAG: u8 = 1;
const VERBS: [&str; 4] = ["keygen", "check-config", "pair", "help"];
const OWN_FLAGS: [&str; 9] = [
    "--config",
    "--node-id",
    "--side",
    "--replication-listen",
    "--failover",
    "--replication-mode",
    "--key-file",
    "--msm-nodes",
    "--start-alone-after",
];

/// What clap refused, with the exit code memcached (for its flags) or sysexits (for ours) has.
pub(super) fn problem_of(error: &clap::Error, args: &[OsString]) -> Problem {
    let exit = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => 0,
        _ if is_verb(args) => EXIT_USAGE,
        _ => match error.get(ContextKind::InvalidArg) {
            Some(ContextValue::String(flag)) if is_memcacheds(flag) => EXIT_BAD_FLAG,
            _ => EXIT_USAGE,
        },
    };
    let text = error.render().to_string();
    let text = text.trim_end();
    let is_of_flags = !is_verb(args) || args[1..] == ["help"];
    if error.kind() == ErrorKind::DisplayHelp && is_of_flags {
        return Problem::new(exit, format!("{text}\n\n{}", extended::help()));
    }
    Problem::new(exit, text)
}

fn is_verb(args: &[OsString]) -> bool {
    args.get(1)
        .is_some_and(|first| VERBS.iter().any(|verb| first == verb))
}

fn is_memcacheds(flag: &str) -> bool {
    let name = flag.split([' ', '=']).next().unwrap_or_default();
    name.starts_with('-') && !OWN_FLAGS.contains(&name)
}
