//! The style of this tree, executable: lengths, characters, and documents that tell everything.

#![allow(
    clippy::unwrap_used,
    reason = "a test says what it could not read by failing"
)]

use std::fs;
use std::path::Path;

use clap::CommandFactory;
use memtwin::cli::Cli;
use memtwin::cli::extended::{Effect, OPTIONS};
use memtwin::config::Config;
use memtwin::protocol::binary::Opcode;

const LINE_CHARS_MAX: usize = 100;
const FILE_LINES_MAX: usize = 450;
const FUNCTION_LINES_MAX: usize = 70;

/// What tools write.
const NOT_OURS: [&str; 6] = [
    "target",
    "Cargo.lock",
    "package-lock.json",
    "go.sum",
    "corpus",
    "artifacts",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap()
}

/// Every text of the tree that is ours, with its path from the root.
fn texts() -> Vec<(String, String)> {
    let mut texts = Vec::new();
    let mut folders = vec![root().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let is_ours = !name.starts_with('.') && !NOT_OURS.contains(&name.as_str());
            if is_ours && path.is_dir() {
                folders.push(path);
            } else if is_ours && path.is_file() {
                texts.extend(
                    fs::read_to_string(&path)
                        .ok()
                        .map(|text| (shown(&path), text)),
                );
            }
        }
    }
    assert!(texts.len() > 150, "only {} files found", texts.len());
    texts.sort();
    texts
}

fn shown(path: &Path) -> String {
    let inside = path.strip_prefix(root()).unwrap();
    inside.to_string_lossy().into_owned()
}

fn sources() -> impl Iterator<Item = (String, String)> {
    texts()
        .into_iter()
        .filter(|(path, _)| path.ends_with(".rs"))
}

/// Fails with all findings at once.
fn none(what: &str, findings: &[String]) {
    assert!(findings.is_empty(), "{what}:\n{}", findings.join("\n"));
}

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

/// The sections of COMPATIBILITY.md whose rows say what, a verdict, why, and a proof.
const JUDGED: [&str; 9] = [
    "Commands",
    "Binary protocol",
    "Passwords",
    "Meta commands",
    "What watchers are told",
    "Lines and limits",
    "TLS",
    "Flags",
    "Options of `-o`",
];

/// The cells of every row of the tables under a title of COMPATIBILITY.md, but for their heads.
fn rows(title: &str) -> Vec<Vec<String>> {
    let text = read("COMPATIBILITY.md");
    let title = format!("\n## {title}\n");
    let (_, section) = text.split_once(title.as_str()).unwrap();
    let section = section
        .split_once("\n## ")
        .map_or(section, |(section, _)| section);
    let lines: Vec<&str> = section.lines().collect();
    let mut rows = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let is_head = lines
            .get(at + 1)
            .is_some_and(|next| next.starts_with("|--"));
        if line.starts_with("| ") && !is_head {
            let cells = line.trim_matches('|').split('|');
            rows.push(cells.map(|cell| cell.trim().to_owned()).collect());
        }
    }
    rows
}

/// What stands in backticks.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

#[test]
fn every_command_has_a_row() {
    let rows = rows("Commands");
    let parser = read("src/protocol/text/request.rs");
    let (_, dispatch) = parser.split_once("match word {").unwrap();
    let (dispatch, _) = dispatch.split_once("_ =>").unwrap();
    let commands: Vec<_> = dispatch
        .split("b\"")
        .skip(1)
        .filter_map(|rest| rest.split_once('"'))
        .map(|(command, _)| command)
        .collect();
    assert!(commands.len() >= 18, "{commands:?}");
    let has_row = |command: &&str| {
        rows.iter()
            .any(|row| quoted(&row[0]).any(|it| it == *command))
    };
    let wanting: Vec<_> = commands
        .iter()
        .filter(|command| !has_row(command))
        .map(|command| (*command).to_owned())
        .collect();
    none("COMPATIBILITY.md has no row for the command", &wanting);
}

#[test]
fn every_flag_and_subcommand_has_a_row() {
    let rows = rows("Flags");
    let told: Vec<_> = rows.iter().flat_map(|row| quoted(&row[0])).collect();
    let cli = Cli::command();
    let short = cli.get_arguments().filter_map(|arg| arg.get_short());
    let long = cli.get_arguments().filter_map(|arg| arg.get_long());
    let verbs = cli.get_subcommands().map(|verb| verb.get_name().to_owned());
    let wanted = short.map(|short| format!("-{short}"));
    let wanted = wanted
        .chain(long.map(|long| format!("--{long}")))
        .chain(verbs);
    let wanting: Vec<_> = wanted
        .filter(|flag| !told.contains(&flag.as_str()))
        .collect();
    none("COMPATIBILITY.md has no row for the flag", &wanting);
}

#[test]
fn every_option_of_o_has_a_row_that_says_what_becomes_of_it() {
    let rows = rows("Options of `-o`");
    let mut wanting = Vec::new();
    for option in &OPTIONS {
        let row = rows
            .iter()
            .find(|row| quoted(&row[0]).any(|name| name == option.name));
        let verdict = row.map_or("no row", |row| row[1].as_str());
        let fits = match option.effect {
            Effect::Setting(_) => matches!(verdict, "same" | "different"),
            Effect::Shown | Effect::Nothing(_) => verdict == "without effect",
        };
        if !fits {
            wanting.push(format!("{}: {verdict}", option.name));
        }
    }
    none("COMPATIBILITY.md says otherwise of the option", &wanting);
}

#[test]
fn every_opcode_has_a_row() {
    let rows = rows("Binary protocol");
    let told: Vec<_> = rows.iter().flat_map(|row| row[0].split(' ')).collect();
    let known = (0..=u8::MAX).filter(|opcode| Opcode(*opcode).command().is_some());
    let names: Vec<_> = known.map(|opcode| format!("{opcode:02x}")).collect();
    assert_eq!(names.len(), 35, "{names:?}");
    let wanting: Vec<_> = names
        .into_iter()
        .filter(|name| !told.contains(&name.as_str()))
        .collect();
    none("COMPATIBILITY.md has no row for the opcode", &wanting);
}

#[test]
fn every_row_has_a_verdict() {
    let verdicts = [
        "same",
        "different",
        "without effect",
        "absent",
        "added",
        "next",
    ];
    let mut wrong = Vec::new();
    for title in JUDGED {
        for row in rows(title) {
            if row.len() != 4 || !verdicts.contains(&row[1].as_str()) {
                wrong.push(format!("{title}: {}", row.join(" | ")));
            }
        }
    }
    none("COMPATIBILITY.md has a row without a verdict", &wrong);
}

#[test]
fn every_proof_exists() {
    let sources: Vec<_> = sources().collect();
    let has = |proof: &str| match proof.rsplit_once('.') {
        Some((_, "txt")) => root()
            .join("protocol-tests/transcripts")
            .join(proof)
            .exists(),
        Some((_, "rs")) => {
            let in_tests = format!("protocol-tests/tests/{proof}");
            sources
                .iter()
                .any(|(path, _)| path == proof || *path == in_tests)
        }
        _ => {
            let definition = format!("fn {proof}(");
            proof.starts_with('-')
                || sources
                    .iter()
                    .any(|(_, text)| text.contains(definition.as_str()))
        }
    };
    let mut wanting = Vec::new();
    let proved = ["Clients", "Inputs that have hurt memcached", "Statistics"];
    for title in JUDGED.iter().chain(&proved) {
        for row in rows(title) {
            let missing = quoted(&row[row.len() - 1]).filter(|proof| !has(proof));
            wanting.extend(missing.map(|proof| format!("{}: {proof}", row[0])));
        }
    }
    none("COMPATIBILITY.md names a proof that is not there", &wanting);
}
