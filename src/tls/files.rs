//! Loads certificates and keys. Every error says what to change.

use std::path::Path;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, Error, InconsistentKeys, RootCertStore};

use super::error::TlsError;
use crate::config::Tls;
use crate::files;
use crate::limits::TLS_FILE_BYTES_MAX;

/// memcached's numbers for the format of a key.
const FORMAT_PEM: i32 = 1;
const FORMAT_DER: i32 = 2;

/// What the file of the certificates holds, in memcached's words.
const CHAIN: &str = "certificate chain";

/// The server's certificate, its chain and its key.
pub(super) fn certified(
    settings: &Tls,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, TlsError> {
    let Some(chain_path) = &settings.chain_cert else {
        return Err(TlsError::File {
            what: CHAIN,
            path: None,
            cause: "TLS needs a certificate: write -o ssl_chain_cert=FILE (tls.chain_cert)".into(),
        });
    };
    let chain = certificates(chain_path).and_then(undamaged);
    let chain = chain.map_err(unusable(CHAIN, chain_path))?;
    // memcached's help says that the key may be in the chain's file, but its code requires a name
    // for it.
    let key_path = settings.key.as_ref().unwrap_or(chain_path);
    let refused = unusable("key", key_path);
    let key = private_key(key_path, settings.key_format).map_err(&refused)?;
    let key = provider
        .key_provider
        .load_private_key(key)
        .map_err(|error| refused(format!("{error}; use an RSA, ECDSA or Ed25519 key")))?;
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            let chain = chain_path.display();
            Err(refused(format!(
                "is not the key of the certificate in {chain}"
            )))
        }
        // A certificate that the library cannot compare is left to the clients to verify.
        _ => Ok(certified),
    }
}

/// The authorities of client certificates; none if no file is named.
pub(super) fn authorities(settings: &Tls) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    let Some(path) = &settings.ca_cert else {
        return Ok(store);
    };
    let refused = unusable("CA certificate", path);
    for certificate in certificates(path).map_err(&refused)? {
        store
            .add(certificate)
            .map_err(|error| refused(format!("a certificate in it cannot be used: {error}")))?;
    }
    Ok(store)
}

/// The error of a file with something that cannot be used.
fn unusable(what: &'static str, path: &Path) -> impl Fn(String) -> TlsError {
    move |cause| TlsError::File {
        what,
        path: Some(path.to_owned()),
        cause,
    }
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

/// Checks that the file holds certificates: anything else would lock every client out. A complete
/// certificate that the library cannot read, such as one of version 1, is left to the clients.
fn undamaged(chain: Vec<CertificateDer<'static>>) -> Result<Vec<CertificateDer<'static>>, String> {
    let is_damaged = |certificate| {
        let bad = Error::InvalidCertificate(CertificateError::BadEncoding);
        ParsedCertificate::try_from(certificate).is_err_and(|error| error == bad)
    };
    match chain.iter().position(is_damaged) {
        None => Ok(chain),
        Some(index) => Err(format!(
            "certificate {} of {} in it is damaged: write the file again",
            index + 1,
            chain.len()
        )),
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

fn read(path: &Path) -> Result<Vec<u8>, String> {
    files::read(path, TLS_FILE_BYTES_MAX).map_err(|error| error.to_string())
}
