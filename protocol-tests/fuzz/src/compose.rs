//! Requests put together from bytes: nearly all that a fuzzer changes is then a request, too.

/// Keys that requests use, so that they meet.
const KEYS: [&[u8]; 6] = [b"a", b"b", b"n", b"k:1", b"\x80\xff", &[b'x'; 250]];
const VALUES: [&[u8]; 5] = [b"", b"1", b"99", b"18446744073709551615", b"value"];

/// Hands out bytes; zeroes when there are none left.
struct Source<'a>(&'a [u8]);

impl<'a> Source<'a> {
    fn byte(&mut self) -> u8 {
        let (byte, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *byte
    }

    fn bytes(&mut self, len: usize) -> &'a [u8] {
        let (bytes, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        bytes
    }

    fn pick(&mut self, from: &[&'a [u8]]) -> &'a [u8] {
        from[usize::from(self.byte()) % from.len()]
    }

    fn value(&mut self) -> Vec<u8> {
        match self.byte() {
            shape @ 0..128 => VALUES[usize::from(shape) % VALUES.len()].to_vec(),
            // About the lengths at which values are treated differently.
            shape @ 128..192 => {
                let about = [1024, 4096, 16_384, 40_000][usize::from(shape % 4)];
                vec![b'v'; about - 128 + usize::from(self.byte())]
            }
            shape => self.bytes(usize::from(shape - 192)).to_vec(),
        }
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Binary packets: opcode, what is odd about it, then its parts.
pub(crate) fn packets(bytes: &[u8]) -> Vec<u8> {
    let mut source = Source(bytes);
    let mut out = Vec::new();
    while !source.is_empty() {
        packet(&mut source, &mut out);
    }
    out
}

fn packet(source: &mut Source<'_>, out: &mut Vec<u8>) {
    let opcode = source.byte() % 0x28;
    let odd = source.byte();
    let extras_len = match opcode {
        0x01..=0x03 | 0x11..=0x13 => 8,
        0x05 | 0x06 | 0x15 | 0x16 => 20,
        0x1c..=0x1e | 0x23 | 0x24 => 4,
        _ => 0,
    };
    let has_value = matches!(opcode, 0x01..=0x03 | 0x0e | 0x0f | 0x11..=0x13 | 0x19 | 0x1a | 0x21);
    let has_key = !matches!(opcode, 0x07 | 0x08 | 0x0a | 0x0b | 0x17 | 0x18 | 0x20);
    let extras = source.bytes(extras_len + usize::from(odd & 1) * 4).to_vec();
    let key = match (has_key != (odd & 2 > 0), opcode) {
        (false, _) => &[],
        (true, 0x10) => source.pick(&[b"settings", b"items", b"reset", b"detail on", b"slabs"]),
        (true, 0x20..=0x22) => source.pick(&[b"PLAIN", b"CRAM-MD5"]),
        (true, _) => source.pick(&KEYS),
    };
    let value = if has_value != (odd & 4 > 0) {
        source.value()
    } else {
        Vec::new()
    };
    let mut body_len = (extras.len() + key.len() + value.len()) as u32;
    if odd & 8 > 0 {
        body_len = u32::from_le_bytes([source.byte(), source.byte(), 0, source.byte()]);
    }
    let cas = if odd & 16 > 0 { source.byte() } else { 0 };
    out.extend_from_slice(&[
        0x80,
        opcode,
        0,
        key.len() as u8,
        extras.len() as u8,
        0,
        0,
        0,
    ]);
    out.extend_from_slice(&body_len.to_be_bytes());
    out.extend_from_slice(&[odd, 0, 0, 1]);
    out.extend_from_slice(&u64::from(cas).to_be_bytes());
    for part in [&extras, key, &value] {
        out.extend_from_slice(part);
    }
}

/// Meta commands: verb, key, flags, then the value of `ms`.
pub(crate) fn meta_lines(bytes: &[u8]) -> Vec<u8> {
    let mut source = Source(bytes);
    let mut out = Vec::new();
    while !source.is_empty() {
        meta_line(&mut source, &mut out);
    }
    out
}

fn meta_line(source: &mut Source<'_>, out: &mut Vec<u8>) {
    let verb = source.pick(&[
        b"mg", b"ms", b"md", b"ma", b"mg", b"ms", b"me", b"mn", b"get",
    ]);
    out.extend_from_slice(verb);
    out.push(b' ');
    out.extend_from_slice(source.pick(&[b"a", b"b", b"n", b"YQ==", b"CgA=", b"k\r1"]));
    let value = (verb == b"ms").then(|| source.value());
    if let Some(value) = &value {
        out.extend_from_slice(format!(" {}", value.len()).as_bytes());
    }
    for _ in 0..source.byte() % 8 {
        let letter = source.pick(&[
            b"b", b"c", b"f", b"h", b"k", b"l", b"q", b"s", b"t", b"u", b"v", b"x", b"I", b"O",
            b"N", b"R", b"T", b"E", b"C", b"F", b"D", b"J", b"M",
        ]);
        out.push(b' ');
        out.extend_from_slice(letter);
        match letter {
            b"M" => out.extend_from_slice(source.pick(&[b"A", b"E", b"P", b"R", b"S", b"I", b"D"])),
            b"O" => out.extend_from_slice(b"opaque"),
            [b'C' | b'D' | b'E' | b'F' | b'J' | b'N' | b'R' | b'T'] => {
                out.extend_from_slice(source.pick(&[b"0", b"1", b"5", b"30", b"-1", b"99999999"]));
            }
            _ => {}
        }
    }
    out.extend_from_slice(b"\r\n");
    if let Some(value) = value {
        out.extend_from_slice(&value);
        out.extend_from_slice(b"\r\n");
    }
}
