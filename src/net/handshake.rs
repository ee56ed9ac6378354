//! TLS handshakes of one worker, limited in number, bytes and time.
//!
//! A step of a handshake may sign or verify, which takes a millisecond, so a worker takes only one
//! such step before its other tasks have had their turn. A client that has sent nothing costs only
//! its socket. An unfinished handshake is closed after a time limit, and the oldest one when there
//! are too many.

use std::future::poll_fn;
use std::io;
use std::os::fd::AsRawFd;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use rustls::HandshakeKind;
use tokio::net::TcpStream;
use tokio::task::{AbortHandle, yield_now};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::connection_slot::ConnectionSlot;
use super::handshakes::Handshakes;
use super::serve_client::serve_client;
use super::stream::Stream;
use super::worker_context::WorkerContext;
use crate::limits::{HANDSHAKE_BYTES_MAX, HANDSHAKE_MS};
use crate::logs::clients;
use crate::tls::limited_stream::LimitedStream;
use crate::tls::{ClientTls, TlsPolicy};

/// An unfinished handshake. Dropping it removes it from the list.
struct Open {
    worker: Rc<WorkerContext>,
    id: u64,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.worker.handshakes.open.borrow_mut().remove(&self.id);
    }
}

/// Starts a task that runs the handshake and then serves the client.
pub(crate) fn begin(
    worker: &Rc<WorkerContext>,
    socket: std::net::TcpStream,
    policy: TlsPolicy,
    slot: ConnectionSlot,
) -> AbortHandle {
    let this = &worker.handshakes;
    this.make_room(&worker.node);
    let id = this.begun.get();
    this.begun.set(id + 1);
    let open = Open {
        worker: Rc::clone(worker),
        id,
    };
    let task = tokio::task::spawn_local(async move {
        let worker = Rc::clone(&open.worker);
        let admitted = admit(&worker, socket, policy).await;
        drop(open);
        if let Some(stream) = admitted {
            serve_client(stream, slot, worker).await;
        }
    });
    let task = task.abort_handle();
    this.open.borrow_mut().insert(id, task.clone());
    task
}

/// Runs the handshake with a time limit. `None` if it failed, which is counted.
async fn admit(
    worker: &WorkerContext,
    socket: std::net::TcpStream,
    policy: TlsPolicy,
) -> Option<Stream> {
    let tls = worker.node.tls.as_deref()?;
    let fd = socket.as_raw_fd();
    let time = Duration::from_millis(HANDSHAKE_MS);
    let shaken = timeout(time, shake(&worker.handshakes, tls, socket, policy)).await;
    let counters = &worker.node.counters;
    match shaken {
        Ok(Ok((stream, kind))) => {
            if kind != Some(HandshakeKind::Resumed) {
                counters.ssl_new_sessions.count_shared();
            }
            return Some(stream);
        }
        Ok(Err(error)) => {
            worker.log().tls_failed(fd, &error);
            clients::handshake_failed(&error);
        }
        Err(_) => {
            let late = "the handshake took too long";
            worker.log().tls_failed(fd, &late);
            clients::handshake_failed(&late);
        }
    }
    counters.ssl_handshake_errors.count_shared();
    None
}

async fn shake(
    handshakes: &Handshakes,
    tls: &ClientTls,
    socket: std::net::TcpStream,
    policy: TlsPolicy,
) -> io::Result<(Stream, Option<HandshakeKind>)> {
    let socket = TcpStream::from_std(socket)?;
    socket.readable().await?;
    let socket = LimitedStream::new(socket, HANDSHAKE_BYTES_MAX);
    let accept = TlsAcceptor::from(tls.config(policy)).accept_with(socket, |session| {
        session.set_buffer_limit(Some(tls.write_bytes()));
    });
    let mut accept = pin!(accept);
    loop {
        let turn = handshakes.turn.lock().await;
        yield_now().await;
        let step = poll_fn(|cx| Poll::Ready(accept.as_mut().poll(cx))).await;
        drop(turn);
        if let Poll::Ready(shaken) = step {
            let mut stream = shaken?;
            let (socket, session) = stream.get_mut();
            socket.lift_limit();
            let kind = session.handshake_kind();
            return Ok((Stream::Tls(Box::new(stream)), kind));
        }
        woken().await;
    }
}

/// Waits until this task is woken for any reason.
async fn woken() {
    let mut waited = false;
    poll_fn(|_| {
        if std::mem::replace(&mut waited, true) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}
