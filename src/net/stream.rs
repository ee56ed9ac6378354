//! A client's socket: TCP, TLS over TCP, or unix.

use std::io::{self, IoSlice, Read};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf, Ready};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::server::TlsStream;

use crate::limits::TLS_SESSION_BYTES;
use crate::tls::limited_stream::LimitedStream;

/// An accepted socket that is not registered with a runtime yet; the worker that serves it does
/// that.
pub(crate) enum ClientSocket {
    Tcp(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
}

impl ClientSocket {
    /// Its file descriptor, which does not change when it is registered.
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
pub(crate) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    /// Boxed: a TLS session is large, and most clients have none.
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

    /// Sends bytes that the writes above have encrypted but not sent.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(_) | Self::Unix(_) => Poll::Ready(Ok(())),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    /// Whether the client has closed its side and fewer than `wanted_bytes` are unread: its value
    /// will never be complete. Used while the socket is not read.
    pub(crate) fn ends_within(&self, cx: &mut Context<'_>, wanted_bytes: usize) -> bool {
        let (ready, unread_bytes) = match self {
            Self::Tcp(stream) => (readiness(stream.ready(READABLE), cx), unread_bytes(stream)),
            Self::Unix(stream) => (readiness(stream.ready(READABLE), cx), unread_bytes(stream)),
            Self::Tls(stream) => {
                let stream = stream.get_ref().0.stream();
                let unread_bytes = unread_bytes(stream).saturating_add(TLS_SESSION_BYTES);
                (readiness(stream.ready(READABLE), cx), unread_bytes)
            }
        };
        ready.is_some_and(|ready| ready.is_read_closed()) && unread_bytes < wanted_bytes as u64
    }

    /// Sends close_notify to a TLS client, if its socket takes that now.
    pub(crate) fn send_close(&mut self, cx: &mut Context<'_>) {
        if let Self::Tls(stream) = self {
            // A client that is gone or does not read does not need it.
            let _ = Pin::new(stream).poll_shutdown(cx);
        }
    }
}

const READABLE: Interest = Interest::READABLE;
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

/// One read decrypts all records that have arrived and returns the first. This takes the others, so
/// that many small records are handled in one turn.
fn take_decrypted(stream: &mut TlsStream<LimitedStream>, buf: &mut ReadBuf<'_>) {
    while !buf.filled().is_empty() && buf.remaining() > 0 {
        match stream.get_mut().1.reader().read(buf.initialize_unfilled()) {
            // The next read reports the end or the error.
            Ok(0) | Err(_) => return,
            Ok(len) => buf.advance(len),
        }
    }
}
