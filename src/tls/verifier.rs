//! Client certificates: whether one is required, and which are accepted.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoClientAuth, VerifierBuilderError, WebPkiClientVerifier};
use rustls::{CertificateError, Error, RootCertStore};

use super::pinned::Pinned;

/// Whether clients must present a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClientAuth {
    /// Clients are not asked for one.
    None,
    /// Clients may present one, which must be valid.
    Optional,
    /// Clients must present a valid one.
    Required,
}

impl ClientAuth {
    /// The meaning of memcached's `ssl_verify_mode`. Mode 3 differs from 2 only for renegotiation,
    /// which does not exist here.
    pub(super) fn from_mode(verify_mode: u8) -> Self {
        match verify_mode {
            0 => Self::None,
            1 => Self::Optional,
            _ => Self::Required,
        }
    }
}

/// The verifier of client certificates.
pub(super) fn new(
    client_auth: ClientAuth,
    authorities: &Arc<RootCertStore>,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, Error> {
    if client_auth == ClientAuth::None {
        return Ok(Arc::new(NoClientAuth));
    }
    if authorities.is_empty() {
        // No certificate is valid: as in memcached, a client that presents one is refused.
        return Ok(Arc::new(Pinned {
            trusted: Vec::new(),
            refusal: CertificateError::UnknownIssuer,
            is_required: client_auth == ClientAuth::Required,
            provider: Arc::clone(provider),
        }));
    }
    let (authorities, provider) = (Arc::clone(authorities), Arc::clone(provider));
    let mut builder = WebPkiClientVerifier::builder_with_provider(authorities, provider);
    if client_auth == ClientAuth::Optional {
        builder = builder.allow_unauthenticated();
    }
    builder.build().map_err(|error| match error {
        VerifierBuilderError::InvalidCrl(error) => Error::InvalidCertRevocationList(error),
        other => Error::General(other.to_string()),
    })
}
