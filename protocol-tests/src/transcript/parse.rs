//! Reading a transcript file.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::template::Template;
use crate::subject::Kind;

const TAGS: [Kind; 3] = [Kind::Memtwin, Kind::MemcachedOld, Kind::MemcachedNew];
const NO_ANSWER: &str = "(nothing)";

/// A transcript that can be played.
#[derive(Debug)]
pub struct Transcript {
    /// The name of the file.
    pub name: String,
    /// Flags the server is started with.
    pub flags: Vec<String>,
    /// Whether it listens on a unix socket.
    pub on_unix_socket: bool,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

/// One line of a transcript, or a block of expected lines.
#[derive(Debug)]
pub struct Step {
    /// The line in the file, from 1.
    pub line: usize,
    /// The number of the connection, from 1.
    pub connection: usize,
    /// What to do.
    pub action: Action,
}

/// What a step does.
#[derive(Debug)]
pub enum Action {
    /// Send these bytes.
    Send(Template),
    /// Read one line for each of these; each says where it stands in the file and for whom.
    Expect(Vec<Expected>),
    /// The server closes without another byte.
    Closed,
    /// This side closes.
    HangUp,
    /// Wait.
    Sleep(Duration),
    /// Start the server anew.
    Restart,
}

/// One expected line.
#[derive(Debug)]
pub struct Expected {
    /// The line in the file, from 1.
    pub line: usize,
    /// The subject it is meant for, none for all.
    pub only_for: Option<Kind>,
    /// What is expected; none for no answer.
    pub template: Option<Template>,
    /// Whether it may be any of the lines up to END.
    pub anywhere: bool,
}

/// Reads the transcript in `path`.
pub fn parse(path: &Path) -> Result<Transcript> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    parse_text(name, &text)
}

fn parse_text(name: String, text: &str) -> Result<Transcript> {
    let mut transcript = Transcript {
        name,
        flags: Vec::new(),
        on_unix_socket: false,
        steps: Vec::new(),
    };
    for (index, text) in text.lines().enumerate() {
        let line = index + 1;
        parse_line(&mut transcript, line, text)
            .with_context(|| format!("{}:{line}: {text}", transcript.name))?;
    }
    Ok(transcript)
}

fn parse_line(transcript: &mut Transcript, line: usize, text: &str) -> Result<()> {
    if text.starts_with('#') || text.trim().is_empty() {
        return Ok(());
    }
    if let Some(flags) = text.strip_prefix("flags:") {
        ensure!(
            transcript.steps.is_empty(),
            "flags come before the first line that is sent"
        );
        transcript
            .flags
            .extend(flags.split_whitespace().map(str::to_owned));
        return Ok(());
    }
    if text == "socket: unix" {
        ensure!(
            transcript.steps.is_empty(),
            "socket comes before the first line that is sent"
        );
        transcript.on_unix_socket = true;
        return Ok(());
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let connection = if digits == 0 {
        1
    } else {
        text[..digits].parse()?
    };
    let action = parse_action(line, &text[digits..])?;
    push_step(
        transcript,
        Step {
            line,
            connection,
            action,
        },
    );
    Ok(())
}

fn parse_action(line: usize, text: &str) -> Result<Action> {
    if let Some(raw) = text.strip_prefix(">>") {
        return Ok(Action::Send(Template::parse(
            raw.strip_prefix(' ').unwrap_or(raw),
        )?));
    }
    if let Some(sent) = text.strip_prefix('>') {
        let mut template = Template::parse(sent.strip_prefix(' ').unwrap_or(sent))?;
        template.push(b"\r\n");
        return Ok(Action::Send(template));
    }
    if let Some(expected) = text.strip_prefix('<') {
        return Ok(Action::Expect(vec![parse_expected(line, expected, false)?]));
    }
    if let Some(expected) = text.strip_prefix("has") {
        return Ok(Action::Expect(vec![parse_expected(line, expected, true)?]));
    }
    match text.trim() {
        "closed" => return Ok(Action::Closed),
        "hangup" => return Ok(Action::HangUp),
        "restart" => return Ok(Action::Restart),
        _ => {}
    }
    let seconds = text
        .trim()
        .strip_prefix("sleep ")
        .context("not a line of a transcript")?;
    Ok(Action::Sleep(Duration::try_from_secs_f64(
        seconds.parse()?,
    )?))
}

/// What follows `<` or `has`: a tag without a space before it, then the line.
fn parse_expected(line: usize, text: &str, anywhere: bool) -> Result<Expected> {
    let (tag, rest) = match text.split_once(' ') {
        Some(("", rest)) => (None, rest),
        Some((tag, rest)) => (Some(tag), rest),
        None => (Some(text).filter(|tag| !tag.is_empty()), ""),
    };
    let only_for = match tag {
        Some(tag) => Some(
            *TAGS
                .iter()
                .find(|kind| kind.tag() == tag)
                .context("unknown tag")?,
        ),
        None => None,
    };
    if rest == NO_ANSWER {
        ensure!(!anywhere, "{NO_ANSWER} needs <");
        return Ok(Expected {
            line,
            only_for,
            template: None,
            anywhere,
        });
    }
    Ok(Expected {
        line,
        only_for,
        template: Some(Template::parse(rest)?),
        anywhere,
    })
}

/// Adds a step; expected lines that follow each other on one connection are one block.
fn push_step(transcript: &mut Transcript, step: Step) {
    let Some(last) = transcript.steps.last_mut() else {
        transcript.steps.push(step);
        return;
    };
    match (&mut last.action, step.action) {
        (Action::Expect(block), Action::Expect(more)) if last.connection == step.connection => {
            block.extend(more);
        }
        (_, action) => transcript.steps.push(Step { action, ..step }),
    }
}

impl Transcript {
    /// Refuses what could never be played as meant.
    pub fn check(&self) -> Result<()> {
        for step in &self.steps {
            if let Action::Expect(block) = &step.action {
                let plain = block.iter().any(|expected| expected.only_for.is_none());
                if !plain {
                    bail!(
                        "{}:{}: a block without an untagged line",
                        self.name,
                        step.line
                    );
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expected_lines_of_one_connection_are_a_block() {
        let text = "> a\n< b\n<1.6.18 c\n2< d\nclosed\n";
        let transcript = parse_text("x".into(), text).unwrap();
        assert_eq!(transcript.steps.len(), 4);
        let Action::Expect(block) = &transcript.steps[1].action else {
            panic!("no block")
        };
        assert_eq!(block[1].only_for, Some(Kind::MemcachedOld));
        assert_eq!(transcript.steps[2].connection, 2);
    }

    #[test]
    fn a_line_of_no_known_form_is_refused() {
        assert!(parse_text("x".into(), "set abc\n").is_err());
        assert!(parse_text("x".into(), "<1.4 STORED\n").is_err());
    }
}
