//! A text connection before its password (`-Y`), as memcached's `try_read_command_asciiauth`:
//! `set <any> <any> <any> <length>`, then the user, a space, the password.

use super::control::ServerControl;
use super::flow::Flow;
use crate::auth::Access;
use crate::command::CommandContext;
use crate::frontend::Output;
use crate::limits::{
    AUTH_LENGTH_DIGITS_MAX, AUTH_LINE_BYTES_MIN, LINE_BYTES, LOGIN_LINE_BYTES_MIN,
    LOGIN_TOKEN_BYTES_MAX,
};
use crate::logs::clients;
use crate::protocol::text::reply;

/// A connection of the text protocol before its password.
#[derive(Debug, Default)]
pub struct TextLogin {
    token_len: Option<usize>,
}

/// How a step went.
enum LoginStep {
    /// The client may try again.
    Answered(&'static str),
    /// A token comes next.
    Announced,
    Admitted,
    Flow(Flow),
}

impl TextLogin {
    /// Takes lines and tokens until the client is admitted (`None`) or there is a reason to stop;
    /// returns the bytes used.
    pub(crate) fn run(
        &mut self,
        input: &[u8],
        ctx: &mut CommandContext<'_>,
        out: &mut Output,
        server: &dyn ServerControl,
        requests_max: u32,
    ) -> (usize, Option<Flow>) {
        let mut used = 0;
        let mut requests = 0;
        loop {
            if out.len() >= ctx.output_bytes_max || requests == requests_max {
                return (used, Some(Flow::Yield));
            }
            let rest = &input[used..];
            let (taken, outcome) = match self.token_len {
                None => self.line(rest),
                Some(len) => self.token(rest, len, ctx, server.access()),
            };
            used += taken;
            requests += 1;
            match outcome {
                LoginStep::Answered(words) => reply::line(&mut out.bytes, words),
                LoginStep::Announced => {}
                LoginStep::Admitted => {
                    reply::line(&mut out.bytes, "STORED");
                    return (used, None);
                }
                LoginStep::Flow(flow) => return (used, Some(flow)),
            }
        }
    }

    fn line(&mut self, input: &[u8]) -> (usize, LoginStep) {
        if input.len() < AUTH_LINE_BYTES_MIN {
            return (0, LoginStep::Flow(Flow::NeedMore));
        }
        let Some(end) = memchr::memchr(b'\n', input) else {
            let is_long = input.len() > LINE_BYTES;
            let flow = if is_long { Flow::Close } else { Flow::NeedMore };
            return (0, LoginStep::Flow(flow));
        };
        if end < LOGIN_LINE_BYTES_MIN {
            return (0, LoginStep::Flow(Flow::Close));
        }
        let line = &input[..end];
        let outcome = match announced(line.strip_suffix(b"\r").unwrap_or(line)) {
            None => LoginStep::Answered("CLIENT_ERROR unauthenticated"),
            Some(len) if len > LOGIN_TOKEN_BYTES_MAX => {
                LoginStep::Answered("CLIENT_ERROR auth token too long")
            }
            Some(len) => {
                self.token_len = Some(len);
                LoginStep::Announced
            }
        };
        (end + 1, outcome)
    }

    fn token(
        &mut self,
        input: &[u8],
        len: usize,
        ctx: &mut CommandContext<'_>,
        access: &Access,
    ) -> (usize, LoginStep) {
        let Some(block) = input.get(..len + 2) else {
            return (0, LoginStep::Flow(Flow::NeedMore));
        };
        self.token_len = None;
        let outcome = match block.strip_suffix(b"\r\n") {
            None => LoginStep::Answered("CLIENT_ERROR bad command line termination"),
            Some(token) => check_password(token, ctx, access),
        };
        (block.len(), outcome)
    }
}

fn check_password(token: &[u8], ctx: &mut CommandContext<'_>, access: &Access) -> LoginStep {
    let Some(space) = memchr::memchr(b' ', token) else {
        return LoginStep::Answered("CLIENT_ERROR bad authentication token format");
    };
    let (user, password) = (&token[..space], &token[space + 1..]);
    ctx.counters.auth_cmds.count();
    let admitted = access.text.as_ref();
    if admitted.is_some_and(|passwords| passwords.admit(user, password)) {
        return LoginStep::Admitted;
    }
    ctx.counters.auth_errors.count();
    clients::login_failed("text");
    LoginStep::Answered("CLIENT_ERROR authentication failure")
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
    if digits.len() > AUTH_LENGTH_DIGITS_MAX || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number: u32 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(number as usize)
}
