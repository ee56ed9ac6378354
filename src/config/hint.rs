//! What to write where the file has a value of the wrong type: whatever stands there in
//! `config/memtwin.toml`, which shows every key.

use toml::de::DeTable;
use toml::{Table, Value};

/// Every key with a value of its type.
const EXPLAINED: &str = include_str!("../../config/memtwin.toml");

/// What to write instead, if this error is about a value that has the wrong type or cannot be read
/// at all. `line` counts from 1.
pub(super) fn hint(text: &str, line: usize, error: &toml::de::Error) -> Option<String> {
    let message = error.message();
    let is_value = message.starts_with("invalid type") || message.starts_with("invalid value");
    let path = match DeTable::parse(text) {
        Ok(_) if is_value => path_at(text, line),
        Ok(_) => return None,
        // No more than this line is known to be wrong.
        Err(_) => path_at(text, line).filter(|_| {
            text.lines()
                .nth(line - 1)
                .is_some_and(|text| key_in(text).is_some())
        }),
    }?;
    let Some((section, key)) = path.split_once('.') else {
        return is_section(&path).then(|| {
            format!(
                "{path} is a section: write [{path}] on a line of its own, and its keys below it"
            )
        });
    };
    let key = key.split('.').next().unwrap_or(key);
    let (example, value) = example(section, key)?;
    let expected = message
        .split_once("expected ")
        .map(|(_, expected)| expected);
    let what = what_to_write(&value, expected.unwrap_or_default());
    Some(format!("{section}.{key}: write {what}, as in `{example}`"))
}

/// `section.key` that the value at a line belongs to, or the section alone.
fn path_at(text: &str, line: usize) -> Option<String> {
    let above: Vec<&str> = text.lines().take(line).collect();
    let header = above.iter().rposition(|text| header_in(text).is_some());
    let section = header.and_then(|at| header_in(above[at]));
    let below = &above[header.map_or(0, |at| at + 1)..];
    let key = below.iter().rev().find_map(|text| key_in(text));
    let parts: Vec<&str> = section.into_iter().chain(key).collect();
    (!parts.is_empty()).then(|| parts.join("."))
}

fn header_in(line: &str) -> Option<&str> {
    let rest = line.trim_start().strip_prefix('[')?;
    let (name, _) = rest.trim_start_matches('[').split_once(']')?;
    let name = name.trim();
    is_name(name).then_some(name)
}

fn key_in(line: &str) -> Option<&str> {
    let (name, _) = line.split_once('=')?;
    let name = name.trim();
    is_name(name).then_some(name)
}

fn is_name(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    !text.is_empty() && text.bytes().all(is_part)
}

fn is_section(name: &str) -> bool {
    EXPLAINED.lines().any(|line| header_in(line) == Some(name))
}

/// The line that shows a key, and the value in it.
fn example(section: &str, key: &str) -> Option<(&'static str, Value)> {
    let mut lines = EXPLAINED.lines();
    lines.find(|line| header_in(line) == Some(section))?;
    let shown = lines
        .take_while(|line| header_in(line).is_none())
        .filter_map(|line| line.strip_prefix('#'))
        .find(|line| key_in(line) == Some(key))?;
    let value = toml::from_str::<Table>(shown).ok()?.remove(key)?;
    Some((shown, value))
}

/// `expected`: in the parser's words, or in ours where the key has a form of its own.
fn what_to_write(example: &Value, expected: &str) -> String {
    if expected.ends_with("in quotes") {
        return expected.to_owned();
    }
    let words = match (example, expected) {
        (Value::Integer(_), "u8") => "a whole number from 0 to 255, without quotes",
        (Value::Integer(_), "usize") => "a whole number, 0 or more, without quotes",
        (Value::Integer(_), _) => "a whole number, without quotes",
        (Value::Boolean(_), _) => "true or false, without quotes",
        (Value::Array(_), _) => "a list in brackets, each entry of it in quotes",
        (Value::Table(_), _) => "a table in braces, its values in quotes",
        _ => "a text in quotes",
    };
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::file::ConfigFile;
    use crate::config::tests::{explained, rows};

    const VALUES: [&str; 6] = ["4", "true", "\"x\"", "[\"x\"]", "{ a = \"x\" }", "4.5"];

    fn refused(text: &str) -> String {
        let read = ConfigFile::parse(Path::new("file"), text.to_owned());
        let words = read.err().map(|error| error.text);
        words.unwrap_or_else(|| panic!("{text} was taken"))
    }

    /// `threads = "4"` was answered `invalid type: string "4", expected usize`, and so was every
    /// other value of a wrong type: a person had to know the types of another language.
    #[test]
    fn a_value_of_a_wrong_type_is_answered_with_what_to_write_for_every_key() {
        let mut seen = 0;
        for (section, key, _, shown) in explained() {
            let (_, example) = example(&section, &key).unwrap();
            for value in VALUES {
                let table = toml::from_str::<Table>(&format!("x = {value}")).unwrap();
                if table["x"].same_type(&example) {
                    continue;
                }
                let words = refused(&format!("\n[{section}]\n{key} = {value}\n"));
                let place = format!("file:3: {section}.{key}: write ");
                assert!(words.starts_with(&place), "{words}");
                assert!(words.contains(&format!(", as in `{shown}`")), "{words}");
                assert!(!words.contains("invalid type"), "{words}");
                seen += 1;
            }
        }
        assert!(seen > 5 * 40, "only {seen} values were tried");
    }

    #[test]
    fn what_is_no_value_at_all_is_answered_the_same_way() {
        let refused_with = r#"
            [client]\ncas = yes => :2: client.cas: write true or false
            [client]\nidle_timeout = 5s => :2: client.idle_timeout: write a text in quotes
            [client]\nthreads = four => :2: client.threads: write a whole number
            [client]\nthreads = -1 => :2: client.threads: write a whole number, 0 or more
            [node]\nverbosity = 300 => :2: node.verbosity: write a whole number from 0 to 255
            client.threads = "4" => :1: client.threads: write a whole number
            [client.threads]\na = 4 => client.threads: write a whole number
            [msm]\nnodes = [\n  "n1",\n  2,\n] => :4: msm.nodes: write a list in brackets
            client = 4 => :1: client is a section: write [client]
            [[client]]\nthreads = 4 => client is a section: write [client]
        "#;
        for [text, words] in rows(refused_with) {
            let shown = refused(&text.replace("\\n", "\n"));
            assert!(shown.contains(words), "{text}: {shown}");
        }
    }

    /// A password was shown where its type was wrong.
    #[test]
    fn a_password_of_a_wrong_type_is_not_shown() {
        let shown = refused("[sasl]\nusers = { tomcat = 271828 }\n");
        assert!(shown.contains("sasl.users: write a table"), "{shown}");
        assert!(!shown.contains("271828"), "{shown}");
    }
}
