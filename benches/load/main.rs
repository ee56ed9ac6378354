//! The load tool of `scripts/bench`: drives memcached-like servers side by side and prints what an
//! operation costs each of them.
//!
//! One thread and one epoll per server. Servers take turns of about 50 ms, because two servers
//! measured one after the other differ by 10 % and more on a shared machine even when they are the
//! same program. A turn sends to one server only, waits until every reply has come and the server
//! rests, and reads the server's CPU time at both edges. Every reply is checked; the first wrong
//! one ends the run.
//!
//!   args      the command line, parsed into what the other files need
//!   protocol  what requests and replies look like
//!   batch     the bytes of one pipelined batch of requests
//!   replies   checks the answers to a batch, however the reads cut them
//!   connection, server    sockets; a turn
//!   rounds    turns into rounds, rounds into samples
//!   report    samples into medians, ratios and a table
//!
//! `cargo bench` and `cargo test --benches` start every bench target. Without one of its own
//! commands as first argument this one does nothing.

mod args;
mod batch;
mod connection;
mod cpu;
mod protocol;
mod replies;
mod report;
mod rounds;
mod server;

use std::io::Read;

use anyhow::Context;
use clap::Parser;

use crate::args::{Cli, Command};
use crate::report::{Report, Sample};
use crate::server::Server;

fn main() -> anyhow::Result<()> {
    let ours = ["drive", "exchange", "report", "help", "--help"];
    if !std::env::args()
        .nth(1)
        .is_some_and(|first| ours.contains(&first.as_str()))
    {
        return Ok(());
    }
    match Cli::parse().command {
        Command::Drive(drive) => {
            let samples = rounds::run(&drive)?;
            print(&Report::new(drive.heading, &samples)?);
        }
        Command::Exchange(exchange) => {
            Server::preload(&exchange.server, &exchange.load)?;
            Server::exchange_once(&exchange.server, &exchange.load, exchange.requests)?;
        }
        Command::Report(heading) => {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .context("cannot read standard input")?;
            let samples: Vec<Sample> = text.lines().map(str::parse).collect::<Result<_, _>>()?;
            print(&Report::new(heading, &samples)?);
        }
    }
    Ok(())
}

#[expect(
    clippy::print_stdout,
    reason = "the table is what a person runs this tool for"
)]
fn print(report: &Report) {
    println!("{report}");
}
