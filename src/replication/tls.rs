//! The encryption of the link: TLS 1.3 only, both sides prove that they hold the pair's key.
//!
//! Each side accepts the certificates of its key file and no other, see [`Pinned`].

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::NoServerSessionStorage;
use rustls::version::TLS13;
use rustls::{CertificateError, ClientConfig, Error, ServerConfig};

use super::key::PairKey;
use crate::tls::pinned::Pinned;

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
        let pinned = pinned(key.trusted(), &provider);
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
fn pinned(trusted: Vec<CertificateDer<'static>>, provider: &Arc<CryptoProvider>) -> Arc<Pinned> {
    Arc::new(Pinned {
        trusted,
        refusal: CertificateError::ApplicationVerificationFailure,
        is_required: true,
        provider: Arc::clone(provider),
    })
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use rustls::{ClientConnection, ConnectionCommon, ServerConnection};

    use super::super::key::generate;
    use super::*;

    fn tls(name: &str) -> LinkTls {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        generate(&path).unwrap();
        LinkTls::new(&PairKey::load(&path).unwrap()).unwrap()
    }

    type Errors = (Option<Error>, Option<Error>);

    /// Two ends that have passed bytes until neither has any, and the first error of each.
    fn connect(
        client: &Arc<ClientConfig>,
        server: &Arc<ServerConfig>,
    ) -> (ClientConnection, ServerConnection, Errors) {
        let mut client = ClientConnection::new(Arc::clone(client), LinkTls::name()).unwrap();
        let mut server = ServerConnection::new(Arc::clone(server)).unwrap();
        let errors = exchange(&mut client, &mut server);
        (client, server, errors)
    }

    fn exchange(client: &mut ClientConnection, server: &mut ServerConnection) -> Errors {
        let mut errors = (None, None);
        for _ in 0..10 {
            let (at_server, at_client) = (pass(client, server), pass(server, client));
            errors = (errors.0.or(at_client), errors.1.or(at_server));
        }
        errors
    }

    /// Passes what one end has written to the other; the first error of that one.
    fn pass<A, B>(from: &mut ConnectionCommon<A>, to: &mut ConnectionCommon<B>) -> Option<Error> {
        let mut wire = Vec::new();
        while from.wants_write() {
            from.write_tls(&mut wire).unwrap();
        }
        let (mut rest, mut error) = (wire.as_slice(), None);
        while !rest.is_empty() {
            to.read_tls(&mut rest).unwrap();
            let failure = to.process_new_packets().err();
            error = error.or(failure);
        }
        error
    }

    #[test]
    fn nodes_with_the_same_key_complete_the_handshake() {
        let pair = tls("a");
        let (mut client, mut server, errors) = connect(&pair.client, &pair.server);
        assert_eq!(errors, (None, None));
        client.writer().write_all(b"hello").unwrap();
        exchange(&mut client, &mut server);
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
                let (_, _, errors) = connect(&tls(client).client, &tls(server).server);
                assert_eq!(errors == (None, None), fits, "{one} {two}: {errors:?}");
            }
        }
    }

    #[test]
    fn a_node_with_another_key_is_refused_with_an_error_on_both_sides() {
        let (_, _, errors) = connect(&tls("a").client, &tls("b").server);
        let refused = |error: &Error| matches!(error, Error::InvalidCertificate(_));
        assert_refused(&errors.0, refused);
        assert_refused(&errors.1, is_alert);
    }

    /// A client that accepts any server and does not hold the key.
    #[test]
    fn a_client_without_the_key_is_refused_by_the_server() {
        let (one, two) = (tls("a"), tls("b"));
        let provider = Arc::new(ring::default_provider());
        let pinned = pinned(vec![shown_by(&one)], &provider);
        let trusting = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(pinned);
        let other_certificate = Arc::clone(&two.client.client_auth_cert_resolver);
        let naked = trusting.clone().with_no_client_auth();
        for config in [naked, trusting.with_client_cert_resolver(other_certificate)] {
            let (_, _, errors) = connect(&Arc::new(config), &one.server);
            assert_refused(&errors.1, |error| {
                matches!(
                    error,
                    Error::InvalidCertificate(_) | Error::NoCertificatesPresented
                )
            });
            assert_refused(&errors.0, is_alert);
        }
    }

    fn is_alert(error: &Error) -> bool {
        matches!(error, Error::AlertReceived(_))
    }

    fn assert_refused(error: &Option<Error>, is_wanted: impl FnOnce(&Error) -> bool) {
        assert!(error.as_ref().is_some_and(is_wanted), "{error:?}");
    }

    /// The certificate a node presents to anyone who connects.
    fn shown_by(node: &LinkTls) -> CertificateDer<'static> {
        let (client, ..) = connect(&node.client, &node.server);
        client.peer_certificates().unwrap()[0].clone().into_owned()
    }
}
