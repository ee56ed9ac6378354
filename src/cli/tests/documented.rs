//! Which flag sets which key stands where the key is explained.

use std::collections::BTreeSet;

use clap::{Arg, CommandFactory};

use super::*;
use crate::cli::apply::apply;
use crate::cli::extended::{Effect, OPTIONS};
use crate::config::tests::explained;

type KeysAndFlags = BTreeSet<(String, String)>;

/// The keys with the flags that their explanations name.
fn documented() -> KeysAndFlags {
    let mut found = BTreeSet::new();
    for (section, key, comment, _) in explained() {
        let (_, flags) = comment.split_once(" Flag").unwrap_or_default();
        let (flags, _) = flags.split_once(" Default: ").unwrap_or_default();
        let key = format!("{section}.{key}");
        let words = flags.split([' ', ',', '.', ':']);
        let plain = words.filter(|word| word.starts_with('-') && *word != "-o");
        // `-vv` is `-v` twice.
        let flag = |word: &str| word.replace("-vv", "-v");
        found.extend(plain.map(|word| (key.clone(), flag(word))));
        let option = flags.split_once("-o ");
        let option = option.map(|(_, rest)| rest.split([' ', '.']).next().unwrap());
        found.extend(option.map(|option| (key, format!("-o {option}"))));
    }
    found
}

/// The keys that a flag sets, if it is one that sets any.
fn keys_of(arg: &Arg) -> Vec<&'static str> {
    let id = arg.get_id().as_str();
    if matches!(id, "help" | "version" | "extended") {
        return Vec::new();
    }
    let value = match id {
        "protocol" => "ascii",
        "replication_mode" => "async",
        "start_alone_after" | "drain_timeout" => "1s",
        "ack_timeout" => "10ms",
        "slab_growth_factor" => "2",
        "udp_port" => "0",
        _ => "1",
    };
    let takes_value = arg.get_action().takes_values() && id != "verbose";
    let args = ["memtwin".to_owned(), name_of(arg)];
    let value = takes_value.then(|| value.to_owned());
    let args = args.into_iter().chain(value);
    match parse(args.map(OsString::from)).unwrap() {
        Parsed::Run(cli) => apply(cli, &mut Config::default()).unwrap(),
        Parsed::Print(_) => Vec::new(),
    }
}

fn name_of(arg: &Arg) -> String {
    let short = arg.get_short().map(|short| format!("-{short}"));
    short.unwrap_or_else(|| format!("--{}", arg.get_long().unwrap()))
}

#[test]
fn the_flag_of_a_key_stands_where_the_key_is_explained() {
    let mut real = KeysAndFlags::new();
    for arg in Cli::command().get_arguments() {
        let keys = keys_of(arg).into_iter();
        real.extend(keys.map(|key| (key.to_owned(), name_of(arg))));
    }
    for option in &OPTIONS {
        if let Effect::Setting(key) = option.effect {
            real.insert((key.to_owned(), format!("-o {}", option.name)));
        }
    }
    // What no file can say.
    real.retain(|(key, _)| !key.starts_with("tuning."));
    assert_eq!(documented(), real);
    assert!(real.len() > 45, "{real:?}");
}
