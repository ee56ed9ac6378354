//! A socket that gives a stranger only so many bytes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A TCP stream that fails once it has been sent more than its allowance.
#[derive(Debug)]
pub(crate) struct Metered {
    stream: TcpStream,
    /// Bytes it may still be sent; `None`: any number.
    allowance_bytes: Option<usize>,
}

impl Metered {
    pub(crate) fn new(stream: TcpStream, allowance_bytes: usize) -> Self {
        Self {
            stream,
            allowance_bytes: Some(allowance_bytes),
        }
    }

    /// The other end has proved who it is.
    pub(crate) fn lift(&mut self) {
        self.allowance_bytes = None;
    }
}

impl AsyncRead for Metered {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
        if let Some(allowance_bytes) = &mut this.allowance_bytes {
            let read = buf.filled().len() - before;
            *allowance_bytes = allowance_bytes
                .checked_sub(read)
                .ok_or_else(|| io::Error::other("too many bytes in a handshake"))?;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Metered {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
