//! The command line: memcached's flags with memcached's meaning, memtwin's own, and the verbs.

mod apply;
mod args;
mod exit;
pub mod extended;
mod flags;
mod layer;
mod listen;
mod numbers;
mod value;

use std::ffi::OsString;

use clap::Parser;

use crate::config::StartupError;

pub use apply::load;
pub use args::{Cli, PairFlags, Verb};

/// What a command line asks for.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one, and it is taken apart at once"
)]
pub enum Parsed {
    /// To run what it says.
    Run(Cli),
    /// To print help, the version or the licence.
    Print(String),
}

/// Reads a command line.
///
/// # Errors
/// What is wrong with it, with memcached's exit code for its flags.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Parsed, StartupError> {
    let mut args: Vec<OsString> = args.into_iter().collect();
    // clap's own `help` has no help.
    if let [_, verb, flag] = &args[..]
        && verb == "help"
        && (flag == "-h" || flag == "--help")
    {
        args.pop();
    }
    match Cli::try_parse_from(&args) {
        Ok(cli) if cli.memcached.license => Ok(Parsed::Print(LICENSE.to_owned())),
        Ok(cli) => Ok(Parsed::Run(cli)),
        Err(error) => exit::printed(&error, &args).map(Parsed::Print),
    }
}

const LICENSE: &str = concat!("memcached 1.6.45\n\n", include_str!("../../LICENSE"));

#[cfg(test)]
mod tests;
