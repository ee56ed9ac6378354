//! Replies that a socket has not taken yet.

use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};

use super::stream::Stream;
use crate::frontend::Output;
use crate::limits::WRITE_RUNS_MAX;
use crate::store::{Purpose, Reservation, Store};

/// The unsent replies of a client. While there are any, its socket is not read.
pub(crate) struct WriteQueue {
    output: Output,
    sent: usize,
    /// Charges the memory of the replies. Large values are charged as items already.
    _reservation: Reservation,
}

impl WriteQueue {
    pub(crate) fn new(output: Output, sent: usize, store: &Store) -> Self {
        let mut reservation = store.reservation(Purpose::Output);
        reservation.resize(output.bytes.capacity() as u64);
        Self {
            output,
            sent,
            _reservation: reservation,
        }
    }

    /// Sends what the socket takes.
    pub(crate) fn poll_flush(
        &mut self,
        stream: &mut Stream,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        match poll_send(&self.output, self.sent, stream, cx)? {
            Ok(()) => Poll::Ready(Ok(())),
            Err(sent) => {
                self.sent = sent;
                Poll::Pending
            }
        }
    }
}

/// Sends all but the first `sent` bytes; `Err` with the bytes sent so far when the socket takes no
/// more for now.
pub(crate) fn poll_send(
    output: &Output,
    mut sent: usize,
    stream: &mut Stream,
    cx: &mut Context<'_>,
) -> io::Result<Result<(), usize>> {
    let total = output.len();
    while sent < total {
        match poll_once(output, sent, stream, cx) {
            Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
            Poll::Ready(Ok(len)) => sent += len,
            Poll::Ready(Err(error)) => return Err(error),
            Poll::Pending => return Ok(Err(sent)),
        }
    }
    match stream.poll_flush(cx)? {
        Poll::Ready(()) => Ok(Ok(())),
        Poll::Pending => Ok(Err(sent)),
    }
}

fn poll_once(
    output: &Output,
    sent: usize,
    stream: &mut Stream,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    if output.is_flat() {
        return stream.poll_write(cx, &output.bytes[sent..]);
    }
    let chunks: Vec<_> = output.chunks_after(sent).take(WRITE_RUNS_MAX).collect();
    let slices = chunks
        .iter()
        .map(|(from, chunk)| IoSlice::new(&chunk.bytes()[*from..]));
    let slices: Vec<_> = slices.collect();
    let len = ready!(stream.poll_write_vectored(cx, &slices))?;
    Poll::Ready(Ok(len))
}
