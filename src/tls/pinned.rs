//! A verifier for both ends of a connection that accepts the certificates of a list and no other.
//!
//! No name, date or authority is checked. The other side must sign with the private key of its
//! certificate, which rustls verifies.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, PeerIncompatible,
    SignatureScheme,
};
use subtle::{Choice, ConstantTimeEq};

/// See the module.
#[derive(Debug)]
pub(crate) struct Pinned {
    /// The certificates that are accepted.
    pub(crate) trusted: Vec<CertificateDer<'static>>,
    /// Why another one is refused.
    pub(crate) refusal: CertificateError,
    /// Whether a client must present a certificate.
    pub(crate) is_required: bool,
    pub(crate) provider: Arc<CryptoProvider>,
}

impl Pinned {
    fn check(&self, shown: &CertificateDer<'_>) -> Result<(), Error> {
        // All are compared, so that the time tells nothing of them.
        let is_trusted = self.trusted.iter().fold(Choice::from(0), |found, trusted| {
            found | shown.as_ref().ct_eq(trusted.as_ref())
        });
        match is_trusted.into() {
            true => Ok(()),
            false => Err(Error::InvalidCertificate(self.refusal.clone())),
        }
    }
}

/// What the verifiers of both ends have in common.
macro_rules! signatures {
    () => {
        /// Nothing that is trusted is used with TLS 1.2; should it be, the handshake fails.
        fn verify_tls12_signature(
            &self,
            _message: &[u8],
            _shown: &CertificateDer<'_>,
            _signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Err(Error::PeerIncompatible(PeerIncompatible::Tls12NotOffered))
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
            let algorithms = &self.provider.signature_verification_algorithms;
            algorithms.supported_schemes()
        }
    };
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(shown).map(|()| ServerCertVerified::assertion())
    }

    signatures!();
}

impl ClientCertVerifier for Pinned {
    fn client_auth_mandatory(&self) -> bool {
        self.is_required
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        shown: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(shown).map(|()| ClientCertVerified::assertion())
    }

    signatures!();
}
