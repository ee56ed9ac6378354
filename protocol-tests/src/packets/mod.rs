//! Packets of the binary protocol, written and read by hand: nothing here knows memtwin's code.

pub mod opcode;
pub mod table;

use std::fmt;

use anyhow::{Context, Result, ensure};

use crate::client::Client;

/// Length of a header.
pub const HEADER_BYTES: usize = 24;
const MAGIC_REQUEST: u8 = 0x80;
const MAGIC_REPLY: u8 = 0x81;

/// A request; its lengths are those of its parts unless they are set.
#[derive(Clone, Debug)]
pub struct Packet {
    opcode: u8,
    extras: Vec<u8>,
    key: Vec<u8>,
    value: Vec<u8>,
    opaque: u32,
    cas: u64,
}

/// A request without extras, key and value.
pub fn packet(opcode: u8) -> Packet {
    Packet {
        opcode,
        extras: Vec::new(),
        key: Vec::new(),
        value: Vec::new(),
        opaque: 0,
        cas: 0,
    }
}

/// `set`, `add`, `replace` and their quiet forms.
pub fn store(opcode: u8, key: &str, client_flags: u32, exptime: u32, value: &[u8]) -> Packet {
    let mut extras = client_flags.to_be_bytes().to_vec();
    extras.extend_from_slice(&exptime.to_be_bytes());
    packet(opcode).extras(&extras).key(key).value(value)
}

/// `incr`, `decr` and their quiet forms.
pub fn count(opcode: u8, key: &str, delta: u64, initial: u64, exptime: u32) -> Packet {
    let mut extras = delta.to_be_bytes().to_vec();
    extras.extend_from_slice(&initial.to_be_bytes());
    extras.extend_from_slice(&exptime.to_be_bytes());
    packet(opcode).extras(&extras).key(key)
}

impl Packet {
    /// Sets the extras.
    #[must_use]
    pub fn extras(mut self, extras: &[u8]) -> Self {
        self.extras = extras.to_vec();
        self
    }

    /// Sets the key.
    #[must_use]
    pub fn key(mut self, key: &str) -> Self {
        self.key = key.as_bytes().to_vec();
        self
    }

    /// Sets the value.
    #[must_use]
    pub fn value(mut self, value: &[u8]) -> Self {
        self.value = value.to_vec();
        self
    }

    /// Sets what comes back as it was sent.
    #[must_use]
    pub fn opaque(mut self, opaque: u32) -> Self {
        self.opaque = opaque;
        self
    }

    /// Sets the version to act on.
    #[must_use]
    pub fn cas(mut self, cas: u64) -> Self {
        self.cas = cas;
        self
    }

    /// What comes back as it was sent.
    pub fn opaque_sent(&self) -> u32 {
        self.opaque
    }

    /// The key.
    pub fn key_sent(&self) -> &[u8] {
        &self.key
    }

    /// The bytes to send.
    pub fn bytes(&self) -> Vec<u8> {
        let body_len = self.extras.len() + self.key.len() + self.value.len();
        let mut bytes = vec![MAGIC_REQUEST, self.opcode];
        bytes.extend_from_slice(&(self.key.len() as u16).to_be_bytes());
        // Data type and vbucket mean nothing, whatever they say.
        bytes.extend_from_slice(&[self.extras.len() as u8, 0xfe, 0x12, 0x34]);
        bytes.extend_from_slice(&(body_len as u32).to_be_bytes());
        bytes.extend_from_slice(&self.opaque.to_be_bytes());
        bytes.extend_from_slice(&self.cas.to_be_bytes());
        for part in [&self.extras, &self.key, &self.value] {
            bytes.extend_from_slice(part);
        }
        bytes
    }
}

/// A header whose lengths need not be true.
pub fn raw_header(opcode: u8, key_len: u16, extras_len: u8, body_len: u32) -> Vec<u8> {
    let mut bytes = packet(opcode).bytes();
    bytes[2..4].copy_from_slice(&key_len.to_be_bytes());
    bytes[4] = extras_len;
    bytes[8..12].copy_from_slice(&body_len.to_be_bytes());
    bytes
}

/// A reply.
#[derive(Clone, PartialEq, Eq)]
pub struct Reply {
    /// The request's.
    pub opcode: u8,
    /// 0 is success.
    pub status: u16,
    /// The request's.
    pub opaque: u32,
    /// The version; 0 where there is none.
    pub cas: u64,
    /// Client flags of a hit.
    pub extras: Vec<u8>,
    /// The key, where the reply carries one.
    pub key: Vec<u8>,
    /// The value, or words about an error.
    pub value: Vec<u8>,
}

impl Reply {
    /// Reads the reply at the front of `bytes` and says how long it is; `None` if it is cut short.
    pub fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>> {
        let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else {
            return Ok(None);
        };
        ensure!(
            header[0] == MAGIC_REPLY,
            "no reply: {}",
            header.escape_ascii()
        );
        ensure!(header[5] == 0, "data type {}", header[5]);
        let key_len = usize::from(u16::from_be_bytes([header[2], header[3]]));
        let extras_len = usize::from(header[4]);
        let body_len = u32::from_be_bytes([header[8], header[9], header[10], header[11]]) as usize;
        let Some(body) = bytes.get(HEADER_BYTES..HEADER_BYTES + body_len) else {
            return Ok(None);
        };
        let (extras, rest) = body.split_at_checked(extras_len).context("bad lengths")?;
        let (key, value) = rest.split_at_checked(key_len).context("bad lengths")?;
        let reply = Self {
            opcode: header[1],
            status: u16::from_be_bytes([header[6], header[7]]),
            opaque: u32::from_be_bytes([header[12], header[13], header[14], header[15]]),
            cas: header[16..]
                .iter()
                .fold(0, |cas, byte| cas << 8 | u64::from(*byte)),
            extras: extras.to_vec(),
            key: key.to_vec(),
            value: value.to_vec(),
        };
        Ok(Some((reply, HEADER_BYTES + body_len)))
    }

    /// Reads all replies in `bytes`; what is left over is an error.
    pub fn parse_all(mut bytes: &[u8]) -> Result<Vec<Self>> {
        let mut replies = Vec::new();
        while !bytes.is_empty() {
            let (reply, len) = Self::parse(bytes)?
                .with_context(|| format!("cut short: {}", bytes.escape_ascii()))?;
            replies.push(reply);
            bytes = &bytes[len..];
        }
        Ok(replies)
    }

    /// Reads the next reply of a connection.
    pub fn read(client: &mut Client) -> Result<Self> {
        let mut bytes = client.read_exactly(HEADER_BYTES)?;
        let body_len = u32::from_be_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]) as usize;
        bytes.extend(client.read_exactly(body_len)?);
        let (reply, _) = Self::parse(&bytes)?.context("a reply cut short")?;
        Ok(reply)
    }
}

/// A reply on one line, with the CAS unique only as whether there is one.
impl fmt::Display for Reply {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:02x} status={:x}", self.opcode, self.status)?;
        if self.opaque != 0 {
            write!(out, " opaque={:x}", self.opaque)?;
        }
        if self.cas != 0 {
            write!(out, " cas")?;
        }
        if !self.extras.is_empty() {
            write!(out, " extras=")?;
            for byte in &self.extras {
                write!(out, "{byte:02x}")?;
            }
        }
        if !self.key.is_empty() {
            write!(out, " key={}", self.key.escape_ascii())?;
        }
        if !self.value.is_empty() {
            let shown = &self.value[..self.value.len().min(80)];
            write!(out, " value={}", shown.escape_ascii())?;
            if shown.len() < self.value.len() {
                write!(out, "... ({} bytes)", self.value.len())?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{self}")
    }
}
