//! The rules of deny.toml, held without cargo-deny, whose installation takes minutes: which
//! licences, crates, second versions and sources the dependencies may have.

#![allow(
    clippy::unwrap_used,
    reason = "a test says what it could not read by failing"
)]

mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use tree::{none, read, root};

/// What deny.toml says.
#[derive(Deserialize)]
struct Deny {
    licenses: Licenses,
    bans: Bans,
    sources: Sources,
}

#[derive(Deserialize)]
struct Licenses {
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Crate>,
    skip: Vec<Crate>,
}

/// `name`, or `name:version` where a version may leave out its last numbers.
#[derive(Deserialize)]
struct Crate {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Sources {
    unknown_registry: String,
    unknown_git: String,
    allow_registry: Vec<String>,
}

#[derive(Deserialize)]
struct Lock {
    package: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    version: String,
    /// None for the crates of this workspace.
    source: Option<String>,
}

fn deny() -> Deny {
    toml::from_str(&read("deny.toml")).unwrap()
}

fn locked() -> Vec<Locked> {
    toml::from_str::<Lock>(&read("Cargo.lock")).unwrap().package
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(root())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo {arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// The manifests of all crates that are built here.
fn manifests() -> Vec<PathBuf> {
    // What other platforms need has not been downloaded.
    let version = cargo(&["-vV"]);
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let metadata = cargo(&[
        "metadata",
        "--offline",
        "--locked",
        "--format-version=1",
        "--filter-platform",
        host.unwrap(),
    ]);
    let paths = metadata.split(r#""manifest_path":""#).skip(1);
    let paths: Vec<_> = paths
        .map(|rest| PathBuf::from(rest.split_once('"').unwrap().0))
        .collect();
    assert!(paths.len() > 100, "only {} crates found", paths.len());
    paths
}

/// What the manifest of a crate says of its licence, as an SPDX expression.
fn license(manifest: &Path) -> Option<String> {
    let package = &toml_file(manifest)["package"];
    if package.get("license")?.get("workspace").is_some() {
        let ours = &toml_file(&root().join("Cargo.toml"))["workspace"]["package"]["license"];
        return ours.as_str().map(str::to_owned);
    }
    package["license"].as_str().map(str::to_owned)
}

fn toml_file(path: &Path) -> toml::Table {
    toml::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// Whether an SPDX expression can be met with these licences alone. Old crates write `/` for OR.
fn is_met(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    let met = any_of(&mut words, allowed);
    met && words.next().is_none()
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any_of(words: &mut Words<'_>, allowed: &[String]) -> bool {
    let mut met = all_of(words, allowed);
    while words.next_if_eq(&"OR").is_some() {
        met |= all_of(words, allowed);
    }
    met
}

fn all_of(words: &mut Words<'_>, allowed: &[String]) -> bool {
    let mut met = one(words, allowed);
    while words.next_if_eq(&"AND").is_some() {
        met &= one(words, allowed);
    }
    met
}

fn one(words: &mut Words<'_>, allowed: &[String]) -> bool {
    match words.next() {
        Some("(") => {
            let met = any_of(words, allowed);
            words.next() == Some(")") && met
        }
        Some(name) => {
            let exception = words.next_if_eq(&"WITH").and_then(|_| words.next());
            exception.is_none() && allowed.iter().any(|allowed| allowed == name)
        }
        None => false,
    }
}

#[test]
fn expressions_of_licences_are_understood() {
    let allowed = ["MIT", "ISC"].map(str::to_owned);
    for met in [
        "MIT",
        "GPL-3.0 OR MIT",
        "Unlicense/MIT",
        "(GPL-3.0 OR MIT) AND ISC",
        "GPL-3.0 AND GPL-2.0 OR ISC",
    ] {
        assert!(is_met(met, &allowed), "{met}");
    }
    for unmet in [
        "",
        "GPL-3.0",
        "MIT AND GPL-3.0",
        "MIT AND (GPL-3.0 OR GPL-2.0)",
        "MIT WITH an-exception",
        "(MIT",
        "MIT ISC",
    ] {
        assert!(!is_met(unmet, &allowed), "{unmet}");
    }
}

#[test]
fn licences_are_those_that_are_allowed() {
    let allowed = deny().licenses.allow;
    let mut wrong = Vec::new();
    for manifest in manifests() {
        let license = license(&manifest).unwrap_or_default();
        if !is_met(&license, &allowed) {
            wrong.push(format!("{}: {license:?}", manifest.display()));
        }
    }
    none("deny.toml allows no such licence", &wrong);
}

#[test]
fn no_crate_is_banned() {
    let bans = deny().bans;
    assert!(bans.deny.iter().all(|ban| !ban.reason.is_empty()));
    let mut wrong = Vec::new();
    for locked in locked() {
        let ban = bans.deny.iter().find(|ban| ban.name == locked.name);
        wrong.extend(ban.map(|ban| format!("{}: {}", ban.name, ban.reason)));
    }
    none("deny.toml bans a dependency", &wrong);
}

#[test]
fn no_crate_is_there_twice_without_a_reason() {
    let skip = deny().bans.skip;
    let mut versions = BTreeMap::<String, BTreeSet<String>>::new();
    for Locked { name, version, .. } in locked() {
        versions.entry(name).or_default().insert(version);
    }
    versions.retain(|_, versions| versions.len() > 1);

    let is_skipped = |name: &str, version: &str| {
        skip.iter().any(|skip| {
            let named = skip.name.split_once(':').unwrap();
            named.0 == name && format!("{version}.").starts_with(&format!("{}.", named.1))
        })
    };
    let mut wrong = Vec::new();
    for (name, versions) in &versions {
        let mut kept = versions.iter();
        if kept.by_ref().filter(|it| !is_skipped(name, it)).count() > 1 {
            wrong.push(format!("{name}: {versions:?}"));
        }
    }
    none("deny.toml gives no reason for a second version", &wrong);

    let is_idle = |skip: &&Crate| {
        let (name, _) = skip.name.split_once(':').unwrap();
        skip.reason.is_empty() || !versions.contains_key(name)
    };
    let idle: Vec<_> = skip
        .iter()
        .filter(is_idle)
        .map(|it| it.name.clone())
        .collect();
    none("deny.toml skips what is not there twice", &idle);
}

#[test]
fn crates_come_from_allowed_registries() {
    let sources = deny().sources;
    assert_eq!(sources.unknown_registry, "deny");
    assert_eq!(sources.unknown_git, "deny");
    let ours = ["memtwin", "model", "protocol-tests"];
    let is_allowed = |locked: &Locked| match &locked.source {
        Some(source) => source.strip_prefix("registry+").is_some_and(|registry| {
            sources
                .allow_registry
                .iter()
                .any(|allowed| allowed == registry)
        }),
        None => ours.contains(&locked.name.as_str()),
    };
    let wrong: Vec<_> = locked()
        .iter()
        .filter(|locked| !is_allowed(locked))
        .map(|locked| format!("{}: {:?}", locked.name, locked.source))
        .collect();
    none("deny.toml allows no such source", &wrong);
}
