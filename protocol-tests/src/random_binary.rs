//! Random packets of the binary protocol: every opcode, quiet forms, versions, wrong lengths.
//!
//! What memcached is known to do wrongly is left out, with the reason beside it; COMPATIBILITY.md
//! lists it as "different".

use fastrand::Rng;

use crate::packets::opcode::*;
use crate::packets::{Packet, count, packet, raw_header, store};
use crate::random::{LARGE_NUMBER, Oracle};

/// One request.
#[derive(Clone, Debug)]
pub struct Request {
    /// The packet. Its opaque is its number; see [`CAS_IS_FREE`].
    pub packet: Packet,
    /// Where the version last seen of the key is to be named.
    pub with_last_cas: bool,
    /// The bytes to send instead: nothing can follow them.
    pub broken: Option<Vec<u8>>,
}

/// Set in the opaque of a request after which something else may be the version: a value whose
/// time is over when it comes is stored by one server and forgotten by the other.
pub const CAS_IS_FREE: u32 = 1 << 31;

/// Keys of values that are text. Packets carry any bytes.
const TEXT_KEYS: [&str; 4] = ["a", "b", "line\r\nend \0", "longer_key"];
/// Keys of values that are numbers; nothing is ever appended to them, see the text protocol's.
const COUNTER_KEYS: [&str; 2] = ["counter_1", "counter_2"];
/// The key of short values that are numbers or not: of a large one memcached says that it is no
/// number before it looks at the version.
const MIXED_KEY: &str = "mixed";
/// Never, soon, far, and past: 1970, and as if negative, which is far here.
const EXPTIMES: [u32; 6] = [0, 0, 0, 1000, LONG_AGO, u32::MAX];
/// An absolute time in 1970.
const LONG_AGO: u32 = 2_592_001;
/// A version that nothing has.
const NO_SUCH_CAS: u64 = u64::MAX - 7;

/// Makes packets from a seed.
#[derive(Debug)]
pub struct Generator {
    rng: Rng,
    /// 1.6.18 looks for a minus sign past the end of a number that needs all 64 bits.
    number_max: u64,
}

impl Generator {
    /// A generator that makes the same packets from the same seed.
    pub fn new(seed: u64, oracle: Oracle) -> Self {
        Self {
            rng: Rng::with_seed(seed),
            number_max: match oracle {
                Oracle::Old => u64::MAX >> 2,
                Oracle::New => u64::MAX,
            },
        }
    }

    /// A sequence of `count` requests, of which only the last may close the connection.
    pub fn sequence(&mut self, count: usize) -> Vec<Request> {
        let mut requests: Vec<Request> = (1..count).map(|_| self.request()).collect();
        requests.push(self.last());
        for (number, request) in (0..).zip(&mut requests) {
            let free = request.packet.opaque_sent() & CAS_IS_FREE;
            request.packet = request.packet.clone().opaque(number | free);
        }
        requests
    }

    /// Where to cut `bytes` bytes into separate writes, ascending.
    pub fn cuts(&mut self, bytes: usize) -> Vec<usize> {
        let count = self.rng.usize(0..12).min(bytes);
        let mut cuts: Vec<usize> = (0..count).map(|_| self.rng.usize(0..bytes)).collect();
        cuts.sort_unstable();
        cuts
    }

    fn request(&mut self) -> Request {
        let packet = match self.rng.u32(0..100) {
            0..25 => self.storage(),
            25..35 => self.joining(),
            35..58 => self.retrieval(),
            58..72 => self.arithmetic(),
            72..80 => self.touch(),
            80..87 => {
                let opcode = self.quiet_or(DELETE, DELETEQ);
                packet(opcode).key(self.any_key())
            }
            87..89 => self.flush(),
            89..92 => packet(NOOP),
            92 => packet(VERSION),
            93..95 => packet(STAT).key(self.pick(&["reset", "bogus"])),
            95..97 => self.sasl(),
            // With a body 1.6.45 swallows too much after it.
            _ => packet(self.pick(&[VERBOSITY, 0x1f, 0x25, 0x40, 0xff])),
        };
        self.with_version(packet)
    }

    /// Now and then for the version last seen, or for none there is.
    fn with_version(&mut self, packet: Packet) -> Request {
        let choice = self.rng.u32(0..10);
        Request {
            packet: if choice == 9 {
                packet.cas(NO_SUCH_CAS)
            } else {
                packet
            },
            with_last_cas: choice == 8,
            broken: None,
        }
    }

    fn storage(&mut self) -> Packet {
        let loud = self.pick(&[SET, SET, SET, ADD, REPLACE]);
        // The quiet form is 0x10 further.
        let opcode = self.quiet_or(loud, loud + 0x10);
        let (key, value) = match self.rng.u32(0..8) {
            0..2 => (self.pick(&COUNTER_KEYS), self.digits()),
            2 => (MIXED_KEY, self.pick(&["", "x", "12x", "12"]).into()),
            _ => (self.pick(&TEXT_KEYS), self.text_value()),
        };
        let exptime = self.pick(&EXPTIMES);
        let flags = self.pick(&[0, 0, 1, 0xcafe_babe, u32::MAX]);
        free_if_past(store(opcode, key, flags, exptime, &value), exptime)
    }

    fn joining(&mut self) -> Packet {
        let opcode = self.pick(&[APPEND, PREPEND, APPENDQ, PREPENDQ]);
        let value = self.text_value();
        packet(opcode).key(self.pick(&TEXT_KEYS)).value(&value)
    }

    fn retrieval(&mut self) -> Packet {
        let opcode = self.pick(&[GET, GETK, GETQ, GETKQ, GETKQ]);
        packet(opcode).key(self.any_key())
    }

    /// No number reaches 2^63, see [`LARGE_NUMBER`].
    fn arithmetic(&mut self) -> Packet {
        let opcode = self.pick(&[INCR, DECR, INCRQ, DECRQ]);
        let key = if self.rng.u32(0..6) == 0 {
            MIXED_KEY
        } else {
            self.pick(&COUNTER_KEYS)
        };
        let delta = self.pick(&[0, 1, 10, 1500, LARGE_NUMBER]);
        let exptime = self.pick(&EXPTIMES);
        free_if_past(
            count(opcode, key, delta, self.rng.u64(..1 << 62), exptime),
            exptime,
        )
    }

    fn touch(&mut self) -> Packet {
        let opcode = self.pick(&[TOUCH, GAT, GATQ, GATK, GATKQ]);
        let exptime = self.pick(&EXPTIMES);
        packet(opcode)
            .key(self.any_key())
            .extras(&exptime.to_be_bytes())
    }

    /// At once: memcached keeps one time for all flushes, and what was flushed before comes back
    /// when it is moved.
    fn flush(&mut self) -> Packet {
        let opcode = self.quiet_or(FLUSH, FLUSHQ);
        if self.rng.bool() {
            packet(opcode)
        } else {
            packet(opcode).extras(&[0; 4])
        }
    }

    fn sasl(&mut self) -> Packet {
        match self.rng.u32(0..3) {
            0 => packet(SASL_LIST),
            1 => packet(SASL_AUTH).key("PLAIN").value(b"\0user\0pass"),
            _ => packet(SASL_STEP).key("PLAIN").value(b"\0user\0pass"),
        }
    }

    /// What may close the connection, or contradict itself.
    fn last(&mut self) -> Request {
        let broken = match self.rng.u32(0..5) {
            0 => packet(self.pick(&[QUIT, QUITQ])).bytes(),
            1 => self.contradiction(),
            2 => self.unfit(),
            3 => packet(GET).key(&"k".repeat(251)).bytes(),
            _ => b"version\r\n and more than a header's bytes\r\n".to_vec(),
        };
        Request {
            packet: packet(NOOP),
            with_last_cas: false,
            broken: Some(broken),
        }
    }

    /// Lengths of which the body's is less than its parts'. The parts are there: memcached waits
    /// for them before it answers.
    fn contradiction(&mut self) -> Vec<u8> {
        let opcode = self.rng.u8(0..0x25);
        let key_len = self.rng.u16(1..300);
        let extras_len = self.rng.u8(0..30);
        let parts = u32::from(key_len) + u32::from(extras_len);
        let mut bytes = raw_header(opcode, key_len, extras_len, self.rng.u32(0..parts));
        bytes.resize(bytes.len() + parts as usize, 7);
        bytes
    }

    /// A packet of a command that does not have these parts. Not touch and stat: memcached reads
    /// the value that they cannot have as the next packet.
    fn unfit(&mut self) -> Vec<u8> {
        let opcode = self.pick(&[GET, GETQ, GETK, DELETE, DELETEQ, INCR, NOOP, VERSION, FLUSH]);
        let extras = [7; 40];
        let extras_len = self.pick(&[1, 3, 8, 19, 21, 40]);
        packet(opcode)
            .extras(&extras[..extras_len])
            .key("a")
            .bytes()
    }

    fn text_value(&mut self) -> Vec<u8> {
        let length = match self.rng.u32(0..40) {
            0 => self.rng.usize(1000..20_000),
            1 => self.rng.usize(20_000..300_000),
            2 => self.rng.usize(1_048_400..1_048_700),
            3..8 => 0,
            _ => self.rng.usize(1..60),
        };
        let seed = self.rng.u8(..);
        let bytes = (0..length).map(|index| seed.wrapping_add((index % 251) as u8));
        let mut value: Vec<u8> = bytes.collect();
        // Never a number: see COUNTER_KEYS.
        if let Some(first) = value.first_mut() {
            *first = b't';
        }
        value
    }

    fn digits(&mut self) -> Vec<u8> {
        let number = match self.rng.u32(0..8) {
            0 => self.number_max.to_string(),
            1 => "0".to_owned(),
            2 => "007".to_owned(),
            _ => self.rng.u64(0..2000).to_string(),
        };
        number.into_bytes()
    }

    fn any_key(&mut self) -> &'static str {
        match self.rng.u32(0..8) {
            0 => "missing",
            1..4 => self.pick(&COUNTER_KEYS),
            4 => MIXED_KEY,
            _ => self.pick(&TEXT_KEYS),
        }
    }

    fn quiet_or(&mut self, loud: u8, quiet: u8) -> u8 {
        if self.rng.u32(0..3) == 0 { quiet } else { loud }
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.rng.usize(0..from.len())]
    }
}

fn free_if_past(packet: Packet, exptime: u32) -> Packet {
    if exptime == LONG_AGO {
        packet.opaque(CAS_IS_FREE)
    } else {
        packet
    }
}
