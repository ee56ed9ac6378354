//! An accepted and authenticated connection that is not the link yet.
//!
//! Its hello is read while the present link is still running, because the hello decides whether the
//! connection may replace that link: see [`Link::refuses_replacement`].

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::authenticate::{LinkAuthError, LinkStream};
use crate::limits::SILENCE_MS;
use crate::replication::link::{Link, Refusal};
use crate::replication::wire::{Frame, first_frame};
use crate::store::Now;

/// See the module.
pub(super) struct AcceptedLink {
    /// The address of the other node.
    pub(super) from: SocketAddr,
    pub(super) stream: LinkStream,
    /// Bytes read so far: the hello, and perhaps more.
    pub(super) received: Vec<u8>,
}

impl AcceptedLink {
    /// Reads until the hello is complete.
    pub(super) async fn read_hello(
        mut stream: LinkStream,
        from: SocketAddr,
    ) -> Result<Self, LinkAuthError> {
        let mut received = Vec::new();
        loop {
            match first_frame(&received) {
                Ok(None) => {}
                Ok(Some(Frame::Hello(_))) => break,
                Ok(Some(_)) => {
                    let what = "a frame before the hello".to_owned();
                    return Err(LinkAuthError::OtherProtocol(what));
                }
                Err(error) => return Err(LinkAuthError::OtherProtocol(error.to_string())),
            }
            // The stream limits the number of bytes until the hello is complete.
            if stream.read_buf(&mut received).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
        }
        stream.get_mut().0.lift_limit();
        Ok(Self {
            from,
            stream,
            received,
        })
    }

    /// Why it may not replace `link`; `None` if it may.
    pub(super) fn refusal(&self, link: &Link, now: Now) -> Option<Refusal> {
        match first_frame(&self.received) {
            Ok(Some(Frame::Hello(hello))) => link.refuses_replacement(&hello, now),
            _ => None,
        }
    }

    /// Whether it only asks if this node runs: side 0 dials, so a side 1 that connects to it is
    /// waiting for a link ([`probe`](super::probe)).
    pub(super) fn is_probe(&self, link: &Link) -> bool {
        let is_side_1 = match first_frame(&self.received) {
            Ok(Some(Frame::Hello(hello))) => hello.side == 1,
            _ => false,
        };
        is_side_1 && link.config().side == 0
    }

    /// Closes the connection of a node that has its answer.
    pub(super) async fn close(mut self) {
        // The other node needs no more than the end of the connection.
        let _ = timeout(Duration::from_millis(SILENCE_MS), self.stream.shutdown()).await;
    }

    /// Sends the reason of the refusal and closes the connection.
    pub(super) async fn refuse(mut self, refusal: Refusal) {
        let mut frame = Vec::new();
        let refuse = Frame::Refuse {
            code: refusal.kind as u8,
            reason: &refusal.reason,
        };
        refuse.encode(&mut frame);
        let farewell = async {
            self.stream.write_all(&frame).await?;
            self.stream.shutdown().await
        };
        // If it does not arrive, the other node gets the reason at its next attempt.
        let _ = timeout(Duration::from_millis(SILENCE_MS), farewell).await;
    }
}
