//! memcached's two kinds of files with `user:password` lines.
//!
//! The file of `-Y` (memcached's `authfile.c`) is strict: with one malformed line it is refused.
//! The file of `MEMCACHED_SASL_PWDB` (its `sasl_defs.c`) is not: lines without a colon are ignored,
//! and what follows a second colon may belong to the password or not.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::error::{AuthError, LineError};
use super::users::Users;
use crate::files;
use crate::limits::{
    AUTH_FILE_ENTRIES_MAX, AUTH_FILE_LINE_BYTES_MAX, PASSWORD_FILE_BYTES_MAX, SASL_USERS_MAX,
};

/// Reads a password file, and warns if other users can read it, too.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = files::open(path)?;
    warn_if_exposed(path, file.metadata()?.permissions().mode());
    files::read_open(file, PASSWORD_FILE_BYTES_MAX)
}

/// Warns of a password file that every user of this host can read or change.
pub(super) fn warn_if_exposed(path: &Path, mode: u32) {
    if mode & 0o006 != 0 {
        tracing::warn!(
            file = %path.display(),
            mode = format_args!("{:03o}", mode & 0o777),
            "every user of this host has access to a file of passwords: chmod o= it"
        );
    }
}

/// Adds the users of `-Y`'s file.
pub(super) fn auth_file(path: &Path, content: &[u8], users: &mut Users) -> Result<(), AuthError> {
    for (number, line) in lines(content) {
        if number > AUTH_FILE_ENTRIES_MAX {
            tracing::warn!(
                file = %path.display(),
                line = number,
                "only the first {AUTH_FILE_ENTRIES_MAX} entries count, as in memcached: remove \
                 those from this line on"
            );
            break;
        }
        let (user, password) = auth_entry(line)
            .map_err(|error| AuthError::AuthEntry(path.to_owned(), number, error))?;
        users.add(user, password);
    }
    Ok(())
}

fn auth_entry(line: &[u8]) -> Result<(&[u8], &[u8]), LineError> {
    check(line)?;
    let (user, password) = split(line).ok_or(LineError::NoColon)?;
    if user.is_empty() {
        return Err(LineError::NoUser);
    }
    if user.contains(&b' ') {
        return Err(LineError::Space);
    }
    Ok((user, password))
}

/// Adds the users of `MEMCACHED_SASL_PWDB`.
pub(super) fn sasl_file(path: &Path, content: &[u8], users: &mut Users) -> Result<(), AuthError> {
    let mut count = 0;
    let mut ignored = 0;
    let mut first_ignored = 0;
    for (number, line) in lines(content) {
        check(line).map_err(|error| AuthError::SaslLine(path.to_owned(), number, error))?;
        let Some((user, password)) = split(line) else {
            if !line.is_empty() && !line.starts_with(b"#") {
                ignored += 1;
                if ignored == 1 {
                    first_ignored = number;
                }
            }
            continue;
        };
        count += 1;
        if count > SASL_USERS_MAX {
            return Err(AuthError::SaslUsers(path.to_owned(), number));
        }
        users.add(user, password);
        if let Some((first, _)) = split(password) {
            users.add(user, first);
        }
    }
    if ignored > 0 {
        tracing::warn!(
            file = %path.display(),
            line = first_ignored,
            lines = ignored,
            "lines without a colon are ignored, this is the first: write user:password"
        );
    }
    Ok(())
}

/// The lines, numbered from 1, without their ends; the last line needs none.
fn lines(content: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let content = content.strip_suffix(b"\n").unwrap_or(content);
    let all = content.split(|&byte| byte == b'\n');
    let numbered = all.enumerate().filter(|_| !content.is_empty());
    numbered.map(|(index, line)| {
        let end = memchr::memchr(b'\r', line).unwrap_or(line.len());
        (index + 1, &line[..end])
    })
}

fn check(line: &[u8]) -> Result<(), LineError> {
    if line.len() > AUTH_FILE_LINE_BYTES_MAX {
        return Err(LineError::TooLong);
    }
    if line.contains(&0) {
        return Err(LineError::ZeroByte);
    }
    Ok(())
}

fn split(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr::memchr(b':', line)?;
    Some((&line[..colon], &line[colon + 1..]))
}
