//! The sources of passwords, read at the start and on SIGHUP.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::users::Users;
use super::{file, warn_if_exposed};
use crate::config::{Config, Sasl, read_file};

/// The source of the passwords of one protocol. Paths are absolute, because a daemon changes its
/// directory.
#[derive(Debug)]
pub(super) enum Source {
    /// `-Y`.
    AuthFile(PathBuf),
    /// `-S`: users in the configuration, and a file of more.
    Sasl {
        config_file: Option<PathBuf>,
        password_file: Option<PathBuf>,
        /// This host's name.
        host: Vec<u8>,
    },
}

impl Source {
    pub(super) fn of_text(config: &Config) -> Option<Self> {
        let path = config.client.auth_file.as_deref()?;
        Some(Self::AuthFile(absolute(path)))
    }

    pub(super) fn of_sasl(config: &Config) -> Option<Self> {
        config.client.sasl.then(|| Self::Sasl {
            config_file: config.file.as_deref().map(absolute),
            password_file: config.sasl.password_file.as_deref().map(absolute),
            host: rustix::system::uname().nodename().to_bytes().to_vec(),
        })
    }

    /// This host's name, if it may be part of users' names.
    pub(super) fn host(&self) -> Option<&[u8]> {
        match self {
            Self::AuthFile(_) => None,
            Self::Sasl { host, .. } => Some(host),
        }
    }

    /// Reads all passwords. If the configuration is `given`, its file is not read again.
    ///
    /// # Errors
    /// The place, the error and a hint.
    pub(super) fn read(&self, given: Option<&Config>) -> Result<Users, String> {
        let mut users = Users::new()?;
        match self {
            Self::AuthFile(path) => {
                let content = file::read(path).map_err(|error| {
                    let shown = path.display();
                    format!("Could not open authfile [{shown}] for reading, error {error}")
                })?;
                file::auth_file(path, &content, &mut users)?;
            }
            Self::Sasl {
                config_file,
                password_file,
                ..
            } => {
                let sasl = configured(given, config_file.as_deref())?;
                for (user, password) in &sasl.users {
                    users.add(user.as_bytes(), password.bytes());
                }
                if let Some(path) = password_file {
                    let content = file::read(path).map_err(|error| {
                        format!("{}: no SASL passwords: {error}", path.display())
                    })?;
                    file::sasl_file(path, &content, &mut users)?;
                }
            }
        }
        if users.is_empty() {
            return Err(self.nobody());
        }
        Ok(users)
    }

    fn nobody(&self) -> String {
        match self {
            Self::AuthFile(path) => format!(
                "Authfile [{}] has no entry, so nobody could authenticate: write lines of \
                 user:password",
                path.display()
            ),
            Self::Sasl { .. } => "-S: nobody could authenticate: write users and passwords into \
                                  [sasl] of the configuration, or name a file of user:password \
                                  lines in sasl.password_file or in the environment variable \
                                  MEMCACHED_SASL_PWDB"
                .to_owned(),
        }
    }
}

/// The present `[sasl]` section of the configuration file.
fn configured(given: Option<&Config>, config_file: Option<&Path>) -> Result<Sasl, String> {
    let sasl = match (given, config_file) {
        (Some(config), _) => config.sasl.clone(),
        (None, Some(path)) => read_file(path).map_err(|problem| problem.text)?.config.sasl,
        (None, None) => Sasl::default(),
    };
    if let Some(path) = config_file.filter(|_| !sasl.users.is_empty())
        && let Ok(metadata) = path.metadata()
    {
        warn_if_exposed(path, metadata.permissions().mode());
    }
    Ok(sasl)
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
