//! Client certificates: whether one is required, and which are accepted.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoClientAuth, VerifierBuilderError, WebPkiClientVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
};

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
        return Ok(Arc::new(NoTrustAnchors {
            required: client_auth == ClientAuth::Required,
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

/// Without authorities no certificate is valid: as in memcached, a client that presents one is
/// refused.
#[derive(Debug)]
struct NoTrustAnchors {
    required: bool,
    provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for NoTrustAnchors {
    fn client_auth_mandatory(&self) -> bool {
        self.required
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _shown: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Err(Error::InvalidCertificate(CertificateError::UnknownIssuer))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, shown, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, shown, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
