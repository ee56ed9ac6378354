//! A node that has dialled this one and proved the key, before it becomes the link.
//!
//! Its hello is read while the present link runs on, because what it says decides whether it may
//! replace that link: see [`Link::refuses_replacement`].

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::authenticate::{AuthError, LinkStream};
use crate::limits::SILENCE_MS;
use crate::replication::link::{Link, Refusal};
use crate::replication::wire::{Frame, first_frame};
use crate::store::Now;

/// See the module.
pub(super) struct AcceptedLink {
    /// Where it comes from.
    pub(super) from: SocketAddr,
    pub(super) stream: LinkStream,
    /// What it has sent: its hello, and perhaps more.
    pub(super) received: Vec<u8>,
}

impl AcceptedLink {
    /// Waits for the hello on a connection whose other end has proved the key.
    pub(super) async fn read_hello(
        mut stream: LinkStream,
        from: SocketAddr,
    ) -> Result<Self, AuthError> {
        let mut received = Vec::new();
        loop {
            match first_frame(&received) {
                Ok(None) => {}
                Ok(Some(Frame::Hello(_))) => break,
                Ok(Some(_)) => {
                    let what = "a frame before the hello".to_owned();
                    return Err(AuthError::OtherProtocol(what));
                }
                Err(error) => return Err(AuthError::OtherProtocol(error.to_string())),
            }
            // What the stream lets through is limited until the hello is there.
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

    /// Why it may not replace this link, if it may not.
    pub(super) fn refusal(&self, link: &Link, now: Now) -> Option<Refusal> {
        match first_frame(&self.received) {
            Ok(Some(Frame::Hello(hello))) => link.refuses_replacement(&hello, now),
            _ => None,
        }
    }

    /// Tells it why it is refused, and closes the connection.
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
        // Whether it arrives or not: the newcomer tries again, and is told again.
        let _ = timeout(Duration::from_millis(SILENCE_MS), farewell).await;
    }
}
