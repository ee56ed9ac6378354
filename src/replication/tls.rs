//! The encryption of the link: TLS 1.3 only, both sides prove that they hold the pair's key.
//!
//! Each side accepts the certificates of its key file and no other. No name, date or authority is
//! checked. The other side must sign with the private key of its certificate, which rustls
//! verifies.

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error,
    PeerIncompatible, ServerConfig, SignatureScheme,
};
use subtle::{Choice, ConstantTimeEq};

use super::key::PairKey;

/// The name of the link's protocol (ALPN). The versions of the wire are negotiated inside it.
pub const LINK_ALPN: &[u8] = b"memtwin-link/1";

/// Both ends of the link's encryption.
#[derive(Clone, Debug)]
pub struct LinkTls {
    /// For the side that dials.
    pub client: Arc<ClientConfig>,
    /// For the side that is dialled.
    pub server: Arc<ServerConfig>,
}

impl LinkTls {
    /// The name a client must give; nobody compares it.
    #[expect(clippy::expect_used, reason = "a constant that is a valid DNS name")]
    pub fn name() -> ServerName<'static> {
        ServerName::try_from("memtwin").expect("a DNS name")
    }

    /// Both ends for the holders of this key.
    ///
    /// # Errors
    /// The private key is of a kind that rustls cannot sign with, or not of this certificate.
    pub fn new(key: &PairKey) -> Result<Self, Error> {
        let provider = Arc::new(ring::default_provider());
        let pinned = Arc::new(Pinned {
            trusted: key.trusted(),
            provider: Arc::clone(&provider),
        });
        let chain = vec![key.certificate().clone()];
        let mut client = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&pinned) as _)
            .with_client_auth_cert(chain.clone(), key.private())?;
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(pinned)
            .with_single_cert(chain, key.private())?;
        client.alpn_protocols = vec![LINK_ALPN.to_vec()];
        server.alpn_protocols = vec![LINK_ALPN.to_vec()];
        // No resumption: links are rare, so each one can afford a full handshake.
        client.resumption = Resumption::disabled();
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;
        Ok(Self {
            client: Arc::new(client),
            server: Arc::new(server),
        })
    }
}

/// Accepts the certificates of the pair's key.
#[derive(Debug)]
struct Pinned {
    trusted: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl Pinned {
    fn check(&self, shown: &CertificateDer<'_>) -> Result<(), Error> {
        // All are compared, so that the time tells nothing of them.
        let is_trusted = self.trusted.iter().fold(Choice::from(0), |found, trusted| {
            found | shown.as_ref().ct_eq(trusted.as_ref())
        });
        if is_trusted.into() {
            Ok(())
        } else {
            Err(Error::InvalidCertificate(
                CertificateError::ApplicationVerificationFailure,
            ))
        }
    }

    fn check_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, shown, signature, algorithms)
    }

    fn schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// TLS 1.2 is never negotiated; should it be asked for all the same, it fails.
fn refuse_tls12() -> Result<HandshakeSignatureValid, Error> {
    Err(Error::PeerIncompatible(PeerIncompatible::Tls12NotOffered))
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

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _shown: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        refuse_tls12()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, shown, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}

impl ClientCertVerifier for Pinned {
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

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _shown: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        refuse_tls12()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, shown, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use rustls::{ClientConnection, ServerConnection};

    use super::super::key::generate;
    use super::*;

    fn tls(name: &str) -> LinkTls {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        generate(&path).unwrap();
        LinkTls::new(&PairKey::load(&path).unwrap()).unwrap()
    }

    /// Passes bytes between the two until neither has any; the first error of each side.
    fn shake(
        client: &mut ClientConnection,
        server: &mut ServerConnection,
    ) -> (Option<Error>, Option<Error>) {
        let (mut client_error, mut server_error) = (None, None);
        for _ in 0..10 {
            let mut wire = Vec::new();
            while client.wants_write() {
                client.write_tls(&mut wire).unwrap();
            }
            let mut rest = wire.as_slice();
            while !rest.is_empty() {
                server.read_tls(&mut rest).unwrap();
                let failure = server.process_new_packets().err();
                server_error = server_error.or(failure);
            }
            let mut wire = Vec::new();
            while server.wants_write() {
                server.write_tls(&mut wire).unwrap();
            }
            let mut rest = wire.as_slice();
            while !rest.is_empty() {
                client.read_tls(&mut rest).unwrap();
                let failure = client.process_new_packets().err();
                client_error = client_error.or(failure);
            }
        }
        (client_error, server_error)
    }

    #[test]
    fn nodes_with_the_same_key_complete_the_handshake() {
        let pair = tls("a");
        let mut client = ClientConnection::new(pair.client, LinkTls::name()).unwrap();
        let mut server = ServerConnection::new(pair.server).unwrap();
        assert_eq!(shake(&mut client, &mut server), (None, None));
        client.writer().write_all(b"hello").unwrap();
        shake(&mut client, &mut server);
        let mut heard = [0; 5];
        server.reader().read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"hello");
    }

    /// The key is changed by restarting one node after the other, twice.
    #[test]
    fn nodes_that_trust_each_others_first_key_complete_the_handshake() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let text = |name: &str| std::fs::read_to_string(path(name)).unwrap();
        for name in ["old", "new", "old-new", "new-old"] {
            generate(&path(name)).unwrap();
        }
        std::fs::write(path("old-new"), text("old") + &text("new")).unwrap();
        std::fs::write(path("new-old"), text("new") + &text("old")).unwrap();
        let tls = |name: &str| LinkTls::new(&PairKey::load(&path(name)).unwrap()).unwrap();
        for (one, two, fits) in [
            ("old", "old-new", true),
            ("old-new", "new-old", true),
            ("new-old", "new", true),
            ("old", "new-old", false),
            ("old-new", "new", false),
        ] {
            for (client, server) in [(one, two), (two, one)] {
                let name = LinkTls::name();
                let mut session = ClientConnection::new(tls(client).client, name).unwrap();
                let mut server = ServerConnection::new(tls(server).server).unwrap();
                let errors = shake(&mut session, &mut server);
                assert_eq!(errors == (None, None), fits, "{one} {two}: {errors:?}");
            }
        }
    }

    #[test]
    fn a_node_with_another_key_is_refused_with_an_error_on_both_sides() {
        let (one, two) = (tls("a"), tls("b"));
        let mut client = ClientConnection::new(one.client, LinkTls::name()).unwrap();
        let mut server = ServerConnection::new(two.server).unwrap();
        let (client_error, server_error) = shake(&mut client, &mut server);
        assert!(
            matches!(client_error, Some(Error::InvalidCertificate(_))),
            "{client_error:?}"
        );
        assert!(
            matches!(server_error, Some(Error::AlertReceived(_))),
            "{server_error:?}"
        );
    }

    /// A client that accepts any server and does not hold the key.
    #[test]
    fn a_client_without_the_key_is_refused_by_the_server() {
        let (one, two) = (tls("a"), tls("b"));
        let provider = Arc::new(ring::default_provider());
        let certificate = shown_by(&one);
        let pinned = Arc::new(Pinned {
            trusted: vec![certificate],
            provider: Arc::clone(&provider),
        });
        let trusting = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(pinned);
        let other_certificate = Arc::clone(&two.client.client_auth_cert_resolver);
        let naked = trusting.clone().with_no_client_auth();
        for config in [naked, trusting.with_client_cert_resolver(other_certificate)] {
            let mut client = ClientConnection::new(Arc::new(config), LinkTls::name()).unwrap();
            let mut server = ServerConnection::new(Arc::clone(&one.server)).unwrap();
            let (client_error, server_error) = shake(&mut client, &mut server);
            assert!(
                matches!(
                    server_error,
                    Some(Error::InvalidCertificate(_) | Error::NoCertificatesPresented)
                ),
                "{server_error:?}"
            );
            assert!(
                matches!(client_error, Some(Error::AlertReceived(_))),
                "{client_error:?}"
            );
        }
    }

    /// The certificate a node presents to anyone who connects.
    fn shown_by(node: &LinkTls) -> CertificateDer<'static> {
        let mut client = ClientConnection::new(Arc::clone(&node.client), LinkTls::name()).unwrap();
        let mut server = ServerConnection::new(Arc::clone(&node.server)).unwrap();
        shake(&mut client, &mut server);
        client.peer_certificates().unwrap()[0].clone().into_owned()
    }
}
