//! A TCP proxy on the link between two nodes that can be cut, held up, slowed down and healed, in
//! one direction or in both.

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
/// A narrow link moves a piece this often, so that its bandwidth is even.
const PIECES_PER_SEC: u64 = 100;

/// One direction through a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the node that dials to the one that listens.
    Forward,
    /// From the node that listens to the one that dials.
    Backward,
}

impl Direction {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Forward, Self::Backward];
}

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
    /// Connections of an earlier generation end.
    generation: AtomicU64,
    lanes: [Lane; 2],
}

/// What is done to the data of one direction.
#[derive(Debug, Default)]
struct Lane {
    held: AtomicBool,
    delay_ms: AtomicU64,
    /// 0: as many as come.
    bytes_per_sec: AtomicU64,
    carried_bytes: AtomicU64,
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
        self.hold_towards(&Direction::BOTH);
    }

    /// The same in these directions only.
    pub fn hold_towards(&self, directions: &[Direction]) {
        for &direction in directions {
            self.lane(direction).held.store(true, Ordering::SeqCst);
        }
    }

    /// Ends [`Self::cut`], [`Self::hold`], [`Self::delay`] and [`Self::narrow`].
    pub fn heal(&self) {
        self.delay(0);
        self.narrow(&Direction::BOTH, 0);
        for direction in Direction::BOTH {
            self.lane(direction).held.store(false, Ordering::SeqCst);
        }
        self.valve.cut.store(false, Ordering::SeqCst);
    }

    /// From now on every piece of data is forwarded this much later.
    pub fn delay(&self, delay_ms: u64) {
        for direction in Direction::BOTH {
            let lane = self.lane(direction);
            lane.delay_ms.store(delay_ms, Ordering::SeqCst);
        }
    }

    /// From now on these directions carry so many bytes a second at most; 0 ends that.
    pub fn narrow(&self, directions: &[Direction], bytes_per_sec: u64) {
        for &direction in directions {
            let lane = self.lane(direction);
            lane.bytes_per_sec.store(bytes_per_sec, Ordering::SeqCst);
        }
    }

    /// Bytes that have come through in either direction.
    pub fn carried_bytes(&self) -> u64 {
        let lanes = self.valve.lanes.iter();
        lanes
            .map(|it| it.carried_bytes.load(Ordering::SeqCst))
            .sum()
    }

    fn lane(&self, direction: Direction) -> &Lane {
        &self.valve.lanes[direction as usize]
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
    for (direction, (from, to)) in Direction::BOTH.into_iter().zip([(near, far), back]) {
        let valve = Arc::clone(valve);
        thread::spawn(move || pump(from, to, &valve, direction, generation));
    }
    Ok(())
}

fn pump(
    mut from: TcpStream,
    mut to: TcpStream,
    valve: &Valve,
    direction: Direction,
    generation: u64,
) {
    let lane = &valve.lanes[direction as usize];
    let mut buffer = vec![0; BUFFER_BYTES];
    while !valve.has_ended(generation) {
        if lane.held.load(Ordering::SeqCst) {
            thread::sleep(GLANCE);
            continue;
        }
        let room = lane.piece_bytes();
        let count = match from.read(&mut buffer[..room]) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                continue;
            }
            Err(_) => break,
        };
        thread::sleep(lane.time_of(count));
        if valve.has_ended(generation) || to.write_all(&buffer[..count]).is_err() {
            break;
        }
        lane.carried_bytes.fetch_add(count as u64, Ordering::SeqCst);
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

impl Lane {
    /// How much is moved at once.
    fn piece_bytes(&self) -> usize {
        match self.bytes_per_sec.load(Ordering::SeqCst) {
            0 => BUFFER_BYTES,
            bytes => BUFFER_BYTES.min((bytes / PIECES_PER_SEC).max(1) as usize),
        }
    }

    /// How long a piece is under way.
    fn time_of(&self, count: usize) -> Duration {
        let delay = Duration::from_millis(self.delay_ms.load(Ordering::SeqCst));
        match self.bytes_per_sec.load(Ordering::SeqCst) {
            0 => delay,
            bytes => delay + Duration::from_secs(1) * count as u32 / bytes as u32,
        }
    }
}
