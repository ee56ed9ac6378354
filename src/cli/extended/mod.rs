//! The options of `-o`: `name` or `name=value`, in comma-separated lists.

mod error;
mod option;
mod table;
mod values;

use std::fmt::Write;

use crate::config::Config;

pub(super) use error::OptionError;
use option::NO_EFFECT_THERE;
pub use option::{Effect, OptionValue};
pub use table::OPTIONS;
use values::Given;

/// Puts what one `-o` says into the configuration, option by option; the keys it has set.
///
/// # Errors
/// An option that memcached would not start with either.
pub(super) fn apply(list: &str, config: &mut Config) -> Result<Vec<&'static str>, OptionError> {
    let mut keys = Vec::new();
    let mut rest = list;
    while !rest.is_empty() {
        let (text, tail) = rest.split_once(',').unwrap_or((rest, ""));
        rest = tail;
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        let option = OPTIONS.iter().find(|option| option.name == name);
        let option = option.ok_or_else(|| unknown(text))?;
        if option.value == OptionValue::Yes && value.is_none() {
            return Err(OptionError::NoValue(option.name));
        }
        // A value that may be left out is 1 then; one that is empty is none, and counts as 0.
        let left_out = if option.value == OptionValue::Maybe {
            "1"
        } else {
            ""
        };
        let given = Given {
            name: option.name,
            value: value.unwrap_or(left_out),
        };
        (option.set)(config, &given)?;
        match option.effect {
            Effect::Setting(key) => keys.push(key),
            Effect::Shown | Effect::Nothing(NO_EFFECT_THERE) => {}
            Effect::Nothing(reason) => config.tuning.without_effect.push((option.name, reason)),
        }
    }
    Ok(keys)
}

/// The error of an option that is in no table.
fn unknown(text: &str) -> OptionError {
    let text = text.to_owned();
    if text.starts_with("ext_") {
        OptionError::ExternalStorage(text)
    } else if text.starts_with("proxy_") {
        OptionError::Proxy(text)
    } else {
        OptionError::Unknown(text, help())
    }
}

/// What is said of some options, and whether one is among them.
type Group = (&'static str, fn(Effect) -> bool);

/// The options by what becomes of them, for `-h`.
pub(super) fn help() -> String {
    let mut text = String::from("Options of -o:\n");
    let groups: [Group; 3] = [
        ("with memcached's meaning", |effect| {
            matches!(effect, Effect::Setting(_))
        }),
        ("shown by stats settings, and nothing else", |effect| {
            effect == Effect::Shown
        }),
        ("accepted without effect", |effect| {
            matches!(effect, Effect::Nothing(_))
        }),
    ];
    for (title, belongs) in groups {
        let mut line = format!("  {title}:");
        for option in OPTIONS.iter().filter(|option| belongs(option.effect)) {
            let value = match option.value {
                OptionValue::No => "",
                OptionValue::Maybe => "[=]",
                OptionValue::Yes => "=",
            };
            let word = format!(" {}{value}", option.name);
            if line.len() + word.len() > HELP_CHARS {
                let _ = writeln!(text, "{line}");
                line = String::from("   ");
            }
            line.push_str(&word);
        }
        let _ = writeln!(text, "{line}");
    }
    text
}

const HELP_CHARS: usize = 80;
