//! What COMPATIBILITY.md says of the keys of the statistics.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

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

/// What the table of this command tells.
pub fn told(command: &str) -> Result<Vec<Told>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../COMPATIBILITY.md");
    let text = fs::read_to_string(path)?;
    let (_, text) = text.split_once("\n## Statistics\n").context("no section")?;
    let quoted = format!("`{command}`");
    let mut rows = text.lines().skip_while(|line| {
        let first = line.split('|').nth(1).unwrap_or_default();
        let is_head = first.starts_with(" key of ") || first.starts_with(" line of ");
        !is_head || !first.contains(&quoted)
    });
    rows.next()
        .with_context(|| format!("no table of {command}"))?;
    let mut all = Vec::new();
    for row in rows.take_while(|line| line.starts_with('|')) {
        let mut cells = row.split('|').skip(1);
        let names = cells.next().unwrap_or_default();
        let verdict = cells.next().unwrap_or_default().trim();
        all.extend(names.split('`').skip(1).step_by(2).map(|name| Told {
            name: name.to_owned(),
            verdict: verdict.to_owned(),
        }));
    }
    Ok(all)
}
