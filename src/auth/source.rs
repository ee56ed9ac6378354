//! The sources of passwords, read at the start and on SIGHUP.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::error::AuthError;
use super::file;
use super::users::Users;
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
    pub(super) fn read(&self, given: Option<&Config>) -> Result<Users, AuthError> {
        let mut users = Users::new()?;
        match self {
            Self::AuthFile(path) => {
                let content =
                    file::read(path).map_err(|error| AuthError::AuthFile(path.clone(), error))?;
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
                    let content = file::read(path)
                        .map_err(|error| AuthError::SaslFile(path.clone(), error))?;
                    file::sasl_file(path, &content, &mut users)?;
                }
            }
        }
        if users.is_empty() {
            return Err(self.nobody());
        }
        Ok(users)
    }

    fn nobody(&self) -> AuthError {
        match self {
            Self::AuthFile(path) => AuthError::NoAuthEntry(path.clone()),
            Self::Sasl { .. } => AuthError::NoSaslUser,
        }
    }
}

/// The present `[sasl]` section of the configuration file.
fn configured(given: Option<&Config>, config_file: Option<&Path>) -> Result<Sasl, AuthError> {
    let sasl = match (given, config_file) {
        (Some(config), _) => config.sasl.clone(),
        (None, Some(path)) => read_file(path)?.config.sasl,
        (None, None) => Sasl::default(),
    };
    if let Some(path) = config_file.filter(|_| !sasl.users.is_empty())
        && let Ok(metadata) = path.metadata()
    {
        file::warn_if_exposed(path, metadata.permissions().mode());
    }
    Ok(sasl)
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
