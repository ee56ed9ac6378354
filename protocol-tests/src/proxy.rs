//! A TCP proxy on the link between two nodes that can be cut, held up and healed.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Result;

/// How often the threads look whether something has changed.
const GLANCE: Duration = Duration::from_millis(5);
const CONNECT_PATIENCE: Duration = Duration::from_secs(1);
const BUFFER_BYTES: usize = 64 * 1024;

/// A proxy in front of one address.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    valve: Arc<Valve>,
    acceptor: Option<JoinHandle<()>>,
}

/// What the threads of a proxy share.
#[derive(Debug, Default)]
struct Valve {
    stopped: AtomicBool,
    cut: AtomicBool,
    held: AtomicBool,
    /// Connections of an earlier generation end.
    generation: AtomicU64,
    delay_ms: AtomicU64,
}

impl Proxy {
    /// Listens on a free port and forwards every connection to `target`.
    pub fn start(target: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let valve = Arc::new(Valve::default());
        let own = Arc::clone(&valve);
        let acceptor = thread::spawn(move || accept(&listener, target, &own));
        Ok(Self {
            address,
            valve,
            acceptor: Some(acceptor),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes all connections and lets none through until [`Self::heal`].
    pub fn cut(&self) {
        self.valve.cut.store(true, Ordering::SeqCst);
        self.valve.generation.fetch_add(1, Ordering::SeqCst);
    }

    /// Keeps connections open but moves no byte until [`Self::heal`].
    pub fn hold(&self) {
        self.valve.held.store(true, Ordering::SeqCst);
    }

    /// Ends [`Self::cut`] and [`Self::hold`].
    pub fn heal(&self) {
        self.valve.cut.store(false, Ordering::SeqCst);
        self.valve.held.store(false, Ordering::SeqCst);
    }

    /// From now on every piece of data is forwarded this much later.
    pub fn delay(&self, delay_ms: u64) {
        self.valve.delay_ms.store(delay_ms, Ordering::SeqCst);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.valve.stopped.store(true, Ordering::SeqCst);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

impl Valve {
    fn has_ended(&self, generation: u64) -> bool {
        self.stopped.load(Ordering::SeqCst) || self.generation.load(Ordering::SeqCst) != generation
    }
}

fn accept(listener: &TcpListener, target: SocketAddr, valve: &Arc<Valve>) {
    while !valve.stopped.load(Ordering::SeqCst) {
        let Ok((near, _)) = listener.accept() else {
            thread::sleep(GLANCE);
            continue;
        };
        let generation = valve.generation.load(Ordering::SeqCst);
        if valve.cut.load(Ordering::SeqCst) {
            continue;
        }
        // The target may be down: then the caller is hung up on, as without a proxy.
        if let Ok(far) = TcpStream::connect_timeout(&target, CONNECT_PATIENCE) {
            let _ = join(near, far, valve, generation);
        }
    }
}

/// Two threads, one for each direction; either ends both.
fn join(near: TcpStream, far: TcpStream, valve: &Arc<Valve>, generation: u64) -> io::Result<()> {
    for stream in [&near, &far] {
        stream.set_nonblocking(false)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(GLANCE))?;
    }
    let back = (far.try_clone()?, near.try_clone()?);
    for (from, to) in [(near, far), back] {
        let valve = Arc::clone(valve);
        thread::spawn(move || pump(from, to, &valve, generation));
    }
    Ok(())
}

fn pump(mut from: TcpStream, mut to: TcpStream, valve: &Valve, generation: u64) {
    let mut buffer = vec![0; BUFFER_BYTES];
    while !valve.has_ended(generation) {
        if valve.held.load(Ordering::SeqCst) {
            thread::sleep(GLANCE);
            continue;
        }
        let count = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                continue;
            }
            Err(_) => break,
        };
        thread::sleep(Duration::from_millis(valve.delay_ms.load(Ordering::SeqCst)));
        if valve.has_ended(generation) || to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
