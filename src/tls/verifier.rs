//! Whether clients show a certificate, and which ones are believed.

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

/// What is asked of clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClientAuth {
    /// Nothing.
    None,
    /// A certificate that is shown must be good.
    Optional,
    /// Everybody must show a good one.
    Required,
}

impl ClientAuth {
    /// What memcached's `ssl_verify_mode` asks for; 3 differs from 2 only where a session is
    /// negotiated anew, which does not exist here.
    pub(super) fn from_mode(verify_mode: u8) -> Self {
        match verify_mode {
            0 => Self::None,
            1 => Self::Optional,
            _ => Self::Required,
        }
    }
}

/// The one who looks at clients' certificates.
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

/// Without authorities no certificate is good: an address that asks for one lets nobody in who
/// shows one, as memcached's does.
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
