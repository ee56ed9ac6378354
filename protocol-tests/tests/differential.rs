//! Random text and meta commands sent to memcached and to memtwin: both answer the same bytes.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use protocol_tests::client::Client;
use protocol_tests::contest::{Contest, Player, escaped};
use protocol_tests::random::{Generator, Oracle, Request};
use protocol_tests::replies::{self, Leniency, Replies};
use protocol_tests::server::Server;

const SEQUENCES: u64 = 300;
const REQUESTS: usize = 60;
/// How long answers may take.
const PATIENCE: Duration = Duration::from_secs(10);

#[test]
fn memtwin_answers_like_memcached() -> Result<()> {
    Contest::between(Text)?.run(SEQUENCES)
}

/// The text protocol, as this memcached speaks it.
struct Text(Oracle);

impl Player for Text {
    type Request = Request;

    fn sequence(&self, seed: u64) -> Vec<Request> {
        Generator::new(seed, self.0).sequence(REQUESTS)
    }

    fn play(&self, server: &Server, sequence: &[Request], seed: u64) -> Result<Vec<Vec<u8>>> {
        let mut conversation = Conversation {
            client: server.connect()?,
            cutter: Generator::new(!seed, Oracle::New),
            waiting: Vec::new(),
            stream: Vec::new(),
            lenient: Leniency {
                old_error_words: self.0 == Oracle::Old,
            },
        };
        for request in sequence {
            conversation.add(request)?;
        }
        conversation.send()?;
        conversation.client.finish_sending()?;
        let rest = conversation.client.read_to_end()?;
        conversation.stream.extend(rest);
        Ok(conversation.replies().lines)
    }

    fn shown(&self, request: &Request) -> String {
        match request {
            Request::Bytes(bytes) | Request::Settled(bytes) => escaped(bytes),
            Request::CasLastSeen { head, tail, .. } => {
                format!("{head} (last seen){}", escaped(tail))
            }
        }
    }
}

/// One connection on which a sequence is played, and what has been answered so far.
struct Conversation {
    client: Client,
    cutter: Generator,
    waiting: Vec<u8>,
    stream: Vec<u8>,
    lenient: Leniency,
}

impl Conversation {
    fn add(&mut self, request: &Request) -> Result<()> {
        match request {
            Request::Bytes(bytes) => self.waiting.extend_from_slice(bytes),
            Request::Settled(bytes) => {
                self.settle()?;
                self.waiting.extend_from_slice(bytes);
            }
            Request::CasLastSeen { key, head, tail } => {
                self.settle()?;
                let cas = self.replies().last_cas.get(key.as_bytes()).copied();
                self.waiting
                    .extend_from_slice(format!("{head} {}", cas.unwrap_or(1)).as_bytes());
                self.waiting.extend_from_slice(tail);
            }
        }
        Ok(())
    }

    /// Waits until everything sent is answered. `version` marks the end: no other request of a
    /// sequence is answered with it, and no sequence leaves a data block unfinished.
    fn settle(&mut self) -> Result<()> {
        let before = self.replies().versions;
        self.waiting.extend_from_slice(b"version\r\n");
        self.send()?;
        let deadline = Instant::now() + PATIENCE;
        while self.replies().versions == before {
            ensure!(
                Instant::now() < deadline,
                "no answer after {:?}",
                last_lines(&self.stream)
            );
            let more = self.client.read_within(Duration::from_millis(1))?;
            self.stream.extend(more);
        }
        Ok(())
    }

    /// Sends what is waiting, cut at random places.
    fn send(&mut self) -> Result<()> {
        let waiting = std::mem::take(&mut self.waiting);
        let mut from = 0;
        for to in self
            .cutter
            .cuts(waiting.len())
            .into_iter()
            .chain([waiting.len()])
        {
            let received = self.client.send_while_receiving(&waiting[from..to])?;
            self.stream.extend(received);
            from = to;
        }
        Ok(())
    }

    fn replies(&self) -> Replies {
        replies::read(&self.stream, self.lenient)
    }
}

fn last_lines(stream: &[u8]) -> String {
    escaped(&stream[stream.len().saturating_sub(200)..])
}
