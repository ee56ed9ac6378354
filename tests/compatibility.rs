//! COMPATIBILITY.md tells of every command, flag, option and opcode, and names proofs that exist.

#![allow(
    clippy::unwrap_used,
    reason = "a test says what it could not read by failing"
)]

mod tree;

use clap::CommandFactory;
use memtwin::cli::Cli;
use memtwin::cli::extended::{Effect, OPTIONS};
use memtwin::protocol::binary::Opcode;
use tree::{none, read, root, sources};

/// The parts of COMPATIBILITY.md whose rows say what, a verdict, why, and a proof; and which
/// verdicts belong there.
const PARTS: [(&str, &[&str]); 4] = [
    ("What differs", &["different", "absent"]),
    ("What has no effect", &["without effect"]),
    ("What is added", &["added"]),
    ("What is the same", &["same"]),
];

/// The titles in them; but for the first part, each has a word and a colon before it.
const AREAS: [&str; 10] = [
    "Commands",
    "Binary protocol",
    "Passwords",
    "Meta commands",
    "What watchers are told",
    "Lines and limits",
    "TLS",
    "Flags",
    "Options of `-o`",
    "Statistics",
];

/// One row of a table.
struct Row {
    part: String,
    area: String,
    cells: Vec<String>,
}

/// Every row of the tables of COMPATIBILITY.md, but for their heads.
fn all_rows() -> Vec<Row> {
    let text = read("COMPATIBILITY.md");
    let lines: Vec<&str> = text.lines().collect();
    let (mut part, mut area) = (String::new(), String::new());
    let mut rows = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let is_head = lines
            .get(at + 1)
            .is_some_and(|next| next.starts_with("|--"));
        if let Some(title) = line.strip_prefix("## ") {
            title.clone_into(&mut part);
            title.clone_into(&mut area);
        } else if let Some(title) = line.strip_prefix("### ") {
            let title = title.split_once(": ").map_or(title, |(_, title)| title);
            title.clone_into(&mut area);
        } else if line.starts_with("| ") && !is_head {
            let cells = line.trim_matches('|').split('|');
            rows.push(Row {
                part: part.clone(),
                area: area.clone(),
                cells: cells.map(|cell| cell.trim().to_owned()).collect(),
            });
        }
    }
    rows
}

/// The cells of all rows about an area, whichever part they are in.
fn rows(area: &str) -> Vec<Vec<String>> {
    let rows: Vec<_> = all_rows()
        .into_iter()
        .filter(|row| row.area.eq_ignore_ascii_case(area))
        .map(|row| row.cells)
        .collect();
    assert!(!rows.is_empty(), "no rows about {area}");
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
    let mut wrong = Vec::new();
    let mut judged = 0;
    for row in all_rows() {
        let Some((_, verdicts)) = PARTS.iter().find(|(part, _)| *part == row.part) else {
            continue;
        };
        judged += 1;
        let is_known = AREAS
            .iter()
            .any(|area| area.eq_ignore_ascii_case(&row.area));
        let has_verdict = row.cells.len() == 4 && verdicts.contains(&row.cells[1].as_str());
        if !is_known || !has_verdict {
            wrong.push(format!("{}: {}", row.area, row.cells.join(" | ")));
        }
    }
    assert!(judged > 250, "only {judged} rows found");
    none(
        "COMPATIBILITY.md has a row without the verdict of its part",
        &wrong,
    );
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
    let proved = ["Tested clients", "Inputs that have hurt memcached"];
    for title in AREAS.iter().chain(&proved) {
        for row in rows(title) {
            let missing = quoted(&row[row.len() - 1]).filter(|proof| !has(proof));
            wanting.extend(missing.map(|proof| format!("{}: {proof}", row[0])));
        }
    }
    none("COMPATIBILITY.md names a proof that is not there", &wanting);
}
