//! One server under load: its connections and a turn of theirs.

use std::io;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use mio::{Events, Poll, Token};

use crate::args::{Load, Operation, ServerSpec};
use crate::batch::Keys;
use crate::connection::Connection;
use crate::cpu;

pub(crate) struct Server {
    pid: u32,
    poll: Poll,
    events: Events,
    connections: Vec<Connection>,
}

/// When a turn stops sending.
#[derive(Clone, Copy)]
pub(crate) struct Bound {
    pub(crate) time: Duration,
    pub(crate) requests: u64,
}

/// What the turns of one round add up to.
pub(crate) struct Tally {
    pub(crate) operations: u64,
    pub(crate) elapsed: Duration,
    pub(crate) server_cpu: Duration,
    pub(crate) load_cpu: Duration,
    pub(crate) latency_ns: Histogram<u64>,
}

impl Server {
    pub(crate) fn open(spec: &ServerSpec, load: &Load) -> Result<Self> {
        let mut draw = fastrand::Rng::with_seed(load.seed);
        Self::open_with(spec, load, || Keys::Random {
            draw: draw.fork(),
            keys: load.keys,
        })
    }

    /// Stores every key once.
    pub(crate) fn preload(spec: &ServerSpec, load: &Load) -> Result<()> {
        let storing = Load {
            operation: Operation::Set,
            connections: 1,
            depth: 64,
            ..*load
        };
        let keys = load.keys;
        let server = Self::open_with(spec, &storing, || Keys::InTurn { next: 0, keys })?;
        server
            .complete(keys.into())
            .with_context(|| format!("cannot fill {}", spec.name))
    }

    /// Sends so many requests and waits for their replies.
    pub(crate) fn exchange_once(spec: &ServerSpec, load: &Load, requests: u64) -> Result<()> {
        Self::open(spec, load)?.complete(requests)
    }

    fn complete(mut self, requests: u64) -> Result<()> {
        let all = Bound {
            time: COMPLETE_TIME_MAX,
            requests,
        };
        let mut tally = Tally::new()?;
        self.turn(all, &mut tally)?;
        ensure!(tally.operations >= requests, "it took too long");
        Ok(())
    }

    fn open_with(spec: &ServerSpec, load: &Load, mut keys: impl FnMut() -> Keys) -> Result<Self> {
        let poll = Poll::new()?;
        let connections = (0..load.connections)
            .map(|at| {
                let token = Token(at as usize);
                Connection::open(spec, load, keys(), poll.registry(), token)
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Self {
            pid: spec.pid,
            poll,
            events: Events::with_capacity(1024),
            connections,
        })
    }

    /// Sends until the bound, waits for every reply, then for the server to rest.
    pub(crate) fn turn(&mut self, bound: Bound, tally: &mut Tally) -> Result<()> {
        let server_cpu = cpu::on_cpu(self.pid)?;
        let load_cpu = cpu::own();
        let start = Instant::now();
        self.exchange(start + bound.time, bound.requests, tally)?;
        tally.elapsed += start.elapsed();
        tally.load_cpu += cpu::own() - load_cpu;
        tally.server_cpu += cpu::at_rest(self.pid)?.saturating_sub(server_cpu);
        Ok(())
    }

    fn exchange(&mut self, end: Instant, requests: u64, tally: &mut Tally) -> Result<()> {
        let mut started = 0;
        let mut busy = 0;
        for connection in &mut self.connections {
            connection.send_batch()?;
            started += connection.requests_per_batch();
            busy += 1;
        }
        while busy > 0 {
            match self.poll.poll(&mut self.events, Some(SILENCE_MAX)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            ensure!(
                !self.events.is_empty(),
                "no reply for {} s",
                SILENCE_MAX.as_secs()
            );
            for event in &self.events {
                let connection = &mut self.connections[event.token().0];
                if event.is_writable() {
                    connection.send_rest()?;
                }
                if !event.is_readable() || connection.is_answered() {
                    continue;
                }
                let complete = connection.receive()?;
                let now = Instant::now();
                tally.record(complete, now - connection.sent_at());
                if !connection.is_answered() {
                    continue;
                }
                if now < end && started < requests {
                    connection.send_batch()?;
                    started += connection.requests_per_batch();
                } else {
                    busy -= 1;
                }
            }
        }
        Ok(())
    }
}

impl Tally {
    pub(crate) fn new() -> Result<Self> {
        let longest_ns = LATENCY_SHOWN_MAX.as_nanos() as u64;
        Ok(Self {
            operations: 0,
            elapsed: Duration::ZERO,
            server_cpu: Duration::ZERO,
            load_cpu: Duration::ZERO,
            latency_ns: Histogram::new_with_max(longest_ns, LATENCY_DIGITS)?,
        })
    }

    fn record(&mut self, operations: u64, latency: Duration) {
        self.operations += operations;
        self.latency_ns
            .saturating_record_n(latency.as_nanos() as u64, operations);
    }
}

/// A server that says nothing for this long has failed.
const SILENCE_MAX: Duration = Duration::from_secs(5);
const COMPLETE_TIME_MAX: Duration = Duration::from_secs(600);
const LATENCY_SHOWN_MAX: Duration = Duration::from_secs(60);
const LATENCY_DIGITS: u8 = 3;
