//! Random requests: valid, nearly valid and garbage.
//!
//! What a request may look like depends on whom the replies are compared with: [`Oracle::Old`]
//! leaves out what 1.6.18 is known to answer differently, each with its reason beside it.

use fastrand::Rng;

/// Whose answers the requests are compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oracle {
    /// memcached like 1.6.18.
    Old,
    /// memcached like 1.6.45.
    New,
}

/// One request.
#[derive(Clone, Debug)]
pub enum Request {
    /// Bytes as they are.
    Bytes(Vec<u8>),
    /// Bytes to be sent only when everything before them is answered.
    Settled(Vec<u8>),
    /// `cas` with the unique that the server itself last showed for the key.
    CasLastSeen {
        /// The key.
        key: String,
        /// What stands before the unique: `cas <key> <flags> <exptime> <bytes>`.
        head: String,
        /// What follows it: ` noreply` or nothing, the line end, and the data block.
        tail: Vec<u8>,
    },
}

/// Keys of values that are text.
const TEXT_KEYS: [&str; 4] = ["a", "b", "longer_key", "k-1:x"];
/// Keys of values that are numbers. Nothing is ever appended to them: a counter that has shrunk
/// may be padded or not, and what is appended would show it.
const COUNTER_KEYS: [&str; 2] = ["counter_1", "counter_2"];
const EXPTIMES: [&str; 9] = [
    "0",
    "0",
    "0",
    "1000",
    "2592000",
    "-1",
    "2592001",
    "2147483647",
    "2000000000",
];
/// However often it is added, no counter reaches 2^63: from there on 1.6.18 looks for a minus sign
/// beyond the end of a value, and calls it non-numeric when whatever lies there has one.
pub(crate) const LARGE_NUMBER: u64 = 1 << 50;
const BAD_NUMBERS: [&str; 6] = ["x", "1x", "-", "0x1", "1.5", "99999999999999999999999"];
const BAD_LENGTHS: [&str; 6] = [
    "x",
    "-1",
    "1x",
    "2147483647",
    "4294967295",
    "99999999999999999999",
];

/// Makes requests from a seed.
#[derive(Debug)]
pub struct Generator {
    rng: Rng,
    oracle: Oracle,
}

impl Generator {
    /// A generator that makes the same requests from the same seed.
    pub fn new(seed: u64, oracle: Oracle) -> Self {
        Self {
            rng: Rng::with_seed(seed),
            oracle,
        }
    }

    /// A sequence of `count` requests. None of them closes the connection: how much of what is
    /// still unsent gets lost then is a matter of timing. None leaves a data block unfinished, and
    /// none is `version`: players use it to see how far the server has come.
    pub fn sequence(&mut self, count: usize) -> Vec<Request> {
        // The first byte of a connection chooses the protocol, so it is not left to chance.
        let first = Request::Bytes(b"verbosity 0\r\n".to_vec());
        std::iter::once(first)
            .chain((1..count).map(|_| self.request()))
            .collect()
    }

    /// Where to cut `bytes` bytes into separate writes, ascending.
    pub fn cuts(&mut self, bytes: usize) -> Vec<usize> {
        let count = self.rng.usize(0..12).min(bytes);
        let mut cuts: Vec<usize> = (0..count).map(|_| self.rng.usize(0..bytes)).collect();
        cuts.sort_unstable();
        cuts
    }

    fn request(&mut self) -> Request {
        let bytes = match self.rng.u32(0..100) {
            0..14 => self.storage(),
            14..24 => self.meta(),
            24..32 => return self.cas_last_seen(),
            32..52 => self.retrieval(),
            52..64 => self.arithmetic(),
            64..71 => self.delete(),
            71..79 => self.touch(),
            79..82 => self.flush(),
            82..85 => self.administration(),
            85 => return self.retrieval_of_a_long_key(),
            86..93 => self.nearly_valid(),
            93..97 => self.mutated(),
            _ => self.garbage(),
        };
        Request::Bytes(bytes)
    }

    /// With the same unique on both servers, so that uniques can be compared as they are.
    fn meta(&mut self) -> Vec<u8> {
        crate::random_meta::request(&mut self.rng, self.oracle)
    }

    fn storage(&mut self) -> Vec<u8> {
        let commands = [
            "set", "set", "set", "add", "replace", "append", "prepend", "cas",
        ];
        let command = self.pick(&commands);
        if self.rng.u32(0..4) == 0 {
            return self.counter_storage();
        }
        let key = self.pick(&TEXT_KEYS);
        let unique = if command == "cas" { " 1" } else { "" };
        let (flags, exptime) = (self.flags(), self.pick(&EXPTIMES));
        let data = self.text_value();
        let noreply = self.noreply();
        let head = format!(
            "{command} {key} {flags} {exptime} {}{unique}{noreply}",
            data.len()
        );
        self.with_data(head.as_bytes(), &data)
    }

    fn counter_storage(&mut self) -> Vec<u8> {
        let command = self.pick(&["set", "add", "replace"]);
        let key = self.pick(&COUNTER_KEYS);
        let digits = match self.rng.u32(0..8) {
            0 => LARGE_NUMBER.to_string(),
            1 => "0".to_owned(),
            2 => "007".to_owned(),
            _ => self.rng.u64(0..2000).to_string(),
        };
        let exptime = self.pick(&EXPTIMES);
        let noreply = self.noreply();
        let head = format!(
            "{command} {key} {} {exptime} {}{noreply}",
            self.flags(),
            digits.len()
        );
        self.with_data(head.as_bytes(), digits.as_bytes())
    }

    fn cas_last_seen(&mut self) -> Request {
        let key = self.pick(&TEXT_KEYS);
        let data = self.text_value();
        let head = format!(
            "cas {key} {} {} {}",
            self.flags(),
            self.pick(&EXPTIMES),
            data.len()
        );
        let noreply = self.noreply();
        Request::CasLastSeen {
            key: key.to_owned(),
            head,
            tail: self.with_data(noreply.as_bytes(), &data),
        }
    }

    fn retrieval(&mut self) -> Vec<u8> {
        let command = self.pick(&["get", "get", "gets", "gets", "gat", "gats"]);
        let mut line = command.to_owned();
        if command.starts_with("gat") {
            line.push(' ');
            line.push_str(self.pick(&EXPTIMES));
        }
        for _ in 0..self.rng.usize(1..5) {
            line.push_str(if self.rng.u32(0..10) == 0 { "  " } else { " " });
            line.push_str(&self.any_key());
        }
        self.ended(line.as_bytes())
    }

    /// memcached answers the error in place of all it has not sent yet, also of requests before
    /// this one; so these have to be answered first.
    fn retrieval_of_a_long_key(&mut self) -> Request {
        let verb = self.pick(&["get a ", "gets ", "gat 0 ", "gats 0 b "]);
        Request::Settled(self.ended(format!("{verb}{} a", "x".repeat(251)).as_bytes()))
    }

    fn arithmetic(&mut self) -> Vec<u8> {
        let command = self.pick(&["incr", "decr"]);
        let key = if self.rng.u32(0..8) == 0 {
            self.any_key()
        } else {
            self.counter_key()
        };
        let delta = match self.rng.u32(0..10) {
            0 => LARGE_NUMBER.to_string(),
            1 => self.pick(&BAD_NUMBERS).to_owned(),
            2 => "-1".to_owned(),
            3 => "18446744073709551616".to_owned(),
            _ => self.rng.u64(0..1500).to_string(),
        };
        let noreply = self.noreply();
        self.ended(format!("{command} {key} {delta}{noreply}").as_bytes())
    }

    fn delete(&mut self) -> Vec<u8> {
        // From 1.6.45 memtwin differs on purpose: that takes anything after the key.
        let forms = match self.oracle {
            Oracle::Old => ["", "", " 0", " 0 noreply", " 1", " x", " 10 noreply"].as_slice(),
            Oracle::New => ["", "", " 0", " 0 noreply"].as_slice(),
        };
        let form = self.pick(forms);
        let noreply = if form.is_empty() { self.noreply() } else { "" };
        let key = self.any_key();
        self.ended(format!("delete {key}{form}{noreply}").as_bytes())
    }

    fn touch(&mut self) -> Vec<u8> {
        let exptime = match self.rng.u32(0..6) {
            // 1.6.18 takes the lower 32 bits of a larger number, 1.6.45 refuses it.
            0 if self.oracle == Oracle::New => self.pick(&BAD_NUMBERS),
            0 => "x",
            _ => self.pick(&EXPTIMES),
        };
        let key = self.any_key();
        let noreply = self.noreply();
        self.ended(format!("touch {key} {exptime}{noreply}").as_bytes())
    }

    fn flush(&mut self) -> Vec<u8> {
        // Never in the future or the far past: memcached keeps one time for all flushes, and items
        // flushed before but not yet collected come back when it is moved.
        let when = self.pick(&["", "", " 0", " -1", " x"]);
        let noreply = self.noreply();
        self.ended(format!("flush_all{when}{noreply}").as_bytes())
    }

    fn administration(&mut self) -> Vec<u8> {
        let lines = [
            "verbosity 0",
            "verbosity 1",
            "verbosity x",
            "verbosity",
            "verbosity 0 noreply",
            "stats reset",
            "stats bogus",
        ];
        let line = self.pick(&lines);
        self.ended(line.as_bytes())
    }

    /// A request with one thing wrong.
    fn nearly_valid(&mut self) -> Vec<u8> {
        let key = self.pick(&TEXT_KEYS);
        let command = self.pick(&["set", "add", "replace", "append", "prepend"]);
        match self.rng.u32(0..10) {
            0 => {
                let length = self.pick(&BAD_LENGTHS);
                self.ended(format!("{command} {key} 0 0 {length}").as_bytes())
            }
            1 => b"set a 0 0\r\n".to_vec(),
            2 => {
                let few = [
                    "get", "gets", "incr a", "decr", "touch a", "delete", "set a",
                ];
                let line = self.pick(&few);
                self.ended(line.as_bytes())
            }
            3 => self.ended(format!("delete {}", "x".repeat(251)).as_bytes()),
            4 => self.ended(format!("incr {} 1", "x".repeat(251)).as_bytes()),
            5 => self.wrong_data(command, key),
            6 => b"gat x a\r\n".to_vec(),
            // 1.6.18 does not swallow the data of a line it refuses.
            _ if self.oracle == Oracle::Old => b"incr a\r\n".to_vec(),
            7 => {
                let (bad, data) = (self.pick(&BAD_NUMBERS), self.text_value());
                let head = format!("{command} {key} {bad} 0 {}", data.len());
                self.with_data(head.as_bytes(), &data)
            }
            8 => {
                let data = self.text_value();
                let head = format!("{command} {} 0 0 {}", "x".repeat(251), data.len());
                self.with_data(head.as_bytes(), &data)
            }
            // An unknown command with noreply: 1.6.18 answers.
            _ => b"nonsense noreply\r\n".to_vec(),
        }
    }

    /// A data block that is longer or shorter than announced. What is too much begins a new
    /// line, what is missing is taken from lines of filler.
    fn wrong_data(&mut self, command: &str, key: &str) -> Vec<u8> {
        let length = self.rng.usize(2..40);
        let head = format!("{command} {key} 0 0 {length}\r\n");
        if self.rng.bool() {
            return format!(
                "{head}{}\r\n",
                "y".repeat(length + 1 + self.rng.usize(0..9))
            )
            .into_bytes();
        }
        format!(
            "{head}{}\r\n{}\r\n",
            "y".repeat(length / 2),
            "z".repeat(length)
        )
        .into_bytes()
    }

    /// A valid line with a byte changed.
    fn mutated(&mut self) -> Vec<u8> {
        let mut line = match self.rng.u32(0..4) {
            0 => self.retrieval(),
            1 => self.touch(),
            2 if self.oracle == Oracle::Old => self.delete(),
            _ => self.arithmetic(),
        };
        // 1.6.18 counts surplus tokens and treats NUL apart: there only the command's word.
        let word = line.iter().position(|&byte| byte == b' ').unwrap_or(1);
        let reach = if self.oracle == Oracle::Old {
            word
        } else {
            line.len() - 2
        };
        let at = self.rng.usize(0..reach);
        line[at] = self.harmless_byte();
        // 1.6.18 answers an unknown command in spite of its noreply, and counts tokens later.
        let silent = memchr::memmem::find(&line, b"noreply").is_some();
        let known = line.starts_with(b"gat") || line.starts_with(b"get");
        if is_out_of_scope(&line) || (silent || known) && self.oracle == Oracle::Old {
            b"nonsense\r\n".to_vec()
        } else {
            line
        }
    }

    fn garbage(&mut self) -> Vec<u8> {
        let length = self.rng.usize(2..200);
        let mut line: Vec<u8> = (0..length).map(|_| self.harmless_byte()).collect();
        // A leading space is an unknown command in 1.6.45 and skipped by 1.6.18.
        line[0] = b'!';
        self.ended(&line)
    }

    /// Any byte but those that end a line, and for 1.6.18 no NUL and no space.
    fn harmless_byte(&mut self) -> u8 {
        loop {
            let byte = self.rng.u8(..);
            let odd = matches!(byte, 0 | b' ') && self.oracle == Oracle::Old;
            if !matches!(byte, b'\r' | b'\n') && !odd {
                return byte;
            }
        }
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
        let mut value: Vec<u8> = (0..length)
            .map(|index| seed.wrapping_add((index % 251) as u8))
            .collect();
        // Never a number: see COUNTER_KEYS.
        if let Some(first) = value.first_mut() {
            *first = b't';
        }
        value
    }

    fn flags(&mut self) -> String {
        match self.rng.u32(0..8) {
            0 => u32::MAX.to_string(),
            1 => "4294967301".to_owned(),
            2 => self.rng.u32(..).to_string(),
            3 => "5".to_owned(),
            _ => "0".to_owned(),
        }
    }

    fn any_key(&mut self) -> String {
        match self.rng.u32(0..12) {
            0 => "missing".to_owned(),
            1 => "x".repeat(250),
            2..5 => self.counter_key(),
            _ => self.pick(&TEXT_KEYS).to_owned(),
        }
    }

    fn counter_key(&mut self) -> String {
        self.pick(&COUNTER_KEYS).to_owned()
    }

    fn noreply(&mut self) -> &'static str {
        if self.rng.u32(0..5) == 0 {
            " noreply"
        } else {
            ""
        }
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.rng.usize(0..from.len())]
    }

    fn ended(&mut self, line: &[u8]) -> Vec<u8> {
        let end: &[u8] = if self.rng.u32(0..10) == 0 {
            b"\n"
        } else {
            b"\r\n"
        };
        [line, end].concat()
    }

    fn with_data(&mut self, head: &[u8], data: &[u8]) -> Vec<u8> {
        let head = self.ended(head);
        [head.as_slice(), data, b"\r\n"].concat()
    }
}

/// Whether chance has made a command that closes or belongs to a later protocol.
fn is_out_of_scope(line: &[u8]) -> bool {
    let word = line
        .split(|byte| matches!(byte, b' ' | b'\r' | b'\n'))
        .next()
        .unwrap_or_default();
    let meta = word.len() == 2 && word[0] == b'm';
    let http = memchr::memmem::find(line, b"HTTP/").is_some();
    meta || http || line[0] == b' '
}
