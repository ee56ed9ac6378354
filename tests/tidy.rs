//! The style of this tree, executable: lengths, characters, and a configuration that is explained.

#![allow(
    clippy::unwrap_used,
    reason = "a test says what it could not read by failing"
)]

mod tree;

use memtwin::config::Config;
use tree::{none, read, sources, texts};

const LINE_CHARS_MAX: usize = 100;
const FILE_LINES_MAX: usize = 450;
const FUNCTION_LINES_MAX: usize = 70;

fn lines_where(wrong: impl Fn(&str, &str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in texts() {
        let numbered = text.lines().zip(1..);
        found.extend(
            numbered
                .filter(|(line, _)| wrong(&path, line))
                .map(|(line, number)| format!("{path}:{number}: {line:.90}")),
        );
    }
    found
}

#[test]
fn lines_fit_a_hundred_columns() {
    // A table of a document has rows as long as they are; a licence is not ours to break.
    let is_prose = |path: &str| path.ends_with(".md") || path == "LICENSE";
    let is_data =
        |path: &str| path.starts_with("protocol-tests/transcripts/") || path.ends_with(".xml");
    let found = lines_where(|path, line| {
        !is_prose(path) && !is_data(path) && line.chars().count() > LINE_CHARS_MAX
    });
    none("longer than a hundred columns", &found);
}

#[test]
fn texts_are_plain() {
    // gofmt knows nothing but tabs.
    let has_tab = |path: &str, line: &str| line.contains('\t') && !path.ends_with(".go");
    let found = lines_where(|path, line| !line.is_ascii() || has_tab(path, line));
    none("no ASCII, or a tab", &found);
    // Spelled apart, or this file would be found.
    let banned = [["TO", "DO"], ["FIX", "ME"], ["dbg", "!("]].map(|parts| parts.concat());
    let found = lines_where(|_, line| banned.iter().any(|word| line.contains(word)));
    none("left for later", &found);
    let found = lines_where(|path, line| path.ends_with(".rs") && line.ends_with(' '));
    none("ends in a space", &found);
    for (path, text) in texts() {
        assert!(
            text.is_empty() || text.ends_with('\n'),
            "{path} has no end of its last line"
        );
    }
}

#[test]
fn files_are_short() {
    let long: Vec<_> = sources()
        .map(|(path, text)| (text.lines().count(), path))
        .filter(|(lines, _)| *lines > FILE_LINES_MAX)
        .map(|(lines, path)| format!("{path}: {lines} lines"))
        .collect();
    none("too long for one file", &long);
}

#[test]
fn functions_fit_a_screen() {
    let mut long = Vec::new();
    for (path, text) in sources() {
        for (name, lines) in functions(&text) {
            if lines > FUNCTION_LINES_MAX {
                long.push(format!("{path}: {name} has {lines} lines"));
            }
        }
    }
    none("too long for one function", &long);
}

/// Names and lengths of the functions of a formatted source: one ends at the first brace that is
/// indented as it is.
fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else {
            continue;
        };
        let indent = &line[..line.len() - line.trim_start().len()];
        let end = format!("{indent}}}");
        let length = lines[start..].iter().position(|line| *line == end);
        found.extend(length.map(|length| (name.to_owned(), length + 1)));
    }
    found
}

fn function_name(line: &str) -> Option<&str> {
    let mut words = line.trim_start();
    while !words.starts_with("fn ") {
        let (word, rest) = words.split_once(' ')?;
        let is_modifier = matches!(word, "const" | "async") || word.starts_with("pub");
        words = is_modifier.then_some(rest)?;
    }
    let name = words.strip_prefix("fn ")?;
    let end = name.find(['(', '<'])?;
    (!line.ends_with('}') && !line.ends_with(';')).then_some(&name[..end])
}

#[test]
fn the_length_of_a_function_is_measured() {
    let text = "impl A {\n    pub(super) async fn b<T>(\n    ) {\n        {\n        }\n    }\n}\n\
                fn c() {}\nfn d() {\n}\n";
    let expected = [("b".to_owned(), 5), ("d".to_owned(), 2)];
    assert_eq!(functions(text), expected);
}

/// A module with files of its own is `mod.rs` in their folder. The first file of a crate is named
/// by cargo.
#[test]
fn modules_with_files_of_their_own_are_mod_rs() {
    let paths: Vec<_> = sources().map(|(path, _)| path).collect();
    let is_crate = |path: &str| path.split('/').rev().nth(1) == Some("tests");
    let is_split = |path: &&String| {
        let folder = path.replace(".rs", "/");
        !is_crate(path) && paths.iter().any(|other| other.starts_with(&folder))
    };
    let found: Vec<_> = paths.iter().filter(is_split).cloned().collect();
    none("to be moved to mod.rs in its folder", &found);
}

/// Tests of a module are `mod tests`: the end of its file, or files of their own. Only the
/// simulator stands for itself.
#[test]
fn unit_tests_are_in_a_module_named_tests() {
    let is_misplaced = |path: &str, text: &str| {
        let in_own_file = path
            .split('/')
            .any(|name| matches!(name, "tests" | "tests.rs"));
        if in_own_file || path.starts_with("src/replication/simulation/") {
            return false;
        }
        let Some((code, tests)) = text.split_once("\n#[cfg(test)]\nmod tests {\n") else {
            return true;
        };
        let is_last = tests.find("\n}\n") == Some(tests.len() - "\n}\n".len());
        code.contains("#[test]") || !is_last
    };
    let found: Vec<_> = sources()
        .filter(|(_, text)| text.lines().any(|line| line.trim_start() == "#[test]"))
        .filter(|(path, text)| is_misplaced(path, text))
        .map(|(path, _)| path)
        .collect();
    none("tests outside of a module named tests", &found);
}

/// The names that serde would have taken instead of an unknown one.
fn known_keys(text: &str) -> Vec<String> {
    let refused = toml::from_str::<Config>(text).unwrap_err().to_string();
    let (_, names) = refused.split_once("expected").unwrap();
    let names: Vec<_> = names
        .split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect();
    assert!(!names.is_empty(), "{refused}");
    names
}

#[test]
fn every_key_of_the_configuration_is_explained() {
    let text = read("config/memtwin.toml");
    let mut wanting = Vec::new();
    for section in known_keys("[no_such_section]") {
        let header = format!("\n[{section}]\n");
        let Some((_, rest)) = text.split_once(header.as_str()) else {
            wanting.push(format!("[{section}]"));
            continue;
        };
        let body = rest.split_once("\n[").map_or(rest, |(body, _)| body);
        for key in known_keys(&format!("[{section}]\nno_such_key = 1")) {
            let line = format!("\n#{key} = ");
            let before = body.split_once(line.as_str()).map(|(before, _)| before);
            let is_told = before
                .and_then(|before| before.lines().last())
                .is_some_and(|comment| comment.starts_with("# "));
            if !is_told {
                wanting.push(format!("{section}.{key}"));
            }
        }
    }
    none("config/memtwin.toml does not explain", &wanting);
}

#[test]
fn what_the_explained_file_shows_can_be_written() {
    let text = read("config/memtwin.toml");
    let shown: String = text
        .lines()
        .filter(|line| !line.starts_with("# ") && *line != "#")
        .map(|line| format!("{}\n", line.strip_prefix('#').unwrap_or(line)))
        .collect();
    toml::from_str::<Config>(&shown).unwrap();
}
