//! Certificates of the tests' own making, and clients that speak TLS with them.

use std::fs;
use std::io;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
};
use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
};
use tempfile::TempDir;

use crate::server::Server;
use crate::subject::Subject;

/// A connection that speaks TLS.
pub type TlsStream = StreamOwned<ClientConnection, TcpStream>;

/// Somebody who vouches for servers and clients, with a folder for what it makes.
#[derive(Debug)]
pub struct Authority {
    folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    pem: String,
}

/// A certificate and its key in files.
#[derive(Clone, Debug)]
pub struct Identity {
    /// PEM.
    pub certificate: PathBuf,
    /// PEM.
    pub key: PathBuf,
}

impl Authority {
    /// A new one; nobody trusts it yet.
    pub fn new(name: &str) -> Result<Self> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key)?;
        let made = Self {
            folder: tempfile::tempdir()?,
            pem: certificate.pem(),
            certificate: certificate.der().clone(),
            issuer: Issuer::new(params, key),
        };
        fs::write(made.file(), &made.pem)?;
        Ok(made)
    }

    /// The file with its own certificate.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }

    /// A folder that is gone with it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A certificate for a server on loopback, known by `name`.
    pub fn server(&self, name: &str) -> Result<Identity> {
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        self.identity(name, names, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// A certificate for a client.
    pub fn client(&self, name: &str) -> Result<Identity> {
        self.identity(name, Vec::new(), ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn identity(
        &self,
        name: &str,
        names: Vec<String>,
        purpose: ExtendedKeyUsagePurpose,
    ) -> Result<Identity> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages.push(purpose);
        let certificate = params.signed_by(&key, &self.issuer)?;
        let made = Identity {
            certificate: self.folder.path().join(format!("{name}.pem")),
            key: self.folder.path().join(format!("{name}.key")),
        };
        fs::write(&made.certificate, certificate.pem())?;
        fs::write(&made.key, key.serialize_pem())?;
        Ok(made)
    }
}

impl Identity {
    /// The flags that make a server show it.
    pub fn flags(&self) -> Vec<String> {
        vec![
            "-Z".to_owned(),
            "-o".to_owned(),
            format!("ssl_chain_cert={}", self.certificate.display()),
            "-o".to_owned(),
            format!("ssl_key={}", self.key.display()),
        ]
    }

    /// The certificate as it is shown.
    pub fn shown(&self) -> Result<CertificateDer<'static>> {
        Ok(CertificateDer::from_pem_file(&self.certificate)?)
    }

    /// Puts another in its place, in the same files.
    pub fn replace(&self, other: &Self) -> Result<()> {
        fs::copy(&other.certificate, &self.certificate)?;
        fs::copy(&other.key, &self.key)?;
        Ok(())
    }
}

/// An authority, a server's certificate that it has signed, and a client that believes it.
#[derive(Debug)]
pub struct Trust {
    /// Who vouches.
    pub authority: Authority,
    /// What servers show.
    pub server: Identity,
    /// Believes the authority and shows nothing.
    pub client: TlsClient,
}

impl Trust {
    /// A new one.
    pub fn new() -> Result<Self> {
        let authority = Authority::new("authority")?;
        Ok(Self {
            server: authority.server("server")?,
            client: TlsClient::new(&authority)?,
            authority,
        })
    }

    /// Starts a server that shows the certificate, with these flags too.
    pub fn start(&self, subject: &Subject, flags: &[&str]) -> Result<Server> {
        self.start_for(subject, flags, &self.client)
    }

    /// The same for a client that is not the usual one.
    pub fn start_for(
        &self,
        subject: &Subject,
        flags: &[&str],
        client: &TlsClient,
    ) -> Result<Server> {
        let own = self.server.flags();
        let mut all: Vec<&str> = own.iter().map(String::as_str).collect();
        all.extend(flags);
        Server::start_with_tls(subject, &all, client)
    }
}

/// What a client believes, shows and speaks.
#[derive(Clone, Debug)]
pub struct TlsClient(Arc<ClientConfig>);

impl TlsClient {
    /// Believes `authority` and shows nothing.
    pub fn new(authority: &Authority) -> Result<Self> {
        Self::speaking(authority, None, rustls::ALL_VERSIONS)
    }

    /// Believes `authority` and shows `identity`.
    pub fn showing(authority: &Authority, identity: &Identity) -> Result<Self> {
        Self::speaking(authority, Some(identity), rustls::ALL_VERSIONS)
    }

    /// The same with these versions only.
    pub fn speaking(
        authority: &Authority,
        identity: Option<&Identity>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(authority.certificate.clone())?;
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)?
            .with_root_certificates(roots);
        let mut config = match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => builder.with_client_auth_cert(
                vec![identity.shown()?],
                PrivateKeyDer::from_pem_file(&identity.key)?,
            )?,
        };
        config.resumption = Resumption::disabled();
        Ok(Self(Arc::new(config)))
    }

    /// The same, and its connections resume the sessions of those before.
    pub fn resuming(&self) -> Self {
        let mut config = ClientConfig::clone(&self.0);
        config.resumption = Resumption::in_memory_sessions(32);
        Self(Arc::new(config))
    }

    /// The same in records of so many bytes, 32 at least.
    pub fn in_records_of(&self, bytes: usize) -> Self {
        let mut config = ClientConfig::clone(&self.0);
        config.max_fragment_size = Some(bytes);
        Self(Arc::new(config))
    }

    /// Speaks TLS on a fresh connection.
    pub fn shake_hands(&self, mut stream: TcpStream) -> Result<TlsStream> {
        let name = ServerName::try_from("localhost").context("a name")?;
        let mut session = ClientConnection::new(Arc::clone(&self.0), name)?;
        while session.is_handshaking() {
            if session.complete_io(&mut stream)? == (0, 0) {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
        }
        Ok(StreamOwned::new(session, stream))
    }
}
