//! The files in config/ say what is true.

use std::collections::BTreeSet;
use std::path::Path;

use super::*;

const EXPLAINED: &str = include_str!("../../config/memtwin.toml");
const PRIMARY: &str = include_str!("../../config/primary.toml");
const FAILOVER: &str = include_str!("../../config/failover.toml");
const SECTIONS: [&str; 7] = [
    "node",
    "client",
    "tls",
    "sasl",
    "memory",
    "replication",
    "msm",
];

fn parse(text: &str) -> Config {
    file::ConfigFile::parse(Path::new("test"), text.to_owned())
        .unwrap()
        .config
}

/// The keys serde knows in a section, out of its own words.
fn known_keys(section: &str) -> BTreeSet<String> {
    let text = format!("[{section}]\nno_such_key = 0\n");
    let error = toml::from_str::<Config>(&text).unwrap_err();
    let (_, expected) = error
        .message()
        .split_once("expected")
        .expect("serde lists the keys");
    let keys = expected.split('`').skip(1).step_by(2);
    keys.map(str::to_owned).collect()
}

/// (section, key, comment above it, `key = value`) of every key the explained file shows.
pub(crate) fn explained() -> Vec<(String, String, String, String)> {
    let (mut section, mut comment, mut found) = (String::new(), String::new(), Vec::new());
    for line in EXPLAINED.lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']').to_owned();
        } else if line.starts_with("# ") {
            comment.push_str(&line[1..]);
        } else if let Some((key, _)) = line.strip_prefix('#').and_then(|it| it.split_once(" = ")) {
            let (comment, shown) = (std::mem::take(&mut comment), line[1..].to_owned());
            found.push((section.clone(), key.to_owned(), comment, shown));
        } else {
            comment.clear();
        }
    }
    found
}

/// The rows of a table whose columns are set apart by ` => `.
pub(crate) fn rows<const N: usize>(table: &str) -> impl Iterator<Item = [&str; N]> {
    let rows = table.lines().map(str::trim).filter(|row| !row.is_empty());
    rows.map(|row| row.split(" => ").collect::<Vec<_>>().try_into().unwrap())
}

#[test]
fn every_key_is_explained_and_every_explained_key_exists() {
    for section in SECTIONS {
        let shown = explained().into_iter().filter(|(of, ..)| of == section);
        let shown: BTreeSet<String> = shown.map(|(_, key, ..)| key).collect();
        assert_eq!(shown, known_keys(section), "[{section}]");
    }
    for (section, key, comment, _) in explained() {
        let has_default = comment.contains("Default: ");
        assert!(has_default, "[{section}] {key} lacks its default");
        assert!(comment.len() > 60, "[{section}] {key} is hardly explained");
    }
}

#[test]
fn the_shown_defaults_are_the_real_ones() {
    let mut with_default = 0;
    for (section, key, comment, shown) in explained() {
        let config = parse(&format!("[{section}]\n{shown}\n"));
        let is_example = comment.contains("Default: none");
        let is_default = config == Config::default();
        assert_eq!(is_default, !is_example, "[{section}] {key}");
        with_default += usize::from(!is_example);
    }
    assert_eq!(parse(EXPLAINED), Config::default());
    assert_eq!(with_default, 38);
}

#[test]
fn the_files_of_a_pair_fit_together() {
    let primary = check::check(parse(PRIMARY), None, &[]).unwrap();
    let failover = check::check(parse(FAILOVER), None, &[]).unwrap();
    assert_eq!((primary.node.side, failover.node.side), (Some(0), Some(1)));
    assert_eq!(primary.replication.failover, failover.replication.listen);
    assert_eq!(failover.replication.failover, primary.replication.listen);
    assert_eq!(primary.policy(), failover.policy());
    assert_ne!(primary.client.addresses, failover.client.addresses);
}
