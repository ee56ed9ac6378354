//! Reads the frames of the handshake.

use super::decode::Reader;
use super::{Frame, Hello, LastLink, MAGIC, WireError};
use crate::limits::{ADDRESS_BYTES_MAX, NODE_ID_BYTES_MAX, POLICY_BYTES_MAX};
use crate::store::Timestamp;

impl<'a> Reader<'a> {
    pub(super) fn hello(mut self) -> Result<Frame<'a>, WireError> {
        if self.array()? != MAGIC {
            return Err(self.wrong("magic"));
        }
        let (wire_min, wire_max) = (self.u16()?, self.u16()?);
        if wire_min > wire_max {
            return Err(self.wrong("version range"));
        }
        let side = self.u8()?;
        if side > 1 {
            return Err(self.wrong("side"));
        }
        let incarnation = self.u64()?;
        let (clock, flush_watermark) = (self.timestamp()?, self.timestamp()?);
        let node_id_len = usize::from(self.u8()?);
        let node_id = self.text(node_id_len, NODE_ID_BYTES_MAX, "node id")?;
        let policy_len = usize::from(self.u16()?);
        let policy = self.text(policy_len, POLICY_BYTES_MAX, "policy")?;
        // A node of version 1 has no more; it is refused for its version.
        let mut hello = Hello {
            wire_min,
            wire_max,
            side,
            incarnation,
            clock,
            flush_watermark,
            node_id,
            policy,
            wall_ms: 0,
            last_link: None,
            listen_addr: "",
            failover_addr: "",
            hash_check: 0,
        };
        if wire_max > 1 {
            hello.wall_ms = self.wall_ms()?;
            hello.last_link = self.last_link()?;
            hello.hash_check = self.u64()?;
            hello.listen_addr = self.address()?;
            hello.failover_addr = self.address()?;
        }
        Ok(Frame::Hello(hello))
    }

    /// An address at the end of a hello. A hello that ends before it names none.
    fn address(&mut self) -> Result<&'a str, WireError> {
        if self.rest().is_empty() {
            return Ok("");
        }
        let len = usize::from(self.u8()?);
        self.text(len, ADDRESS_BYTES_MAX, "address")
    }

    fn last_link(&mut self) -> Result<Option<LastLink>, WireError> {
        let (incarnation, until) = (self.u64()?, self.timestamp()?);
        Ok((until > Timestamp::ZERO).then_some(LastLink { incarnation, until }))
    }

    pub(super) fn welcome(self) -> Result<Frame<'a>, WireError> {
        self.only(|r| {
            Ok(Frame::Welcome {
                wire_version: r.u16()?,
                clock: r.timestamp()?,
            })
        })
    }

    pub(super) fn refuse(mut self) -> Result<Frame<'a>, WireError> {
        let code = self.u8()?;
        let reason = str::from_utf8(self.rest()).map_err(|_| self.wrong("reason"))?;
        Ok(Frame::Refuse { code, reason })
    }
}
