//! Certificates and keys from their files. Every refusal says what to write instead.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys, RootCertStore};

use super::TlsError;
use crate::config::Tls;
use crate::limits::TLS_FILE_BYTES_MAX;

/// memcached's numbers for the format of a key.
const FORMAT_PEM: i32 = 1;
const FORMAT_DER: i32 = 2;

/// The server's certificate, those behind it, and their key.
pub(super) fn certified(
    settings: &Tls,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, TlsError> {
    let Some(chain_path) = &settings.chain_cert else {
        return Err(TlsError::Chain {
            path: None,
            cause: "TLS needs a certificate: write -o ssl_chain_cert=FILE (tls.chain_cert)".into(),
        });
    };
    let chain = certificates(chain_path).map_err(|cause| TlsError::Chain {
        path: Some(chain_path.clone()),
        cause,
    })?;
    // memcached's help says the key may be in the chain's file; its code wants it named.
    let key_path = settings.key.as_ref().unwrap_or(chain_path);
    let refused = |cause: String| TlsError::Key {
        path: Some(key_path.clone()),
        cause,
    };
    let key = private_key(key_path, settings.key_format).map_err(refused)?;
    let key = provider
        .key_provider
        .load_private_key(key)
        .map_err(|error| refused(format!("{error}; use an RSA, ECDSA or Ed25519 key")))?;
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => Err(refused(format!(
            "is not the key of the certificate in {}",
            chain_path.display()
        ))),
        // A certificate whose form the library does not compare is the clients' to judge.
        _ => Ok(certified),
    }
}

/// Those who vouch for clients; none if no file is named.
pub(super) fn authorities(settings: &Tls) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    let Some(path) = &settings.ca_cert else {
        return Ok(store);
    };
    let refused = |cause: String| TlsError::Authorities {
        path: Some(path.clone()),
        cause,
    };
    for certificate in certificates(path).map_err(refused)? {
        store
            .add(certificate)
            .map_err(|error| refused(format!("a certificate in it cannot be used: {error}")))?;
    }
    Ok(store)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let text = read(path)?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match all {
        Ok(all) if all.is_empty() => Err(
            "holds no certificate; name a PEM file with -----BEGIN CERTIFICATE----- in it".into(),
        ),
        Ok(all) => Ok(all),
        Err(error) => Err(format!("is no good PEM file: {error}")),
    }
}

fn private_key(path: &Path, format: i32) -> Result<PrivateKeyDer<'static>, String> {
    match format {
        FORMAT_PEM => PrivateKeyDer::from_pem_slice(&read(path)?).map_err(|_| {
            "holds no private key that can be read; name a PEM file with a key that has no password"
                .into()
        }),
        FORMAT_DER => PrivateKeyDer::try_from(read(path)?)
            .map_err(|what| format!("is no private key in DER form: {what}")),
        _ => Err(format!(
            "ssl_keyformat {format} does not exist: write 1 (PEM) or 2 (DER)"
        )),
    }
}

/// A whole file. What is no file, a pipe for one, could keep a worker waiting for ever.
fn read(path: &Path) -> Result<Vec<u8>, String> {
    let told = |error: io::Error| error.to_string();
    let is_file = std::fs::metadata(path).map_err(told)?.is_file();
    if !is_file {
        return Err("is no regular file".to_owned());
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(told)?;
    file.take(TLS_FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(told)?;
    if bytes.len() as u64 > TLS_FILE_BYTES_MAX {
        return Err(format!("is longer than {TLS_FILE_BYTES_MAX} bytes"));
    }
    Ok(bytes)
}
