//! Dependencies point one way: what each part of the crate may import, read from the sources.
//!
//! An import that is not in the table is either a mistake or a decision; a decision goes into the
//! table, and must not close a circle.

#![allow(
    clippy::unwrap_used,
    reason = "a test says what it could not read by failing"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The parts, the highest first, and what each may import.
const MAY_IMPORT: [(&str, &[&str]); 24] = [
    (
        "boot",
        &[
            "auth",
            "config",
            "limits",
            "logs",
            "net",
            "node",
            "protocol",
            "reload",
            "replication",
            "store",
            "tls",
        ],
    ),
    (
        "pair",
        &[
            "cli",
            "config",
            "limits",
            "logs",
            "privileges",
            "replication",
        ],
    ),
    (
        "net",
        &[
            "command",
            "config",
            "frontend",
            "limits",
            "logs",
            "node",
            "protocol",
            "replication",
            "stats",
            "store",
            "tls",
        ],
    ),
    (
        "node",
        &[
            "auth",
            "config",
            "frontend",
            "limits",
            "logs",
            "protocol",
            "replication",
            "stats",
            "store",
            "tls",
        ],
    ),
    (
        "frontend",
        &[
            "auth", "command", "config", "limits", "logs", "protocol", "store",
        ],
    ),
    (
        "command",
        &["c_number", "limits", "stats", "store", "store_mode"],
    ),
    (
        "replication",
        &["config", "files", "limits", "logs", "rules", "store", "tls"],
    ),
    ("stats", &["config", "limits", "logs", "protocol", "store"]),
    ("tls", &["config", "files", "limits", "reload", "store"]),
    ("auth", &["config", "files", "limits", "reload"]),
    ("signals", &["config", "reload"]),
    ("daemon", &["config"]),
    ("privileges", &["config", "limits"]),
    ("cli", &["config", "limits"]),
    ("config", &["files", "limits"]),
    ("reload", &[]),
    ("store", &["limits", "rules"]),
    ("protocol", &["c_number", "limits", "store_mode"]),
    ("logs", &["limits"]),
    ("files", &[]),
    ("c_number", &[]),
    ("store_mode", &[]),
    ("limits", &[]),
    ("rules", &[]),
];

/// What the pure parts do without.
const PURE: [(&str, &[&str]); 2] = [
    ("store", &["tokio", "std::net", "mio"]),
    ("protocol", &["tokio", "std::net", "mio"]),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The code of each part, without comments and tests.
fn parts() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut parts = BTreeMap::<String, String>::new();
    for file in files {
        let inside = file
            .strip_prefix(&root)
            .unwrap()
            .to_string_lossy()
            .into_owned();
        let is_for_tests = ["tests", "simulation", "test_support"]
            .iter()
            .any(|word| inside.contains(word));
        let part = inside.split(['/', '.']).next().unwrap().to_owned();
        if is_for_tests || part == "lib" || part == "main" {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        let code = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        let code: Vec<_> = code.collect();
        parts.entry(part).or_default().push_str(&code.join("\n"));
    }
    parts
}

fn imports(code: &str) -> BTreeSet<&str> {
    let after = code.split("crate::").skip(1);
    after
        .filter_map(|rest| {
            rest.split(|c: char| !c.is_ascii_lowercase() && c != '_')
                .next()
        })
        .filter(|name| !name.is_empty())
        .collect()
}

#[test]
fn every_part_imports_only_what_it_may() {
    let parts = parts();
    let known: BTreeSet<_> = MAY_IMPORT.iter().map(|(part, _)| *part).collect();
    let found: BTreeSet<_> = parts.keys().map(String::as_str).collect();
    assert_eq!(known, found, "the parts of the crate");
    let mut wrong = Vec::new();
    for (part, allowed) in MAY_IMPORT {
        for import in imports(&parts[part]) {
            if import != part && known.contains(import) && !allowed.contains(&import) {
                wrong.push(format!("{part} imports {import}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn imports_point_down() {
    let order: Vec<_> = MAY_IMPORT.iter().map(|(part, _)| *part).collect();
    for (height, (part, allowed)) in MAY_IMPORT.iter().enumerate() {
        for import in *allowed {
            let other = order.iter().position(|known| known == import).unwrap();
            assert!(
                other > height,
                "{part} stands below {import}, which it imports"
            );
        }
    }
}

#[test]
fn store_and_protocol_know_no_sockets() {
    let parts = parts();
    for (part, absent) in PURE {
        for name in absent {
            assert!(!parts[part].contains(name), "{part} uses {name}");
        }
    }
}
