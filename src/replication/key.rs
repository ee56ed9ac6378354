//! The key of a pair: one PEM file with a private key and its self-signed certificate.
//!
//! Both nodes hold the same file. A node is trusted if it holds the key; nothing else counts, so
//! nothing expires and no name is compared.
//!
//! While the key is changed, the file holds two of them: the node shows the first and trusts both.
//! So the nodes can be restarted one after the other, and understand each other all the time.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use ring::{digest, hkdf};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;

use crate::files;
use crate::limits::KEY_FILE_BYTES_MAX;

/// What the two nodes of a pair share and nobody else has.
#[derive(Debug)]
pub struct PairKey {
    certificate: CertificateDer<'static>,
    private: PrivateKeyDer<'static>,
    /// The second key of the file: trusted, and not shown.
    other: Option<CertificateDer<'static>>,
}

/// Why there is no key; each says what to do.
#[derive(Debug, Error)]
pub enum KeyError {
    /// The file cannot be opened, read or written.
    #[error("{}: {cause}; make a key with `memtwin keygen FILE` and copy it to both nodes",
            .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// A key would be lost.
    #[error("{}: exists and is left as it is; name a new file, or remove this one on both nodes",
            .path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Others on this machine could be the partner.
    #[error("{path}: others may read this key (mode {mode:o}); run `chmod 600 {path}`",
            path = .path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its access mode.
        mode: u32,
    },
    /// Not what keygen made.
    #[error("{}: is no key of a pair ({what}); make one with `memtwin keygen FILE`",
            .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The making of a key failed.
    #[error("cannot make a key: {0}")]
    Making(#[from] rcgen::Error),
}

/// Makes a new key in a new file that only its owner can read.
///
/// # Errors
/// The file exists, or cannot be written.
pub fn generate(path: &Path) -> Result<(), KeyError> {
    let made = rcgen::generate_simple_self_signed(vec!["memtwin".to_owned()])?;
    let text = format!("{}{}", made.signing_key.serialize_pem(), made.cert.pem());
    let failed = |cause: io::Error| match cause.kind() {
        io::ErrorKind::AlreadyExists => KeyError::Exists {
            path: path.to_owned(),
        },
        _ => KeyError::Io {
            path: path.to_owned(),
            cause,
        },
    };
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(failed)?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(|cause| {
            // An incomplete key file is of no use. If it cannot be removed, the error is the same.
            let _ = fs::remove_file(path);
            failed(cause)
        })
}

impl PairKey {
    /// Reads a key file.
    ///
    /// # Errors
    /// It cannot be read, others can read it, or it is no key.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let io = |cause| KeyError::Io {
            path: path.to_owned(),
            cause,
        };
        let malformed = |what: String| KeyError::Malformed {
            path: path.to_owned(),
            what,
        };
        let file = files::open(path).map_err(io)?;
        let mode = file.metadata().map_err(io)?.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyError::Exposed {
                path: path.to_owned(),
                mode,
            });
        }
        let mut text = Vec::new();
        file.take(KEY_FILE_BYTES_MAX)
            .read_to_end(&mut text)
            .map_err(io)?;
        Self::parse(&text).map_err(malformed)
    }

    /// Reads the text of a key file: the certificates and the private keys in their order.
    fn parse(text: &[u8]) -> Result<Self, String> {
        let certificates: Vec<_> = CertificateDer::pem_slice_iter(text)
            .collect::<Result<_, _>>()
            .map_err(|error| format!("certificate: {error}"))?;
        let privates: Vec<_> = PrivateKeyDer::pem_slice_iter(text)
            .collect::<Result<_, _>>()
            .map_err(|error| format!("private key: {error}"))?;
        let counts = (certificates.len(), privates.len());
        let (mut certificates, mut privates) = (certificates.into_iter(), privates.into_iter());
        match (certificates.next(), privates.next()) {
            (Some(certificate), Some(private)) if matches!(counts, (1, 1) | (2, 2)) => Ok(Self {
                certificate,
                private,
                other: certificates.next(),
            }),
            _ => Err(format!(
                "{} certificates and {} private keys: it takes one of each, or two while the key \
                 is changed",
                counts.0, counts.1
            )),
        }
    }

    /// The certificate that this node shows.
    #[must_use]
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The certificates that this node accepts: its own first.
    #[must_use]
    pub fn trusted(&self) -> Vec<CertificateDer<'static>> {
        let own = std::iter::once(&self.certificate);
        own.chain(&self.other).cloned().collect()
    }

    /// A short name of the key that this node shows: the first 32 bits of its certificate's SHA-256
    /// fingerprint. No secret.
    #[must_use]
    pub fn name(&self) -> String {
        let print = digest::digest(&digest::SHA256, &self.certificate);
        let first = print.as_ref().iter().take(4);
        first.map(|byte| format!("{byte:02x}")).collect()
    }

    /// The key that proves a node holds the file.
    #[must_use]
    pub fn private(&self) -> PrivateKeyDer<'static> {
        self.private.clone_key()
    }

    /// The secret that this node hashes keys with: unknown to clients, and the same on all nodes
    /// that show this key.
    #[must_use]
    pub fn hash_secret(&self) -> [u8; 16] {
        /// The length HKDF is asked for.
        struct SecretLength;
        impl hkdf::KeyType for SecretLength {
            fn len(&self) -> usize {
                16
            }
        }
        let mut secret = [0; 16];
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"memtwin");
        let pseudorandom = salt.extract(self.private.secret_der());
        #[expect(
            clippy::expect_used,
            reason = "HKDF gives up to 255 hashes; 16 bytes are half one"
        )]
        pseudorandom
            .expand(&[b"hash of keys"], SecretLength)
            .and_then(|output| output.fill(&mut secret))
            .expect("16 bytes of HKDF output");
        secret
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_made_key_is_private_and_loads() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pair.pem");
        generate(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let (one, two) = (PairKey::load(&path).unwrap(), PairKey::load(&path).unwrap());
        assert_eq!(one.certificate(), two.certificate());
        assert_eq!(one.hash_secret(), two.hash_secret());

        let other = dir.path().join("other.pem");
        generate(&other).unwrap();
        let other = PairKey::load(&other).unwrap();
        assert_ne!(one.certificate(), other.certificate());
        assert_ne!(one.hash_secret(), other.hash_secret());
    }

    #[test]
    fn of_two_keys_the_first_is_shown_and_both_are_trusted() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        for name in ["old", "new", "other"] {
            generate(&path(name)).unwrap();
        }
        let text = |name: &str| fs::read_to_string(path(name)).unwrap();
        let load = |name: &str| PairKey::load(&path(name)).unwrap();
        // Owned by the tests alone already, so the mode stays.
        fs::copy(path("old"), path("both")).unwrap();
        fs::write(path("both"), text("old") + &text("new")).unwrap();
        let both = load("both");
        assert_eq!(both.certificate(), load("old").certificate());
        assert_eq!(both.private(), load("old").private());
        assert_eq!(both.hash_secret(), load("old").hash_secret());
        assert_eq!(both.name(), load("old").name());
        assert_ne!(both.name(), load("new").name());
        let certificate = |name: &str| load(name).certificate().clone();
        assert_eq!(both.trusted(), [certificate("old"), certificate("new")]);
        assert_eq!(load("old").trusted(), [certificate("old")]);
        // Three keys are too many, and half a key is too little.
        let (new, old) = (text("new"), text("old"));
        let half = new.split_once("-----BEGIN CERT").unwrap().0;
        for (content, is_wrong) in [
            ([&old, &*new, &text("other")].concat(), true),
            ([&*old, half].concat(), true),
            ([&*new, &old].concat(), false),
        ] {
            fs::write(path("both"), content).unwrap();
            assert_eq!(PairKey::load(&path("both")).is_err(), is_wrong);
        }
        assert_eq!(load("both").certificate(), load("new").certificate());
    }

    #[test]
    fn an_existing_file_is_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pair.pem");
        fs::write(&path, "precious").unwrap();
        assert!(matches!(generate(&path), Err(KeyError::Exists { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    }

    #[test]
    fn a_key_that_others_can_read_is_refused_with_a_hint() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pair.pem");
        generate(&path).unwrap();
        for mode in [0o640, 0o604, 0o601] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let words = PairKey::load(&path).unwrap_err().to_string();
            assert!(words.contains("chmod 600"), "{words}");
        }
    }

    #[test]
    fn a_malformed_key_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pair.pem");
        assert!(matches!(PairKey::load(&path), Err(KeyError::Io { .. })));
        generate(&path).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let certificate_only = &text[text.find("-----BEGIN CERT").unwrap()..];
        for wrong in ["", "nonsense", certificate_only] {
            fs::write(&path, wrong).unwrap();
            let loaded = PairKey::load(&path);
            assert!(matches!(loaded, Err(KeyError::Malformed { .. })), "{wrong}");
        }
    }
}
