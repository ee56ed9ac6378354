//! The one SASL mechanism there is, PLAIN (RFC 4616): the password itself.

/// The names of all mechanisms, as they are listed.
pub const MECHANISMS: &[u8] = b"PLAIN";

/// What a client claims to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plain<'a> {
    /// Without spaces around it.
    pub user: &'a [u8],
    /// Any bytes but zero.
    pub password: &'a [u8],
}

/// Whether a mechanism's name is one we have, in either case.
pub fn is_known(mechanism: &[u8]) -> bool {
    mechanism.eq_ignore_ascii_case(MECHANISMS)
}

/// Reads the token of PLAIN: authorization identity, user and password, separated by zero bytes.
/// `None` if it is malformed, or if the authorization identity is another user.
pub fn plain(token: &[u8]) -> Option<Plain<'_>> {
    let mut parts = token.split(|&byte| byte == 0);
    let (acting_as, user, password) = (parts.next()?, parts.next()?, parts.next()?);
    let user = user.trim_ascii();
    let is_itself = acting_as.is_empty() || acting_as.trim_ascii() == user;
    (parts.next().is_none() && is_itself && !user.is_empty()).then_some(Plain { user, password })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_three_parts() {
        let read = |token| plain(token).map(|plain| (plain.user, plain.password));
        let good: (&[u8], &[u8]) = (b"user", b"pass word");
        assert_eq!(read(b"\0user\0pass word"), Some(good));
        assert_eq!(read(b"user\0user\0pass word"), Some(good));
        assert_eq!(read(b"\0 user \0pass word"), Some(good));
        assert_eq!(read(b"\0user\0").map(|(_, word)| word), Some(&b""[..]));
        for wrong in [
            &b""[..],
            b"user",
            b"user\0pass",
            b"\0\0pass",
            b"\0 \0pass",
            b"other\0user\0pass",
            b" \0user\0pass",
            b"\0user\0pass\0",
            b"\0user\0pass\0more",
        ] {
            assert_eq!(plain(wrong), None, "{}", wrong.escape_ascii());
        }
    }
}
