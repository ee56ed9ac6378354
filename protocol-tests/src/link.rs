//! A node's end of the link, spoken by a test: TLS with any key or none, and frames by hand.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};

/// The ALPN name of the link's protocol.
pub const ALPN: &[u8] = b"memtwin-link/1";
/// The frame type of a hello.
pub const HELLO: u8 = 1;
/// The frame type of a welcome.
pub const WELCOME: u8 = 2;
/// The frame type of a refusal.
pub const REFUSE: u8 = 3;
/// Bits of a stamp below its milliseconds.
const BELOW_MS_BITS: u32 = 12;
/// Stamps count from 2020.
const EPOCH: Duration = Duration::from_secs(1_577_836_800);
/// What the nodes of a [`Pair`](crate::pair::Pair) must agree on.
const POLICY: &str = "msm.aware=true msm.nodes=n1,n2";

/// A connection to a node's replication port.
#[derive(Debug)]
pub struct LinkPeer(StreamOwned<ClientConnection, TcpStream>);

/// What a hello says.
#[derive(Clone, Copy, Debug)]
pub struct Hello {
    /// 0 or 1.
    pub side: u8,
    /// A number of its own for each process.
    pub incarnation: u64,
    /// How far the sender's clock is ahead.
    pub ahead: Duration,
}

impl LinkPeer {
    /// Connects and asks for these protocols. Trusts everybody; shows the key of this file if there
    /// is one. The handshake happens with the first bytes.
    pub fn connect(address: SocketAddr, key: Option<&Path>, protocols: &[&[u8]]) -> Result<Self> {
        let provider = Arc::new(ring::default_provider());
        let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(TrustsEverybody(provider)));
        let mut config = match key {
            Some(file) => {
                let chain = vec![CertificateDer::from_pem_file(file)?];
                config.with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(file)?)?
            }
            None => config.with_no_client_auth(),
        };
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        let name = ServerName::try_from("memtwin").context("a name")?;
        let session = ClientConnection::new(Arc::new(config), name)?;
        let socket = TcpStream::connect(address)?;
        socket.set_read_timeout(Some(Duration::from_secs(10)))?;
        Ok(Self(StreamOwned::new(session, socket)))
    }

    /// Sends these bytes.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)?;
        self.0.flush()
    }

    /// Sends one frame.
    pub fn send_frame(&mut self, kind: u8, body: &[u8]) -> io::Result<()> {
        let length = u32::try_from(body.len() + 1).map_err(io::Error::other)?;
        self.send(&[&length.to_be_bytes()[..], &[kind], body].concat())
    }

    /// Sends a hello.
    pub fn say_hello(&mut self, hello: Hello) -> Result<()> {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH)? - EPOCH + hello.ahead;
        let wall_ms = u64::try_from(wall.as_millis())?;
        let clock = wall_ms << BELOW_MS_BITS;
        let mut body = b"MTWN\0\x02\0\x02".to_vec();
        body.push(hello.side);
        body.extend(hello.incarnation.to_be_bytes());
        body.extend(clock.to_be_bytes());
        body.extend(0_u64.to_be_bytes());
        body.push(0);
        body.extend(u16::try_from(POLICY.len())?.to_be_bytes());
        body.extend(POLICY.as_bytes());
        body.extend(wall_ms.to_be_bytes());
        // It had no link before, and hashes keys in its own way.
        body.extend([0; 24]);
        Ok(self.send_frame(HELLO, &body)?)
    }

    /// Welcomes the node, whose hello was read.
    pub fn welcome(&mut self) -> io::Result<()> {
        let clock = [0; 8];
        self.send_frame(WELCOME, &[&[0, 2][..], &clock].concat())
    }

    /// Reads one frame: its type and its body.
    pub fn read_frame(&mut self) -> Result<(u8, Vec<u8>)> {
        let mut length = [0; 4];
        self.0.read_exact(&mut length)?;
        let length = u32::from_be_bytes(length) as usize;
        ensure!((1..=65_532).contains(&length), "a frame of {length} bytes");
        let mut frame = vec![0; length];
        self.0.read_exact(&mut frame)?;
        let body = frame.split_off(1);
        Ok((frame[0], body))
    }

    /// Reads until the node hangs up; how many bytes it sent.
    pub fn read_to_end(&mut self) -> io::Result<u64> {
        io::copy(&mut self.0, &mut io::sink())
    }
}

/// A verifier for clients that do not care who answers.
#[derive(Debug)]
pub struct TrustsEverybody(pub Arc<CryptoProvider>);

impl ServerCertVerifier for TrustsEverybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
