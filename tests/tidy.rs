//! The style of this tree, executable: lengths, characters, and documents that tell everything.

#![allow(
    clippy::unwrap_used,
    reason = "a test says what it could not read by failing"
)]

use std::fs;
use std::path::Path;

use clap::CommandFactory;
use memtwin::cli::Cli;
use memtwin::config::Config;

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

/// The first and the last cell of every row of the tables under a title of COMPATIBILITY.md.
fn rows(title: &str) -> Vec<(String, String)> {
    let text = read("COMPATIBILITY.md");
    let title = format!("\n## {title}\n");
    let (_, section) = text.split_once(title.as_str()).unwrap();
    let section = section
        .split_once("\n## ")
        .map_or(section, |(section, _)| section);
    let rows = section
        .lines()
        .filter(|line| line.starts_with("| `") || line.starts_with("| "));
    let cells = rows.map(|row| row.trim_matches('|').split(" | ").collect::<Vec<_>>());
    cells
        .map(|cells| (cells[0].to_owned(), cells[cells.len() - 1].to_owned()))
        .collect()
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
            .any(|(row, _)| quoted(row).any(|it| it == *command))
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
    let told: Vec<_> = rows.iter().flat_map(|(row, _)| quoted(row)).collect();
    let cli = Cli::command();
    let short = cli.get_arguments().filter_map(|arg| arg.get_short());
    let long = cli.get_arguments().filter(|arg| arg.get_short().is_none());
    let long = long.filter_map(|arg| arg.get_long());
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
fn the_versions_of_clients_are_told() {
    let clients = "protocol-tests/clients";
    let mut pins = Vec::new();
    let wheels = read(&format!("{clients}/python/requirements.txt"));
    pins.extend(wheels.lines().filter_map(|line| line.split_once("==")));
    let modules = read(&format!("{clients}/node/package.json"));
    let (_, modules) = modules.split_once("\"dependencies\": {").unwrap();
    let modules = modules.lines().filter_map(|line| line.split_once(": "));
    pins.extend(modules.map(|(name, version)| (name, version.trim_matches([',', '"']))));
    let jars = read(&format!("{clients}/java/pom.xml"));
    let jars = jars
        .lines()
        .filter_map(|line| line.split_once("memcached.version>"));
    pins.extend(jars.filter_map(|(name, rest)| Some((name, rest.split_once('<')?.0))));
    assert_eq!(pins.len(), 8, "{pins:?}");
    let text = read("COMPATIBILITY.md");
    let (_, told) = text.split_once("\n## Clients\n").unwrap();
    // It comes with another and is no client.
    pins.retain(|(name, _)| *name != "uhashring");
    let wanting: Vec<_> = pins
        .iter()
        .filter(|(_, version)| !told.contains(&format!("| {version} |")))
        .map(|(name, version)| format!("{} {version}", name.trim()))
        .collect();
    none("COMPATIBILITY.md names another version", &wanting);
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
    for title in [
        "Commands",
        "What watchers are told",
        "Lines and limits",
        "Flags",
        "Clients",
    ] {
        for (row, proofs) in rows(title) {
            let missing = quoted(&proofs).filter(|proof| !has(proof));
            wanting.extend(missing.map(|proof| format!("{row}: {proof}")));
        }
    }
    none("COMPATIBILITY.md names a proof that is not there", &wanting);
}
