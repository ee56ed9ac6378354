//! One option of `-o`.

use super::values::{Given, Outcome};
use crate::config::Config;

/// Puts what an option was given, which is empty where it has no value, into the configuration.
pub(super) type Set = fn(&mut Config, &Given<'_>) -> Outcome;

/// One option of `-o`.
#[derive(Debug)]
pub struct Extended {
    /// Its name, as it is written.
    pub name: &'static str,
    /// Whether it has a value.
    pub value: OptionValue,
    /// What becomes of it.
    pub effect: Effect,
    pub(super) set: Set,
}

/// Whether an option has a value. Where it has none, one that is given is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionValue {
    /// None.
    No,
    /// It may have one.
    Maybe,
    /// It must have one.
    Yes,
}

/// What becomes of an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It has memcached's meaning, and is this part of the configuration.
    Setting(&'static str),
    /// `stats settings` or `stats slabs` shows it, nothing else.
    Shown,
    /// It changes nothing, for this reason.
    Nothing(&'static str),
}

/// The reason of an option that memcached does not heed either.
pub(super) const NO_EFFECT_THERE: &str = "memcached ignores it, too";
