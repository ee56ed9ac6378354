//! Random packets sent to memcached and to memtwin: both answer the same bytes.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use protocol_tests::client::Client;
use protocol_tests::contest::{Contest, Player, escaped};
use protocol_tests::packets::opcode::{NOOP, VERSION};
use protocol_tests::packets::{Reply, packet};
use protocol_tests::random::Oracle;
use protocol_tests::random_binary::{CAS_IS_FREE, Generator, Request};
use protocol_tests::server::Server;

const SEQUENCES: u64 = 300;
const REQUESTS: usize = 60;
/// How long answers may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The opaque of packets that only ask how far the server has come.
const MARK: u32 = 0x7fff_ffff;

#[test]
fn memtwin_answers_packets_like_memcached() -> Result<()> {
    Contest::between(Packets)?.run(SEQUENCES)
}

/// The binary protocol, as this memcached speaks it.
struct Packets(Oracle);

impl Player for Packets {
    type Request = Request;

    fn sequence(&self, seed: u64) -> Vec<Request> {
        Generator::new(seed, self.0).sequence(REQUESTS)
    }

    fn play(&self, server: &Server, sequence: &[Request], seed: u64) -> Result<Vec<Vec<u8>>> {
        let mut conversation = Conversation {
            client: server.connect()?,
            cutter: Generator::new(!seed, self.0),
            waiting: Vec::new(),
            stream: Vec::new(),
        };
        // The first byte of a connection chooses the protocol, so it is not left to chance.
        conversation.settle()?;
        for (at, request) in sequence.iter().enumerate() {
            conversation.add(request, &sequence[..at])?;
        }
        conversation.settle_unless_closed()?;
        conversation.client.finish_sending()?;
        let rest = conversation.client.read_to_end()?;
        conversation.stream.extend(rest);
        comparable(&conversation.stream)
    }

    fn shown(&self, request: &Request) -> String {
        let version = if request.with_last_cas {
            " (version last seen)"
        } else {
            ""
        };
        let bytes = request.broken.clone();
        let bytes = bytes.unwrap_or_else(|| request.packet.bytes());
        format!("{}{version}", escaped(&bytes))
    }
}

/// One connection on which a sequence is played, and what has been answered so far.
struct Conversation {
    client: Client,
    cutter: Generator,
    waiting: Vec<u8>,
    stream: Vec<u8>,
}

impl Conversation {
    fn add(&mut self, request: &Request, before: &[Request]) -> Result<()> {
        if let Some(broken) = &request.broken {
            // How much of what follows it would get lost is a matter of timing.
            self.settle()?;
            self.client.send(broken)?;
        } else if request.with_last_cas {
            self.settle()?;
            let cas = self.last_cas(request.packet.key_sent(), before)?;
            let packet = request.packet.clone().cas(cas);
            self.waiting.extend(packet.bytes());
        } else {
            self.waiting.extend(request.packet.bytes());
        }
        Ok(())
    }

    /// The version that the server itself last showed for a key; 0, which is none, if it has not.
    fn last_cas(&self, key: &[u8], before: &[Request]) -> Result<u64> {
        let replies = Reply::parse_all(&self.stream)?;
        let of_key = replies.iter().rev().find(|reply| {
            let mut of_key = before.iter().map(|request| &request.packet);
            let is_of_key = of_key
                .any(|packet| packet.opaque_sent() == reply.opaque && packet.key_sent() == key);
            is_of_key && reply.cas != 0 && reply.opaque & CAS_IS_FREE == 0
        });
        Ok(of_key.map_or(0, |reply| reply.cas))
    }

    /// Waits until everything sent is answered.
    fn settle(&mut self) -> Result<()> {
        let mark = packet(NOOP).opaque(MARK).bytes();
        self.waiting.extend_from_slice(&mark);
        let before = marks(&self.stream);
        self.send()?;
        let deadline = Instant::now() + PATIENCE;
        while marks(&self.stream) == before {
            ensure!(Instant::now() < deadline, "no answer");
            let more = self.client.read_within(Duration::from_millis(1))?;
            self.stream.extend(more);
        }
        Ok(())
    }

    /// Sends what is waiting; after a broken packet, which comes last, nothing is.
    fn settle_unless_closed(&mut self) -> Result<()> {
        if self.waiting.is_empty() {
            Ok(())
        } else {
            self.settle()
        }
    }

    /// Sends what is waiting, cut at random places.
    fn send(&mut self) -> Result<()> {
        let waiting = std::mem::take(&mut self.waiting);
        let cuts = self.cutter.cuts(waiting.len());
        let mut from = 0;
        for to in cuts.into_iter().chain([waiting.len()]) {
            let received = self.client.send_while_receiving(&waiting[from..to])?;
            self.stream.extend(received);
            from = to;
        }
        Ok(())
    }
}

/// How many marks have been answered.
fn marks(mut stream: &[u8]) -> usize {
    let mut marks = 0;
    while let Ok(Some((reply, len))) = Reply::parse(stream) {
        marks += usize::from(reply.opaque == MARK);
        stream = &stream[len..];
    }
    marks
}

/// Replaces what legitimately differs between servers: versions become numbers in order of
/// appearance, and a counter loses the spaces it may be padded with.
fn comparable(stream: &[u8]) -> Result<Vec<Vec<u8>>> {
    let mut names: HashMap<u64, usize> = HashMap::new();
    let mut lines = Vec::new();
    for reply in Reply::parse_all(stream)? {
        let free = reply.opaque != MARK && reply.opaque & CAS_IS_FREE != 0;
        let cas = match reply.cas {
            _ if free => "any".to_owned(),
            0 => "0".to_owned(),
            cas => {
                let next = names.len() + 1;
                format!("cas{}", names.entry(cas).or_insert(next))
            }
        };
        let value = match reply.opcode {
            VERSION => &[],
            _ => without_padding(&reply.value),
        };
        let head = format!(
            "{:02x} status={:x} opaque={} {cas} extras={:?} key={} ",
            reply.opcode,
            reply.status,
            reply.opaque,
            reply.extras,
            reply.key.escape_ascii()
        );
        lines.push([head.as_bytes(), value].concat());
    }
    Ok(lines)
}

fn without_padding(value: &[u8]) -> &[u8] {
    let digits = value.trim_ascii_end();
    let is_counter = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    if is_counter { digits } else { value }
}
