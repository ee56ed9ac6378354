//! A text connection before its password (`-Y`), as memcached's `try_read_command_asciiauth`:
//! `set <any> <any> <any> <length>`, then the user, a space, the password.

use super::control::Console;
use super::step::Stop;
use crate::auth::Access;
use crate::command::Turn;
use crate::frontend::Output;
use crate::limits::{LINE_BYTES, LOGIN_LINE_BYTES_MIN, LOGIN_TOKEN_BYTES_MAX};
use crate::logs::clients;
use crate::protocol::text::reply;

/// Nothing can be told from fewer bytes.
const LINE_BYTES_LOOKED_AT: usize = 3;
/// Digits of a length, leading zeros included.
const LENGTH_DIGITS_MAX: usize = 11;

/// What a client that has not authenticated has announced.
#[derive(Debug, Default)]
pub struct Login {
    token_len: Option<usize>,
}

/// How a step went.
enum Outcome {
    /// The client may try again.
    Answered(&'static str),
    /// A token comes next.
    Announced,
    Admitted,
    Stop(Stop),
}

impl Login {
    /// Takes lines and tokens until the client is admitted (`None`) or there is a reason to stop;
    /// returns the bytes used.
    pub(crate) fn run(
        &mut self,
        input: &[u8],
        turn: &mut Turn<'_>,
        out: &mut Output,
        console: &dyn Console,
        requests_max: u32,
    ) -> (usize, Option<Stop>) {
        let mut used = 0;
        let mut requests = 0;
        loop {
            if out.len() >= turn.output_bytes_max || requests == requests_max {
                return (used, Some(Stop::Yield));
            }
            let rest = &input[used..];
            let (taken, outcome) = match self.token_len {
                None => self.line(rest),
                Some(len) => self.token(rest, len, turn, console.access()),
            };
            used += taken;
            requests += 1;
            match outcome {
                Outcome::Answered(words) => reply::line(&mut out.bytes, words),
                Outcome::Announced => {}
                Outcome::Admitted => {
                    reply::line(&mut out.bytes, "STORED");
                    return (used, None);
                }
                Outcome::Stop(stop) => return (used, Some(stop)),
            }
        }
    }

    fn line(&mut self, input: &[u8]) -> (usize, Outcome) {
        if input.len() < LINE_BYTES_LOOKED_AT {
            return (0, Outcome::Stop(Stop::NeedMore));
        }
        let Some(end) = memchr::memchr(b'\n', input) else {
            let is_long = input.len() > LINE_BYTES;
            let stop = if is_long { Stop::Close } else { Stop::NeedMore };
            return (0, Outcome::Stop(stop));
        };
        if end < LOGIN_LINE_BYTES_MIN {
            return (0, Outcome::Stop(Stop::Close));
        }
        let line = &input[..end];
        let outcome = match announced(line.strip_suffix(b"\r").unwrap_or(line)) {
            None => Outcome::Answered("CLIENT_ERROR unauthenticated"),
            Some(len) if len > LOGIN_TOKEN_BYTES_MAX => {
                Outcome::Answered("CLIENT_ERROR auth token too long")
            }
            Some(len) => {
                self.token_len = Some(len);
                Outcome::Announced
            }
        };
        (end + 1, outcome)
    }

    fn token(
        &mut self,
        input: &[u8],
        len: usize,
        turn: &mut Turn<'_>,
        access: &Access,
    ) -> (usize, Outcome) {
        let Some(block) = input.get(..len + 2) else {
            return (0, Outcome::Stop(Stop::NeedMore));
        };
        self.token_len = None;
        let outcome = match block.strip_suffix(b"\r\n") {
            None => Outcome::Answered("CLIENT_ERROR bad command line termination"),
            Some(token) => judge(token, turn, access),
        };
        (block.len(), outcome)
    }
}

fn judge(token: &[u8], turn: &mut Turn<'_>, access: &Access) -> Outcome {
    let Some(space) = memchr::memchr(b' ', token) else {
        return Outcome::Answered("CLIENT_ERROR bad authentication token format");
    };
    let (user, password) = (&token[..space], &token[space + 1..]);
    turn.counters.auth_cmds.count();
    let admitted = access.text.as_ref();
    if admitted.is_some_and(|passwords| passwords.admit(user, password)) {
        return Outcome::Admitted;
    }
    turn.counters.auth_errors.count();
    clients::login_failed("text");
    Outcome::Answered("CLIENT_ERROR authentication failure")
}

/// The length in the fifth word of a line that begins with `set`.
fn announced(line: &[u8]) -> Option<usize> {
    if !line.starts_with(b"set") {
        return None;
    }
    let mut words = line
        .split(|&byte| byte == b' ')
        .filter(|word| !word.is_empty());
    let digits = words.nth(4)?;
    if digits.len() > LENGTH_DIGITS_MAX || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number: u32 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(number as usize)
}
