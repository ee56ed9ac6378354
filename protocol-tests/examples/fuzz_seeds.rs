//! Writes the inputs that fuzzing begins with: `fuzz_seeds FOLDER` makes one folder per target.
//!
//! They are what the other tests send: transcripts, known attacks, random sequences. Before each
//! stand the first bytes of an input: modes, number and lengths of pieces (see the fuzz crate).

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use protocol_tests::attacks;
use protocol_tests::packets::{Packet, count, packet, raw_header, store};
use protocol_tests::random::{Generator, Oracle, Request};
use protocol_tests::random_binary;
use protocol_tests::transcript::{Action, Captures, parse};

/// Longer ones are cut off: the fuzzer takes none.
const SEED_BYTES_MAX: usize = 32 << 10;
const SEQUENCES: u64 = 20;
const REQUESTS: usize = 30;

fn main() -> Result<()> {
    let folder = std::env::args_os().nth(1).context("name a folder")?;
    let folder = PathBuf::from(folder);
    let mut text = Seeds::begin(&folder, "text")?;
    let mut meta = Seeds::begin(&folder, "meta")?;
    let transcripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("transcripts");
    for entry in fs::read_dir(transcripts)? {
        let path = entry?.path();
        if path.extension().is_none_or(|kind| kind != "txt") {
            continue;
        }
        let sent = sent_by(&path)?;
        let is_meta = path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("meta"));
        if is_meta { &mut meta } else { &mut text }.add(&sent)?;
    }
    for (_, line, _) in attacks::on_classic_commands() {
        text.add(line.as_bytes())?;
    }
    for (_, line, _) in attacks::on_meta_commands() {
        meta.add(line.as_bytes())?;
    }
    for seed in 0..SEQUENCES {
        text.add(&sequence(seed, Oracle::Old))?;
        meta.add(&sequence(seed, Oracle::New))?;
    }
    let mut binary = Seeds::begin(&folder, "binary")?;
    binary.add(&all_opcodes().concat())?;
    for packet in all_opcodes() {
        binary.add(&packet)?;
    }
    for seed in 0..SEQUENCES {
        let requests = random_binary::Generator::new(seed, Oracle::New).sequence(REQUESTS);
        let packets = requests.into_iter().map(|request| match request.broken {
            Some(bytes) => bytes,
            None => request.packet.bytes(),
        });
        binary.add(&packets.collect::<Vec<_>>().concat())?;
    }
    Seeds::begin(&folder, "link")?.add(&[0, 0, 0, 1, 13])
}

struct Seeds {
    folder: PathBuf,
    count: usize,
}

impl Seeds {
    fn begin(folder: &Path, target: &str) -> Result<Self> {
        let folder = folder.join(target);
        fs::create_dir_all(&folder)?;
        Ok(Self { folder, count: 0 })
    }

    /// Each in two pieces of two lengths, a turn for each request now and then.
    fn add(&mut self, bytes: &[u8]) -> Result<()> {
        self.count += 1;
        let modes = if self.count.is_multiple_of(3) { 16 } else { 0 };
        let mut seed = vec![modes, 2];
        seed.extend_from_slice(&(self.count as u16).to_le_bytes());
        seed.extend_from_slice(&100_u16.to_le_bytes());
        seed.extend_from_slice(&bytes[..bytes.len().min(SEED_BYTES_MAX)]);
        let name = format!("seed-{:04}", self.count);
        fs::write(self.folder.join(name), seed).context("cannot write a seed")
    }
}

/// What a transcript's first connection sends; without lines that repeat numbers of answers.
fn sent_by(path: &Path) -> Result<Vec<u8>> {
    let transcript = parse(path)?;
    let mut sent = Vec::new();
    for step in transcript.steps.iter().filter(|step| step.connection == 1) {
        if let Action::Send(template) = &step.action
            && let Ok(bytes) = template.fill(&Captures::new())
        {
            sent.extend(bytes);
        }
    }
    Ok(sent)
}

fn sequence(seed: u64, oracle: Oracle) -> Vec<u8> {
    let requests = Generator::new(seed, oracle).sequence(REQUESTS);
    let bytes = requests.into_iter().flat_map(|request| match request {
        Request::Bytes(bytes) | Request::Settled(bytes) => bytes,
        Request::CasLastSeen { head, tail, .. } => {
            [head.as_bytes(), b" 1", tail.as_slice()].concat()
        }
    });
    bytes.collect()
}

fn all_opcodes() -> Vec<Vec<u8>> {
    let mut packets: Vec<Packet> = (0..=0x25)
        .map(|opcode| match opcode {
            0x01..=0x03 | 0x11..=0x13 => store(opcode, "a", 5, 0, b"value"),
            0x05 | 0x06 | 0x15 | 0x16 => count(opcode, "n", 1, 10, 0),
            0x0e | 0x0f | 0x19 | 0x1a => packet(opcode).key("a").value(b"more"),
            0x1c..=0x1e | 0x23 | 0x24 => packet(opcode).key("a").extras(&[0, 0, 1, 0]),
            0x08 | 0x0a | 0x0b | 0x18 | 0x20 => packet(opcode),
            0x10 => packet(opcode).key("settings"),
            0x21 | 0x22 => packet(opcode).key("PLAIN").value(b"\0user\0pass"),
            _ => packet(opcode).key("a"),
        })
        .collect();
    packets.push(store(0x01, "a", 0, 0, &[b'v'; 1030]));
    packets.push(store(0x11, "b", 1, 2_592_001, &[b'v'; 17_000]).cas(1));
    let mut seeds: Vec<_> = packets.iter().map(Packet::bytes).collect();
    seeds.push(raw_header(0x12, 1, 8, 0xffff_ffe8));
    seeds.push(raw_header(0x1a, 0xfa, 0, 0));
    seeds
}
