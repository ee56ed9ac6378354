//! What becomes of a command line that clap does not take: a text to print, or an exit code.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, Command, CommandFactory};

use super::args::{Cli, OwnFlags};
use super::extended;
use crate::config::StartupError;
use crate::config::startup_error::EXIT_USAGE;

/// memcached's exit code for a flag it does not know or that lacks its value.
pub(super) const EXIT_BAD_FLAG: u8 = 1;

/// Help and version are to be printed; what is wrong has the exit code that memcached (for its
/// flags) or sysexits (for ours) has.
pub(super) fn printed(error: &clap::Error, args: &[OsString]) -> Result<String, StartupError> {
    let text = error.render().to_string();
    let text = text.trim_end();
    let is_of_flags = !is_verb(args) || args[1..] == ["help"];
    match error.kind() {
        ErrorKind::DisplayHelp if is_of_flags => Ok(format!("{text}\n\n{}", extended::help())),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Ok(text.to_owned()),
        _ => Err(StartupError::new(exit_code(error, args), text)),
    }
}

fn exit_code(error: &clap::Error, args: &[OsString]) -> u8 {
    match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(flag)) if !is_verb(args) && is_memcacheds(flag) => EXIT_BAD_FLAG,
        _ => EXIT_USAGE,
    }
}

fn is_verb(args: &[OsString]) -> bool {
    let cli = Cli::command();
    let mut verbs = cli.get_subcommands().map(Command::get_name);
    // clap adds its own only when it parses.
    args.get(1)
        .is_some_and(|first| first == "help" || verbs.any(|verb| first == verb))
}

fn is_memcacheds(flag: &str) -> bool {
    let name = flag.split([' ', '=']).next().unwrap_or_default();
    let own = OwnFlags::augment_args(Command::new("own"));
    let mut own = own.get_arguments().filter_map(|flag| flag.get_long());
    name.starts_with('-') && !own.any(|own| name.strip_prefix("--") == Some(own))
}
