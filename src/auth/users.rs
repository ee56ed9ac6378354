//! Users and passwords as keyed hashes: no password can be recovered from them, and a comparison
//! takes the same time whatever differs.

use ring::hmac::{self, HMAC_SHA256, Tag};
use ring::rand::SystemRandom;
use subtle::{Choice, ConstantTimeEq};

use super::error::AuthError;

/// A set of users with the hashes of their passwords.
pub(super) struct Users {
    key: hmac::Key,
    tags: Vec<Tag>,
}

impl Users {
    /// An empty set with a key of its own.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub(super) fn new() -> Result<Self, AuthError> {
        let key = hmac::Key::generate(HMAC_SHA256, &SystemRandom::new())
            .map_err(|_| AuthError::NoRandomBytes)?;
        Ok(Self {
            key,
            tags: Vec::new(),
        })
    }

    pub(super) fn add(&mut self, user: &[u8], password: &[u8]) {
        let tag = self.tag(user, password);
        self.tags.push(tag);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tags.is_empty()
    }

    /// Compares with every hash, even after a match.
    pub(super) fn admit(&self, user: &[u8], password: &[u8]) -> bool {
        let asked = self.tag(user, password);
        let found = self.tags.iter().fold(Choice::from(0), |found, known| {
            found | known.as_ref().ct_eq(asked.as_ref())
        });
        found.into()
    }

    fn tag(&self, user: &[u8], password: &[u8]) -> Tag {
        let mut context = hmac::Context::with_key(&self.key);
        // The length comes first, so that "a b" with "c" differs from "a" with "b c".
        context.update(&(user.len() as u64).to_be_bytes());
        context.update(user);
        context.update(password);
        context.sign()
    }
}
