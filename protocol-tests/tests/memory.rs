//! Resident memory of a full server: at most 1.2 times `-m`.
//!
//! Meant for the release build; memcached's figures are measured beside it and only reported.

use anyhow::{Result, ensure};
use protocol_tests::server::Server;
use protocol_tests::subject::{Kind, Subject};
use protocol_tests::writers;

const MIB: u64 = 1 << 20;
/// What a full server may take, as a multiple of `-m`.
const RATIO_MAX: f64 = 1.2;
/// How much is written, as a multiple of `-m`.
const WRITTEN_RATIO: f64 = 1.5;
const WRITERS: usize = 2;
/// Bytes sent at once.
const PIPELINE_BYTES: usize = 256 << 10;

/// What the values are like.
#[derive(Clone, Copy, Debug)]
enum Values {
    /// All of 1 KB.
    OneKilobyte,
    /// From 100 bytes to 500 KB, each size class about as many bytes.
    Mixed,
}

impl Values {
    fn length(self, rng: &mut fastrand::Rng) -> usize {
        match self {
            Self::OneKilobyte => 1024,
            Self::Mixed => {
                // Evenly spread over the logarithm.
                let exponent = rng.f64() * (500_000_f64 / 100.0).ln();
                (100.0 * exponent.exp()) as usize
            }
        }
    }
}

#[test]
fn full_of_1_kb_items() -> Result<()> {
    measure_all(Values::OneKilobyte)
}

#[test]
fn full_of_a_mix_from_100_b_to_500_kb() -> Result<()> {
    measure_all(Values::Mixed)
}

fn measure_all(values: Values) -> Result<()> {
    let mut too_much = Vec::new();
    for limit_mib in [64, 256, 1024] {
        for subject in [Subject::memtwin()?, Subject::memcached()?] {
            let ratio = measure(&subject, values, limit_mib)?;
            let line = format!("{values:?}, -m {limit_mib}, {}: {ratio:.3}", subject.kind());
            eprintln!("{line}");
            if subject.kind() == Kind::Memtwin && ratio > RATIO_MAX {
                too_much.push(line);
            }
        }
    }
    ensure!(
        too_much.is_empty(),
        "resident memory over -m: {}",
        too_much.join("; ")
    );
    Ok(())
}

/// Fills a server and returns its resident memory as a multiple of `-m`.
fn measure(subject: &Subject, values: Values, limit_mib: u64) -> Result<f64> {
    let server = Server::start(subject, &["-m", &limit_mib.to_string(), "-t", "2"])?;
    let bytes_each = (limit_mib * MIB) as f64 * WRITTEN_RATIO / WRITERS as f64;
    writers::run(WRITERS, |writer| {
        fill(&server, values, writer as u64, bytes_each as u64)
    })?;
    let stats = server.connect()?.stats("stats")?;
    // Filled to the brim, else the figure says nothing.
    ensure!(
        stats.get("evictions").is_some_and(|count| count != "0"),
        "nothing was evicted"
    );
    Ok(server.resident_bytes()? as f64 / (limit_mib * MIB) as f64)
}

fn fill(server: &Server, values: Values, writer: u64, bytes: u64) -> Result<()> {
    let mut client = server.connect()?;
    let mut rng = fastrand::Rng::with_seed(writer);
    let value: Vec<u8> = (0..500_000_u32).map(|index| (index % 251) as u8).collect();
    let mut pipeline = Vec::with_capacity(2 * PIPELINE_BYTES);
    let (mut written, mut number) = (0, 0_u64);
    while written < bytes {
        let length = values.length(&mut rng);
        let head = format!("set w{writer}key{number:010} 0 0 {length} noreply\r\n");
        pipeline.extend_from_slice(head.as_bytes());
        pipeline.extend_from_slice(&value[..length]);
        pipeline.extend_from_slice(b"\r\n");
        written += length as u64;
        number += 1;
        if pipeline.len() >= PIPELINE_BYTES {
            client.send(&pipeline)?;
            pipeline.clear();
        }
    }
    client.send(&pipeline)?;
    // noreply: only this answer says that all of it has arrived.
    ensure!(client.ask("version")?.starts_with("VERSION "));
    Ok(())
}
