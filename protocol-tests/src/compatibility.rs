//! What the documents say of the keys of the statistics.

use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};

/// A name in the first cell of a row, and the word in the second.
#[derive(Clone, Debug)]
pub struct Told {
    /// The name of a key; with a star at its beginning or end, of many.
    pub name: String,
    /// `same`, `different`, ...
    pub verdict: String,
}

impl Told {
    /// Whether it speaks of this key.
    pub fn speaks_of(&self, key: &str) -> bool {
        match (self.name.strip_prefix('*'), self.name.strip_suffix('*')) {
            (Some(end), _) => key.ends_with(end),
            (_, Some(beginning)) => key.starts_with(beginning),
            _ => self.name == key,
        }
    }
}

/// What the tables of this command tell, in whichever parts they are.
pub fn told(command: &str) -> Result<Vec<Told>> {
    told_in("COMPATIBILITY.md", command)
}

/// The same of any document, by its path from the root.
pub fn told_in(document: &str, command: &str) -> Result<Vec<Told>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(document);
    let text = fs::read_to_string(path)?;
    let quoted = format!("`{command}`");
    let mut is_wanted = false;
    let mut all = Vec::new();
    for line in text.lines() {
        let mut cells = line.split('|').skip(1);
        let names = cells.next().unwrap_or_default();
        let is_head = names.starts_with(" key of ") || names.starts_with(" line of ");
        if !line.starts_with('|') {
            is_wanted = false;
        } else if is_head {
            is_wanted = names.contains(&quoted);
        } else if is_wanted {
            let verdict = cells.next().unwrap_or_default().trim();
            all.extend(names.split('`').skip(1).step_by(2).map(|name| Told {
                name: name.to_owned(),
                verdict: verdict.to_owned(),
            }));
        }
    }
    ensure!(!all.is_empty(), "{document}: no table of {command}");
    Ok(all)
}
