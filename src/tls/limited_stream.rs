//! A socket that reads a limited number of bytes from an unauthenticated client.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A TCP stream that reads no more than its allowance and then fails.
///
/// The allowance may be used up by bytes that follow a finished handshake in the same packets. So
/// the first read beyond it only returns `Pending`: the reader can complete the handshake and lift
/// the limit. The second one fails.
pub(crate) struct LimitedStream {
    stream: TcpStream,
    /// Bytes that may still be read; `None`: any number.
    allowance_bytes: Option<usize>,
    was_told: bool,
}

impl LimitedStream {
    pub(crate) fn new(stream: TcpStream, allowance_bytes: usize) -> Self {
        Self {
            stream,
            allowance_bytes: Some(allowance_bytes),
            was_told: false,
        }
    }

    /// The socket.
    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Lifts the limit, because the other end is authenticated.
    pub(crate) fn lift_limit(&mut self) {
        self.allowance_bytes = None;
    }
}

impl AsyncRead for LimitedStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let Some(left_bytes) = &mut this.allowance_bytes else {
            return Pin::new(&mut this.stream).poll_read(cx, buf);
        };
        if *left_bytes == 0 {
            if std::mem::replace(&mut this.was_told, true) {
                let error = io::Error::other("too many bytes in a handshake");
                return Poll::Ready(Err(error));
            }
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let wanted = buf.remaining().min(*left_bytes);
        let mut part = ReadBuf::new(buf.initialize_unfilled_to(wanted));
        ready!(Pin::new(&mut this.stream).poll_read(cx, &mut part))?;
        let read = part.filled().len();
        buf.advance(read);
        *left_bytes -= read;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for LimitedStream {
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
