//! Authentication of clients.
//!
//! `-Y` names a file for the text protocol, `-S` turns on SASL for the binary protocol. Both are
//! read at the start, while the process may still be root, and again on SIGHUP; authenticated
//! connections stay. Passwords are kept as keyed hashes, under a key that only this process has.

mod error;
mod file;
mod source;
#[cfg(test)]
mod tests;
mod users;

use std::fmt;
use std::sync::Arc;

use parking_lot::RwLock;

use crate::config::Config;
use crate::config::startup_error::{EXIT_CONFIG, StartupError};
use crate::reload::{Reload, ReloadError, Reloads};
use source::Source;
use users::Users;

/// memcached's exit code for an auth file it cannot use.
const EXIT_BAD_FILE: u8 = 1;

/// The users of each protocol; `None` if it needs no authentication.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// `-Y`: text connections.
    pub text: Option<Arc<Passwords>>,
    /// `-S`: binary connections.
    pub sasl: Option<Arc<Passwords>>,
}

impl Access {
    /// Reads the files that the configuration names.
    ///
    /// # Errors
    /// The place, the error and a hint.
    pub fn load(config: &Config) -> Result<Self, StartupError> {
        let read = |source: Source, exit| {
            let users = source.read(Some(config));
            let users = users.map_err(|error| StartupError::new(exit, error))?;
            Ok(Arc::new(Passwords {
                source,
                users: RwLock::new(Arc::new(users)),
            }))
        };
        let text = Source::of_text(config).map(|source| read(source, EXIT_BAD_FILE));
        let sasl = Source::of_sasl(config).map(|source| read(source, EXIT_CONFIG));
        Ok(Self {
            text: text.transpose()?,
            sasl: sasl.transpose()?,
        })
    }

    /// Registers the passwords to be reloaded on SIGHUP.
    pub fn add_to(&self, reloads: &mut Reloads) {
        for passwords in [&self.text, &self.sasl].into_iter().flatten() {
            reloads.add(Arc::clone(passwords) as Arc<dyn Reload>);
        }
    }
}

/// The passwords of one protocol. They can be reloaded.
pub struct Passwords {
    source: Source,
    users: RwLock<Arc<Users>>,
}

impl Passwords {
    /// Whether this is the user's password. The time it takes does not depend on the stored
    /// passwords.
    pub fn admit(&self, user: &[u8], password: &[u8]) -> bool {
        let users = Arc::clone(&self.users.read());
        let named = users.admit(user, password);
        match self.source.host() {
            // memcached's SASL library adds the host's name to a user without a realm.
            Some(host) if !user.contains(&b'@') => {
                let full = [user, b"@", host].concat();
                users.admit(&full, password) | named
            }
            _ => named,
        }
    }
}

impl Reload for Passwords {
    fn name(&self) -> &'static str {
        match self.source {
            Source::AuthFile(_) => "the passwords of -Y",
            Source::Sasl { .. } => "the SASL passwords",
        }
    }

    fn reload(&self) -> Result<(), ReloadError> {
        let users = self.source.read(None)?;
        *self.users.write() = Arc::new(users);
        Ok(())
    }
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Passwords").field(&self.source).finish()
    }
}
