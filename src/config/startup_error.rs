//! Why a node does not start: where, what, and what to do.

use std::fmt;
use std::process::ExitCode;

/// Exit code of a wrong configuration file (sysexits `EX_CONFIG`).
pub(crate) const EXIT_CONFIG: u8 = 78;
/// Exit code of wrong use (sysexits `EX_USAGE`).
pub(crate) const EXIT_USAGE: u8 = 64;
/// Exit code of a user that does not exist (sysexits `EX_NOUSER`).
pub(crate) const EXIT_NO_USER: u8 = 67;
/// Exit code of what the system refused, a listen address for one (sysexits `EX_OSERR`).
pub(crate) const EXIT_SYSTEM: u8 = 71;

/// An error a person reads and mends; the process ends with its exit code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartupError {
    /// Where, what, and what to do.
    pub text: String,
    /// What the process answers the shell.
    pub exit: u8,
}

impl StartupError {
    /// An error with its exit code.
    pub fn new(exit: u8, text: impl fmt::Display) -> Self {
        Self {
            text: text.to_string(),
            exit,
        }
    }

    /// What the system refused.
    pub(crate) fn system(text: impl fmt::Display) -> Self {
        Self::new(EXIT_SYSTEM, text)
    }

    /// The exit code in the form `main` returns.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.exit)
    }
}

impl fmt::Display for StartupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for StartupError {}
