//! The documents: links lead somewhere, each is found from the README, tables can be read, and all
//! warnings of the log are explained.

#![allow(
    clippy::unwrap_used,
    reason = "a test says what it could not read by failing"
)]

mod tree;

use std::fs;
use std::path::{Path, PathBuf};

use tree::{none, read, root, texts};

const README_LINES_MAX: usize = 200;
const CELL_WORDS_MAX: usize = 60;

/// The paths from the root of all documents.
fn documents() -> Vec<String> {
    let paths = texts().into_iter().map(|(path, _)| path);
    let all: Vec<_> = paths.filter(|path| path.ends_with(".md")).collect();
    assert!(all.len() >= 10, "{all:?}");
    all
}

/// The names that links give to the titles of a document, as GitHub makes them.
fn anchors(text: &str) -> Vec<String> {
    let mut anchors: Vec<String> = Vec::new();
    for line in text.lines().filter(|line| line.starts_with('#')) {
        let title = line.trim_start_matches('#').trim();
        let kept = title.to_lowercase();
        let kept = kept.replace(' ', "-");
        let anchor = kept.replace(
            |c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_'),
            "",
        );
        assert!(!anchors.contains(&anchor), "two titles are #{anchor}");
        anchors.push(anchor);
    }
    anchors
}

/// Where the links of a document lead.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1);
    targets.filter_map(|rest| rest.split_once(')').map(|(target, _)| target))
}

/// The path from the root of what is linked from a document.
fn resolved(from: &str, target: &str) -> PathBuf {
    let folder = Path::new(from).parent().unwrap();
    if target.is_empty() {
        return PathBuf::from(from);
    }
    match target.strip_prefix("../") {
        Some(above) => folder.parent().unwrap().join(above),
        None => folder.join(target),
    }
}

#[test]
fn every_link_leads_somewhere() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for document in documents() {
        let text = read(&document);
        for link in links(&text).filter(|link| !link.contains("://")) {
            count += 1;
            let (target, anchor) = link.split_once('#').unwrap_or((link, ""));
            let path = resolved(&document, target);
            let there = fs::read_to_string(root().join(&path));
            let has_anchor = |text: &String| {
                anchor.is_empty() || anchors(text).iter().any(|title| title == anchor)
            };
            if !there.as_ref().is_ok_and(has_anchor) {
                wrong.push(format!("{document}: {link}"));
            }
        }
    }
    assert!(count > 60, "only {count} links found");
    none("a link leads nowhere", &wrong);
}

#[test]
fn every_document_is_found_from_the_readme() {
    let readme = read("README.md");
    let (_, table) = readme.split_once("\n## Read on\n").unwrap();
    let linked: Vec<_> = links(table).collect();
    let wanting: Vec<_> = documents()
        .into_iter()
        .filter(|document| document != "README.md" && !linked.contains(&document.as_str()))
        .collect();
    none("README.md has no row for", &wanting);
}

#[test]
fn the_readme_is_short() {
    let lines = read("README.md").lines().count();
    assert!(lines <= README_LINES_MAX, "README.md has {lines} lines");
}

#[test]
fn cells_of_tables_are_short() {
    let mut long = Vec::new();
    for document in documents() {
        for line in read(&document).lines().filter(|line| line.starts_with('|')) {
            for cell in line.split('|') {
                let words = cell.split_whitespace().count();
                if words > CELL_WORDS_MAX {
                    long.push(format!("{document}: {words} words: {cell:.60}"));
                }
            }
        }
    }
    none("a cell is too long to be read in a table", &long);
}

/// The warnings and errors that a source logs.
fn warnings(source: &str) -> Vec<String> {
    let code: Vec<_> = source
        .lines()
        .map(str::trim_start)
        .filter(|line| !line.starts_with("//"))
        .collect();
    // A literal goes on in the next line.
    let code = code.join("\n").replace("\\\n", "");
    let calls = code.split("tracing::").skip(1);
    calls
        .filter(|call| call.starts_with("warn!(") || call.starts_with("error!("))
        .map(|call| last_literal(call).unwrap_or_else(|| panic!("no message: {call:.80}")))
        .collect()
}

/// The last string within the parentheses that are opened first: the message of a log line.
fn last_literal(call: &str) -> Option<String> {
    let mut last = None;
    let mut depth = 0;
    for (at, piece) in call.split('"').enumerate() {
        if at % 2 == 1 {
            last = Some(piece.to_owned());
            continue;
        }
        for c in piece.chars() {
            match c {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => continue,
            }
            if depth == 0 {
                return last;
            }
        }
    }
    None
}

#[test]
fn messages_of_log_lines_are_found() {
    let source = r#"
        /// tracing::warn!("not this");
        tracing::info!("nor this");
        tracing::warn!(%error, mode = format_args!("{:o}", f(mode)), "one \
                       message");
        Err(error) => tracing::error!(%error, "another"),
    "#;
    assert_eq!(warnings(source), ["one message", "another"]);
}

#[test]
fn every_warning_is_explained() {
    let operating = read("docs/operating.md");
    let title = "\n## What each warning means\n";
    let (_, table) = operating.split_once(title).unwrap();
    let explained: Vec<_> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(words, _)| words)
        .collect();
    let sources: Vec<_> = tree::sources()
        .filter(|(path, _)| path.starts_with("src/"))
        .map(|(_, source)| source)
        .collect();
    let logged: Vec<_> = sources.iter().flat_map(|source| warnings(source)).collect();
    assert!(logged.len() > 30, "only {logged:?}");

    let has_row = |message: &&String| explained.iter().any(|words| message.contains(words));
    let wanting: Vec<_> = logged.iter().filter(|it| !has_row(it)).cloned().collect();
    none("docs/operating.md does not explain", &wanting);
    let is_logged = |words: &str| {
        let is_message = logged.iter().any(|message| message.contains(words));
        is_message || sources.iter().any(|source| source.contains(words))
    };
    let idle: Vec<_> = explained
        .iter()
        .filter(|words| !is_logged(words))
        .map(|words| (*words).to_owned())
        .collect();
    none("docs/operating.md explains what is not logged", &idle);
}
