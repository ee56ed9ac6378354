//! A client's socket: TCP, TLS over TCP, or unix.

use std::io::{self, IoSlice, Read};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf, Ready};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::server::TlsStream;

use crate::tls::limited_stream::LimitedStream;

/// An accepted socket that no runtime owns yet: it is registered by the worker that serves it.
#[derive(Debug)]
pub(crate) enum ClientSocket {
    Tcp(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
}

impl ClientSocket {
    /// Its file descriptor, which it keeps on its worker.
    pub(crate) fn fd(&self) -> RawFd {
        match self {
            Self::Tcp(stream) => stream.as_raw_fd(),
            Self::Unix(stream) => stream.as_raw_fd(),
        }
    }

    /// Registers the socket on this thread's reactor.
    pub(crate) fn register(self) -> io::Result<Stream> {
        Ok(match self {
            Self::Tcp(stream) => Stream::Tcp(TcpStream::from_std(stream)?),
            Self::Unix(stream) => Stream::Unix(UnixStream::from_std(stream)?),
        })
    }
}

/// A client's socket on its worker's reactor.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    /// Boxed: most of it is encryption that other clients do not have.
    Tls(Box<TlsStream<LimitedStream>>),
}

impl Stream {
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut buf = ReadBuf::new(into);
        let polled = match self {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, &mut buf),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, &mut buf),
            Self::Tls(stream) => {
                let polled = Pin::new(&mut **stream).poll_read(cx, &mut buf);
                take_decrypted(stream, &mut buf);
                polled
            }
        };
        polled.map_ok(|()| buf.filled().len())
    }

    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, from),
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, from),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, from),
        }
    }

    pub(crate) fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        from: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, from),
            Self::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, from),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, from),
        }
    }

    /// Sends what was taken by the writes above and is encrypted, but not sent.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(_) | Self::Unix(_) => Poll::Ready(Ok(())),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    /// Whether the client sends no more, and what it has sent is less than `wanted_bytes`: what it
    /// was sending will never be whole. Asked of a socket that is not read meanwhile.
    pub(crate) fn ends_within(&self, cx: &mut Context<'_>, wanted_bytes: usize) -> bool {
        let (ready, unread_bytes) = match self {
            Self::Tcp(stream) => (readiness(stream.ready(READABLE), cx), unread_bytes(stream)),
            Self::Unix(stream) => (readiness(stream.ready(READABLE), cx), unread_bytes(stream)),
            Self::Tls(stream) => {
                let stream = stream.get_ref().0.stream();
                let unread_bytes = unread_bytes(stream).saturating_add(SESSION_BYTES);
                (readiness(stream.ready(READABLE), cx), unread_bytes)
            }
        };
        ready.is_some_and(|ready| ready.is_read_closed()) && unread_bytes < wanted_bytes as u64
    }

    /// Tells a TLS client that nothing follows, if its socket takes that now.
    pub(crate) fn send_close(&mut self, cx: &mut Context<'_>) {
        if let Self::Tls(stream) = self {
            // A client that is gone, or that does not read, has no use for it.
            let _ = Pin::new(stream).poll_shutdown(cx);
        }
    }
}

const READABLE: Interest = Interest::READABLE;
/// More than a TLS session may have read from its socket and not handed out yet.
const SESSION_BYTES: u64 = 64 << 10;

fn readiness(
    ready: impl Future<Output = io::Result<Ready>>,
    cx: &mut Context<'_>,
) -> Option<Ready> {
    match std::pin::pin!(ready).poll(cx) {
        Poll::Ready(Ok(ready)) => Some(ready),
        Poll::Ready(Err(_)) | Poll::Pending => None,
    }
}

fn unread_bytes(socket: impl AsFd) -> u64 {
    rustix::io::ioctl_fionread(socket).unwrap_or(u64::MAX)
}

/// One read decrypts all records that have come in, and hands out the first: the rest is taken
/// here, so that many small records are one turn.
fn take_decrypted(stream: &mut TlsStream<LimitedStream>, buf: &mut ReadBuf<'_>) {
    while !buf.filled().is_empty() && buf.remaining() > 0 {
        match stream.get_mut().1.reader().read(buf.initialize_unfilled()) {
            // The end, or a broken stream, is told by the next read.
            Ok(0) | Err(_) => return,
            Ok(len) => buf.advance(len),
        }
    }
}
