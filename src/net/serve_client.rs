//! One client's task on its worker.

use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::Poll;

use super::connection::Connection;
use super::connection_slot::ConnectionSlot;
use super::stream::Stream;
use super::worker_context::WorkerContext;

/// Serves a client until either side ends the connection.
pub(crate) async fn serve_client(stream: Stream, slot: ConnectionSlot, worker: Rc<WorkerContext>) {
    let speaks_tls = matches!(stream, Stream::Tls(_));
    let fd = slot.entry.fd;
    let mut connection = Connection::new(stream, slot, Rc::clone(&worker));
    tracing::trace!("a client connected");
    let mut ended = poll_fn(|cx| connection.poll_serve(cx)).await;
    if let Ok(Some(watcher)) = ended {
        ended = connection.send_to(watcher).await.map(|()| None);
    }
    poll_fn(|cx| {
        connection.send_close(cx);
        Poll::Ready(())
    })
    .await;
    match ended {
        Ok(_) => tracing::trace!("a client left"),
        // Many TLS clients disconnect without close_notify.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            tracing::trace!("a client left");
        }
        Err(error) => {
            if speaks_tls {
                worker.log().tls_failed(fd, &error);
            }
            if error
                .get_ref()
                .is_some_and(|cause| cause.is::<rustls::Error>())
            {
                worker.node.counters.ssl_proto_errors.count_shared();
            }
            tracing::trace!(%error, "a connection broke");
        }
    }
}
