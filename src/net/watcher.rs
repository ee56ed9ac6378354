//! A client that watches: lines are sent to it, and its input is discarded.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};

use super::stream::Stream;
use super::write_queue::WriteQueue;
use crate::frontend::Output;
use crate::limits::WATCHER_INPUT_BYTES;
use crate::node::watch::Watcher;

/// Sends lines until the client disconnects.
pub(crate) async fn serve(stream: &mut Stream, watcher: &Watcher) -> io::Result<()> {
    let mut sending = Some(output(b"OK\r\n".to_vec(), watcher));
    poll_fn(|cx| poll_serve(stream, watcher, &mut sending, cx)).await
}

fn poll_serve(
    stream: &mut Stream,
    watcher: &Watcher,
    sending: &mut Option<WriteQueue>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    let mut input = [0; WATCHER_INPUT_BYTES];
    loop {
        match stream.poll_read(cx, &mut input)? {
            Poll::Ready(0) => return Poll::Ready(Ok(())),
            Poll::Ready(_) => continue,
            Poll::Pending => {}
        }
        if let Some(pending) = sending {
            if pending.poll_flush(stream, cx)?.is_pending() {
                return Poll::Pending;
            }
            *sending = None;
        }
        match watcher.mailbox.take(cx.waker()) {
            Some(lines) => {
                *sending = Some(output(lines, watcher));
            }
            None => return Poll::Pending,
        }
    }
}

fn output(bytes: Vec<u8>, watcher: &Watcher) -> WriteQueue {
    let mut output = Output::default();
    output.bytes = bytes;
    WriteQueue::new(output, 0, &watcher.node.store)
}
