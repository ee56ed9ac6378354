//! The command line.

use std::net::SocketAddr;
use std::str::FromStr;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand, ValueEnum, value_parser};

/// Drives memcached-like servers side by side and compares what an operation costs each of them.
#[derive(Parser)]
#[command(name = "load")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// What `cargo bench` appends.
    #[arg(long, hide = true, global = true)]
    bench: bool,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Sends load to the servers in turns and prints the comparison.
    Drive(Drive),
    /// Stores all keys, sends one server so many requests, and prints nothing: for tools that count
    /// what the server does.
    Exchange(Exchange),
    /// Prints the same table from samples on standard input, taken by another tool: a line per
    /// server and round with name, ops/s, p50 us, p99 us and server CPU us/op.
    Report(Heading),
}

#[derive(Args, Clone)]
pub(crate) struct Heading {
    /// The line above the table.
    #[arg(long, default_value = "")]
    pub(crate) title: String,
    /// The CPU ratio of the first server to each other one that counts as `ok`.
    #[arg(long)]
    pub(crate) limit: Option<f64>,
}

#[derive(Args)]
pub(crate) struct Drive {
    #[command(flatten)]
    pub(crate) heading: Heading,
    /// A server as NAME=ADDRESS:PORT@PID, or with :text, :meta or :binary after that; the ratios
    /// are of the first one to each other one.
    #[arg(long = "server", required = true)]
    pub(crate) servers: Vec<ServerSpec>,
    #[command(flatten)]
    pub(crate) load: Load,
    /// Rounds to take medians of; a shorter one before them is not counted.
    #[arg(long, default_value_t = 5, value_parser = value_parser!(u32).range(1..=1000))]
    pub(crate) rounds: u32,
    /// Length of a turn in milliseconds.
    #[arg(long, default_value_t = 50, value_parser = value_parser!(u64).range(1..=10_000))]
    pub(crate) turn_ms: u64,
    /// A round gives each server this much time in milliseconds, rounded up to whole turns.
    #[arg(long, default_value_t = 2000, value_parser = value_parser!(u64).range(1..))]
    pub(crate) round_ms: u64,
    /// A round gives each server this many requests instead.
    #[arg(long, conflicts_with = "round_ms")]
    pub(crate) round_requests: Option<u64>,
}

#[derive(Args)]
pub(crate) struct Exchange {
    /// A server as NAME=ADDRESS:PORT@PID, or with :PROTOCOL after that.
    #[arg(long)]
    pub(crate) server: ServerSpec,
    #[command(flatten)]
    pub(crate) load: Load,
    /// Requests to send, rounded up to whole batches.
    #[arg(long)]
    pub(crate) requests: u64,
}

/// What every connection sends.
#[derive(Args, Clone, Copy)]
pub(crate) struct Load {
    #[arg(long, value_enum, default_value_t = Operation::Get)]
    pub(crate) operation: Operation,
    /// Distinct keys, all stored before the first round, drawn at random.
    #[arg(long, default_value_t = 100_000, value_parser = value_parser!(u32).range(1..))]
    pub(crate) keys: u32,
    #[arg(long, default_value_t = 1024, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub(crate) value_bytes: u32,
    #[arg(long, default_value_t = 50, value_parser = value_parser!(u32).range(1..=10_000))]
    pub(crate) connections: u32,
    /// Requests a connection sends in one write; it sends the next when all are answered.
    #[arg(long, default_value_t = 1, value_parser = value_parser!(u32).range(1..=1024))]
    pub(crate) depth: u32,
    /// Start of the random key order.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Operation {
    Get,
    Set,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Protocol {
    Text,
    Meta,
    Binary,
}

#[derive(Clone)]
pub(crate) struct ServerSpec {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    /// The process whose CPU time is read.
    pub(crate) pid: u32,
    pub(crate) protocol: Protocol,
}

impl FromStr for ServerSpec {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let words = "a server is written NAME=ADDRESS:PORT@PID or NAME=ADDRESS:PORT@PID:PROTOCOL";
        let (name, rest) = text.split_once('=').context(words)?;
        let (address, process) = rest.rsplit_once('@').context(words)?;
        let (pid, protocol) = process.split_once(':').unwrap_or((process, "text"));
        let protocol = Protocol::from_str(protocol, false).map_err(anyhow::Error::msg);
        Ok(Self {
            name: name.to_owned(),
            address: address.parse().context(words)?,
            pid: pid.parse().context(words)?,
            protocol: protocol.context(words)?,
        })
    }
}
