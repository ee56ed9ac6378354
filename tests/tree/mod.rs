//! The tree, as the tests of its texts read it.

#![allow(dead_code, reason = "no test needs all of it")]

use std::fs;
use std::path::Path;

/// What tools write.
const NOT_OURS: [&str; 6] = [
    "target",
    "Cargo.lock",
    "package-lock.json",
    "go.sum",
    "corpus",
    "artifacts",
];

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap()
}

/// Every text of the tree that is ours, with its path from the root.
pub(crate) fn texts() -> Vec<(String, String)> {
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

/// The sources among them.
pub(crate) fn sources() -> impl Iterator<Item = (String, String)> {
    texts()
        .into_iter()
        .filter(|(path, _)| path.ends_with(".rs"))
}

/// Fails with all findings at once.
pub(crate) fn none(what: &str, findings: &[String]) {
    assert!(findings.is_empty(), "{what}:\n{}", findings.join("\n"));
}
