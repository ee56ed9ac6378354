//! A line of a transcript: bytes, repetitions, and named numbers.

use std::collections::HashMap;

use anyhow::{Context, Result, bail, ensure};

/// Bytes to send or to expect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    source: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Bytes(Vec<u8>),
    Number(String),
    Anything,
}

/// The numbers a transcript has captured, by name.
pub type Captures = HashMap<String, Vec<u8>>;

impl Template {
    /// Reads a template from its text.
    pub fn parse(text: &str) -> Result<Self> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            push_bytes(&mut parts, unescape(&rest[..open])?);
            let close = rest[open..].find('}').context("a { without its }")? + open;
            let inside = &rest[open + 1..close];
            match inside.rsplit_once('*') {
                Some(("", "")) => parts.push(Part::Anything),
                Some((unit, count)) => {
                    let count = count
                        .parse()
                        .with_context(|| format!("bad count in {inside}"))?;
                    push_bytes(&mut parts, unescape(unit)?.repeat(count));
                }
                None => {
                    ensure!(!inside.is_empty(), "an empty name");
                    parts.push(Part::Number(inside.to_owned()));
                }
            }
            rest = &rest[close + 1..];
        }
        push_bytes(&mut parts, unescape(rest)?);
        Ok(Self {
            source: text.to_owned(),
            parts,
        })
    }

    /// The template as it is written in the file.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Adds bytes at the end.
    pub fn push(&mut self, bytes: &[u8]) {
        push_bytes(&mut self.parts, bytes.to_vec());
    }

    /// The bytes to send.
    pub fn fill(&self, captures: &Captures) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        for part in &self.parts {
            match part {
                Part::Bytes(own) => bytes.extend_from_slice(own),
                Part::Number(name) => {
                    let number = captures
                        .get(name)
                        .with_context(|| format!("no {name} yet"))?;
                    bytes.extend_from_slice(number);
                }
                Part::Anything => bail!("{{*}} cannot be sent"),
            }
        }
        Ok(bytes)
    }

    /// Whether `line` is what was expected. Names met for the first time take their numbers.
    pub fn matches(&self, line: &[u8], captures: &mut Captures) -> bool {
        let mut taken = captures.clone();
        let fits = matches_parts(&self.parts, line, &mut taken);
        if fits {
            *captures = taken;
        }
        fits
    }
}

fn matches_parts(parts: &[Part], line: &[u8], captures: &mut Captures) -> bool {
    let Some((first, others)) = parts.split_first() else {
        return line.is_empty();
    };
    match first {
        Part::Bytes(bytes) => line
            .strip_prefix(bytes.as_slice())
            .is_some_and(|rest| matches_parts(others, rest, captures)),
        Part::Anything => (0..=line.len()).any(|at| matches_parts(others, &line[at..], captures)),
        Part::Number(name) => {
            let digits = line.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let (number, rest) = line.split_at(digits);
            let known = captures.get(name).map(|known| known == number);
            let fits = known.unwrap_or_else(|| !captures.values().any(|other| other == number));
            if digits == 0 || !fits {
                return false;
            }
            captures.insert(name.clone(), number.to_vec());
            matches_parts(others, rest, captures)
        }
    }
}

fn push_bytes(parts: &mut Vec<Part>, bytes: Vec<u8>) {
    match parts.last_mut() {
        Some(Part::Bytes(last)) => last.extend(bytes),
        _ if bytes.is_empty() => {}
        _ => parts.push(Part::Bytes(bytes)),
    }
}

fn unescape(text: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text.chars();
    while let Some(letter) = rest.next() {
        ensure!(letter.is_ascii(), "{letter:?} is not ASCII: write \\xHH");
        if letter != '\\' {
            bytes.push(letter as u8);
            continue;
        }
        bytes.push(match rest.next() {
            Some('r') => b'\r',
            Some('n') => b'\n',
            Some('t') => b'\t',
            Some('0') => 0,
            Some('\\') => b'\\',
            Some('x') => {
                let digits: String = rest.by_ref().take(2).collect();
                u8::from_str_radix(&digits, 16).with_context(|| format!("bad \\x{digits}"))?
            }
            other => bail!("unknown escape {other:?}"),
        });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(template: &str, line: &str, captures: &mut Captures) -> bool {
        Template::parse(template)
            .unwrap()
            .matches(line.as_bytes(), captures)
    }

    #[test]
    fn escapes_and_repetitions_are_bytes() {
        let template = Template::parse("get {ab*3}\\x00\\n").unwrap();
        assert_eq!(template.fill(&Captures::new()).unwrap(), b"get ababab\0\n");
    }

    #[test]
    fn a_name_takes_a_number_once_and_two_names_differ() {
        let mut captures = Captures::new();
        assert!(matches(
            "VALUE a 0 1 {cas1}",
            "VALUE a 0 1 77",
            &mut captures
        ));
        assert!(!matches(
            "VALUE a 0 1 {cas1}",
            "VALUE a 0 1 78",
            &mut captures
        ));
        assert!(!matches(
            "VALUE a 0 1 {cas2}",
            "VALUE a 0 1 77",
            &mut captures
        ));
        assert!(matches(
            "VALUE a 0 1 {cas2}",
            "VALUE a 0 1 78",
            &mut captures
        ));
        let sent = Template::parse("cas a 0 0 1 {cas1}")
            .unwrap()
            .fill(&captures)
            .unwrap();
        assert_eq!(sent, b"cas a 0 0 1 77");
    }

    #[test]
    fn anything_stands_between_bytes() {
        let mut captures = Captures::new();
        assert!(matches("STAT {*} 5", "STAT curr_items 5", &mut captures));
        assert!(!matches("STAT {*} 5", "STAT curr_items 6", &mut captures));
    }
}
