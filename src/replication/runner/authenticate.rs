//! The handshake of the link: both nodes prove that they hold the pair's key.
//!
//! What fails here is told apart by ALPN: only an end that has named the link's protocol is a node
//! of memtwin with another key. Everything else, a probe or a web server for one, is a stranger.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::server::Acceptor;
use rustls::{ClientConnection, Error};
use thiserror::Error as ThisError;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::{LazyConfigAcceptor, TlsConnector, TlsStream};

use crate::limits::LINK_AUTH_BYTES_MAX;
use crate::replication::tls::{LINK_ALPN, LinkTls};
use crate::tls::limited_stream::LimitedStream;

/// Bytes of a handshake that are read at once.
const READ_BYTES: usize = 4096;

/// An encrypted stream whose other end has proved that it holds the key.
pub(super) type LinkStream = TlsStream<LimitedStream>;

/// Why a connection is no link.
#[derive(Debug, ThisError)]
pub(super) enum AuthError {
    /// The other end speaks the link's protocol and does not hold the key.
    #[error("key: the two nodes hold different keys; copy one key file to both")]
    OtherKey,
    /// The other end does not speak the link's protocol.
    #[error("no memtwin link: {0}")]
    OtherProtocol(String),
    /// The socket failed, or the time was over.
    #[error(transparent)]
    Socket(#[from] io::Error),
}

impl AuthError {
    /// What an error means on a connection whose other end has named the link's protocol.
    fn of_link(error: io::Error) -> Self {
        if shows_other_key(&error) {
            Self::OtherKey
        } else {
            Self::of_other(error)
        }
    }

    /// What an error means on a connection whose other end has not named it.
    fn of_other(error: io::Error) -> Self {
        match tls_error(&error) {
            Some(other) => Self::OtherProtocol(other.to_string()),
            None => Self::Socket(error),
        }
    }
}

/// Whether a connection of the link's protocol failed because the keys differ.
pub(super) fn shows_other_key(error: &io::Error) -> bool {
    matches!(
        tls_error(error),
        Some(
            Error::InvalidCertificate(_) | Error::AlertReceived(_) | Error::NoCertificatesPresented
        )
    )
}

fn tls_error(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

/// Proves the key on a connection that this node made, and has the other end prove it.
pub(super) async fn connect(tls: &LinkTls, stream: TcpStream) -> Result<LinkStream, AuthError> {
    let mut stream = LimitedStream::new(stream, LINK_AUTH_BYTES_MAX);
    let mut session = ClientConnection::new(Arc::clone(&tls.client), LinkTls::name())
        .map_err(|error| AuthError::OtherProtocol(error.to_string()))?;
    let result = handshake(&mut session, &mut stream).await;
    let speaks_link = session.alpn_protocol() == Some(LINK_ALPN);
    match result {
        Ok(()) if !speaks_link => {
            let what = "TLS without its protocol's name (ALPN)";
            return Err(AuthError::OtherProtocol(what.to_owned()));
        }
        Ok(()) => {}
        Err(error) if speaks_link => return Err(AuthError::of_link(error)),
        Err(error) => return Err(AuthError::of_other(error)),
    }
    // The handshake is over, so that this only wraps what is there.
    let mut stream = TlsConnector::from(Arc::clone(&tls.client))
        .connect_with(LinkTls::name(), stream, |unused| *unused = session)
        .await?;
    stream.get_mut().0.lift_limit();
    Ok(stream.into())
}

/// Does the client's part of a handshake. tokio-rustls would drop the session when it fails, and
/// with it the name of the protocol that the server has chosen.
async fn handshake(session: &mut ClientConnection, stream: &mut LimitedStream) -> io::Result<()> {
    let mut buffer = [0; READ_BYTES];
    loop {
        send(session, stream).await?;
        if !session.is_handshaking() {
            return Ok(());
        }
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut bytes = &buffer[..count];
        while !bytes.is_empty() {
            // It takes nothing after a goodbye (close_notify).
            if session.read_tls(&mut bytes)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Err(error) = session.process_new_packets() {
                // The alert tells the other end why; whether it arrives changes nothing here.
                let _ = send(session, stream).await;
                return Err(io::Error::new(io::ErrorKind::InvalidData, error));
            }
        }
    }
}

async fn send(session: &mut ClientConnection, stream: &mut LimitedStream) -> io::Result<()> {
    let mut bytes = Vec::new();
    while session.wants_write() {
        session.write_tls(&mut bytes)?;
    }
    stream.write_all(&bytes).await
}

/// Has the other end of a connection that it made prove the key, and proves it. The limit on what
/// it may send stays.
pub(super) async fn accept(tls: &LinkTls, stream: TcpStream) -> Result<LinkStream, AuthError> {
    let stream = LimitedStream::new(stream, LINK_AUTH_BYTES_MAX);
    let start = LazyConfigAcceptor::new(Acceptor::default(), stream)
        .await
        .map_err(AuthError::of_other)?;
    let speaks_link = {
        let hello = start.client_hello();
        let mut protocols = hello.alpn().into_iter().flatten();
        protocols.any(|name| name == LINK_ALPN)
    };
    if !speaks_link {
        let what = "a TLS client that does not ask for the link's protocol (ALPN)";
        return Err(AuthError::OtherProtocol(what.to_owned()));
    }
    let stream = start
        .into_stream(Arc::clone(&tls.server))
        .await
        .map_err(AuthError::of_link)?;
    Ok(stream.into())
}

/// Lets work on a connection take no longer than this.
pub(super) async fn within<T>(
    limit_ms: u64,
    work: impl Future<Output = Result<T, AuthError>>,
) -> Result<T, AuthError> {
    timeout(Duration::from_millis(limit_ms), work)
        .await
        .unwrap_or_else(|_| {
            let what = format!("no proof of the key within {limit_ms} ms");
            Err(io::Error::new(io::ErrorKind::TimedOut, what).into())
        })
}
