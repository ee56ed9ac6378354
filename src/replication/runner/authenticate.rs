//! The TLS handshake of the link: both nodes prove that they hold the pair's key.
//!
//! Failures are classified by ALPN: only an end that named the link's protocol is a memtwin node
//! with another key. Everything else, such as a probe or a web server, is another protocol.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::server::Acceptor;
use rustls::{ClientConnection, Error};
use thiserror::Error as ThisError;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::{LazyConfigAcceptor, TlsConnector, TlsStream};

use super::socket::prepare;
use crate::limits::{LINK_AUTH_BYTES_MAX, LINK_AUTH_READ_BYTES};
use crate::replication::tls::{LINK_ALPN, LinkTls};
use crate::tls::limited_stream::LimitedStream;

/// A TLS stream of a node that holds the key.
pub(super) type LinkStream = TlsStream<LimitedStream>;

/// Why a connection is not authenticated.
#[derive(Debug, ThisError)]
pub(super) enum LinkAuthError {
    /// The other end speaks the link's protocol and does not hold the key.
    #[error("key: the two nodes hold different keys; copy one key file to both")]
    OtherKey,
    /// The other end does not speak the link's protocol.
    #[error("no memtwin link: {0}")]
    OtherProtocol(String),
    /// The socket failed, or the handshake took too long.
    #[error(transparent)]
    Socket(#[from] io::Error),
}

impl LinkAuthError {
    /// An error on a connection whose other end named the link's protocol.
    fn of_link(error: io::Error) -> Self {
        if shows_other_key(&error) {
            Self::OtherKey
        } else {
            Self::of_other(error)
        }
    }

    /// An error on a connection whose other end did not name it.
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

/// A connection that this node has dialled and that waits for the other end's first answer.
pub(super) struct Dialling {
    session: ClientConnection,
    stream: LimitedStream,
    tls: LinkTls,
}

impl Dialling {
    /// Connects and sends the first message of the handshake.
    pub(super) async fn begin(tls: &LinkTls, address: SocketAddr) -> Result<Self, LinkAuthError> {
        let stream = TcpStream::connect(address).await?;
        prepare(&stream)?;
        let mut stream = LimitedStream::new(stream, LINK_AUTH_BYTES_MAX);
        let mut session = ClientConnection::new(Arc::clone(&tls.client), LinkTls::name())
            .map_err(|error| LinkAuthError::OtherProtocol(error.to_string()))?;
        send(&mut session, &mut stream).await?;
        let tls = tls.clone();
        Ok(Self {
            session,
            stream,
            tls,
        })
    }

    /// Ready once the other end has sent something or has closed the connection.
    pub(super) fn poll_answered(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut byte = [0];
        let peeked = self
            .stream
            .stream()
            .poll_peek(cx, &mut ReadBuf::new(&mut byte));
        peeked.map(drop)
    }

    /// Authenticates both ends.
    pub(super) async fn finish(self) -> Result<LinkStream, LinkAuthError> {
        let Self {
            mut session,
            mut stream,
            tls,
        } = self;
        let result = handshake(&mut session, &mut stream).await;
        let speaks_link = session.alpn_protocol() == Some(LINK_ALPN);
        match result {
            Ok(()) if !speaks_link => {
                let what = "TLS without its protocol's name (ALPN)";
                return Err(LinkAuthError::OtherProtocol(what.to_owned()));
            }
            Ok(()) => {}
            Err(error) if speaks_link => return Err(LinkAuthError::of_link(error)),
            Err(error) => return Err(LinkAuthError::of_other(error)),
        }
        // The handshake is complete, so this only wraps the session and the stream.
        let mut stream = TlsConnector::from(tls.client)
            .connect_with(LinkTls::name(), stream, |unused| *unused = session)
            .await?;
        stream.get_mut().0.lift_limit();
        Ok(stream.into())
    }
}

/// Runs the client's side of a handshake. tokio-rustls drops the session when the handshake fails,
/// and with it the ALPN protocol that the server has chosen.
async fn handshake(session: &mut ClientConnection, stream: &mut LimitedStream) -> io::Result<()> {
    let mut buffer = [0; LINK_AUTH_READ_BYTES];
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
            // A session reads nothing after close_notify.
            if session.read_tls(&mut bytes)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Err(error) = session.process_new_packets() {
                // Sends the alert with the reason, if it can.
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

/// Authenticates both ends of an accepted connection. The limit on what the other end may send
/// stays, because its hello is still to be read.
pub(super) async fn accept(tls: &LinkTls, stream: TcpStream) -> Result<LinkStream, LinkAuthError> {
    let stream = LimitedStream::new(stream, LINK_AUTH_BYTES_MAX);
    let start = LazyConfigAcceptor::new(Acceptor::default(), stream)
        .await
        .map_err(LinkAuthError::of_other)?;
    let speaks_link = {
        let hello = start.client_hello();
        let mut protocols = hello.alpn().into_iter().flatten();
        protocols.any(|name| name == LINK_ALPN)
    };
    if !speaks_link {
        let what = "a TLS client that does not ask for the link's protocol (ALPN)";
        return Err(LinkAuthError::OtherProtocol(what.to_owned()));
    }
    let stream = start
        .into_stream(Arc::clone(&tls.server))
        .await
        .map_err(LinkAuthError::of_link)?;
    Ok(stream.into())
}

/// Runs `work` with a time limit.
pub(super) async fn within<T>(
    limit_ms: u64,
    work: impl Future<Output = Result<T, LinkAuthError>>,
) -> Result<T, LinkAuthError> {
    timeout(Duration::from_millis(limit_ms), work)
        .await
        .unwrap_or_else(|_| {
            let what = format!("no proof of the key within {limit_ms} ms");
            Err(io::Error::new(io::ErrorKind::TimedOut, what).into())
        })
}
