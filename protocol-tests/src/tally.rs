//! Clients that count what goes over their wires, and traffic that moves every counter.

use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::client::Client;
use crate::packets::{Packet, Reply, count, opcode, packet, store};
use crate::server::Server;

/// A connection, and the bytes that went over it in both directions.
#[derive(Debug)]
pub struct Counted {
    client: Client,
    /// Bytes sent.
    pub sent_bytes: u64,
    /// Bytes received.
    pub received_bytes: u64,
}

impl Counted {
    /// Connects.
    pub fn connect(server: &Server) -> Result<Self> {
        Ok(Self {
            client: server.connect()?,
            sent_bytes: 0,
            received_bytes: 0,
        })
    }

    /// Sends without waiting for an answer.
    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.sent_bytes += bytes.len() as u64;
        Ok(self.client.send(bytes)?)
    }

    /// Receives everything up to and with `mark`.
    pub fn read_until(&mut self, mark: &[u8]) -> Result<Vec<u8>> {
        let bytes = self.client.read_until(mark)?;
        self.received_bytes += bytes.len() as u64;
        Ok(bytes)
    }

    /// Sends text and returns all that is answered to it.
    pub fn text(&mut self, bytes: impl AsRef<[u8]>) -> Result<Vec<u8>> {
        self.send(&[bytes.as_ref(), b"mn\r\n"].concat())?;
        let mut answer = self.read_until(b"MN\r\n")?;
        answer.truncate(answer.len() - b"MN\r\n".len());
        Ok(answer)
    }

    /// Sends packets and returns all replies to them; a `noop` behind them shows where they end.
    pub fn packets(&mut self, packets: &[Packet]) -> Result<Vec<Reply>> {
        let bytes: Vec<_> = packets.iter().map(Packet::bytes).collect();
        self.send(&bytes.concat())?;
        self.send(&packet(opcode::NOOP).bytes())?;
        let mut replies = Vec::new();
        loop {
            let reply = Reply::read(&mut self.client)?;
            let body_len = reply.extras.len() + reply.key.len() + reply.value.len();
            self.received_bytes += (crate::packets::HEADER_BYTES + body_len) as u64;
            if reply.opcode == opcode::NOOP {
                return Ok(replies);
            }
            replies.push(reply);
        }
    }

    /// Everything until the server closes.
    pub fn read_to_end(&mut self) -> Result<Vec<u8>> {
        let bytes = self.client.read_to_end()?;
        self.received_bytes += bytes.len() as u64;
        Ok(bytes)
    }
}

/// Stores, in the text protocol: what is stored, what is not for each reason.
pub fn text_storage(client: &mut Counted) -> Result<()> {
    client.text("set a 0 0 5\r\n12345\r\nset b 0 0 1 noreply\r\nx\r\nset num 0 0 2\r\n10\r\n")?;
    client.text("add a 0 0 1\r\nx\r\nadd c 0 0 3\r\nabc\r\nreplace c 0 0 2\r\nde\r\n")?;
    client
        .text("replace none 0 0 1\r\nx\r\nappend none 0 0 1\r\nx\r\nprepend none 0 0 1\r\nx\r\n")?;
    client.text("append a 0 0 100\r\n".to_owned() + &"v".repeat(100) + "\r\n")?;
    client.text("prepend a 0 0 3\r\nabc\r\nappend a 0 0 1 noreply\r\nx\r\n")?;
    let seen = String::from_utf8(client.text("gets a\r\n")?)?;
    let line = seen.lines().next().unwrap_or_default();
    let cas = line.rsplit(' ').next().unwrap_or_default();
    client.text(format!(
        "cas a 0 0 1 {cas}\r\nx\r\ncas a 0 0 1 {cas}\r\ny\r\n"
    ))?;
    client.text("cas none 0 0 1 1\r\nx\r\n")?;
    client.text(format!("set big 0 0 500000\r\n{}\r\n", "v".repeat(500_000)))?;
    client.text(format!("set mid 0 0 5000\r\n{}\r\n", "v".repeat(5000)))?;
    client.text(format!(
        "set huge 0 0 2000000\r\n{}\r\n",
        "v".repeat(2_000_000)
    ))?;
    client.text("set a 0 0 1\r\nxyz\r\n")?;
    client.text(format!("set {} 0 0 1\r\nx\r\n", "k".repeat(251)))?;
    Ok(())
}

/// Finds, counts, touches and deletes, hit and miss.
pub fn text_others(client: &mut Counted) -> Result<()> {
    client.text("get a b none c\r\nget a\r\ngets none other\r\nget big\r\nget mid\r\n")?;
    client.text("incr num 5\r\ndecr num 1\r\nincr num 1 noreply\r\ndecr num 100\r\n")?;
    client.text("incr none 1\r\ndecr none 1\r\nincr a 1\r\nincr num x\r\n")?;
    client.text("touch a 100\r\ntouch none 100\r\ntouch b 100 noreply\r\n")?;
    client.text("gat 100 a none b\r\ngats 100 none\r\n")?;
    client.text("delete b\r\ndelete b\r\ndelete none noreply\r\n")?;
    client.text("nonsense\r\nget\r\n")?;
    client.text(format!("get {}\r\n", "k".repeat(251)))?;
    client.text("verbosity 1\r\nversion\r\n")?;
    // A line that comes in pieces.
    client.text(format!("get{}\r\n", " some-key".repeat(30_000)))?;
    Ok(())
}

/// The meta commands, hit, miss and quiet.
pub fn meta(client: &mut Counted) -> Result<()> {
    client.text("ms m 2\r\nhi\r\nms m 2 T100 F5 c\r\nhi\r\nms quiet 1 q\r\nx\r\n")?;
    client
        .text("ms m 1 ME\r\nx\r\nms none 1 MR\r\nx\r\nms none 1 MA\r\nx\r\nms m 1 MP\r\nx\r\n")?;
    client.text("mg m v s t f\r\nmg none v\r\nmg none v q\r\nmg m T50 t\r\nmg m\r\n")?;
    client.text("mg fresh N30 v\r\nmg fresh N30 v\r\nmg m R100 v\r\n")?;
    client.text("md m I T30\r\nmg m v\r\nmg m v\r\nmd m\r\nmd none\r\nmd quiet q\r\n")?;
    client.text(
        "ma num\r\nma num MD D3\r\nma none\r\nma none MD\r\nma auto N0 J5\r\nma auto q\r\n",
    )?;
    client.text(
        "me num\r\nme none\r\nms m 3000000\r\n".to_owned() + &"v".repeat(3_000_000) + "\r\n",
    )?;
    Ok(())
}

/// Flushed and overdue items are asked for. Others are deleted before: when a flushed item is taken
/// back that nobody asks for, each server decides for itself.
pub fn flushed_and_overdue(client: &mut Counted) -> Result<()> {
    for key in "a b c num big mid m quiet fresh auto x y large created".split(' ') {
        client.text(format!("delete {key}\r\n"))?;
    }
    client.text("set f1 0 0 1\r\nx\r\nset f2 0 0 1\r\nx\r\nset num 0 0 1\r\n1\r\n")?;
    // memcached takes back what is younger than a second at once, and counts no lookup of it.
    thread::sleep(Duration::from_millis(2100));
    client.text("flush_all\r\n")?;
    client.text("get f1\r\nget f2 f1\r\ndelete f2\r\nincr num 1\r\nflush_all noreply\r\n")?;
    client.text("set overdue 0 -1 1\r\nx\r\nget overdue\r\nget overdue\r\n")?;
    client.text("set left 0 0 4\r\nhere\r\nset number 0 0 3\r\n100\r\n")?;
    Ok(())
}

/// Commands whose keys have a prefix; `stats detail` is on. Returns what it shows, in order.
pub fn prefixes(client: &mut Counted) -> Result<Vec<String>> {
    client.text("set p:a 0 0 1\r\n1\r\nadd p:a 0 0 1\r\nx\r\nset q:a 0 0 1\r\nxx\r\n")?;
    client.text("get p:a p:none\r\ngat 100 p:a p:none p:a q:none\r\ntouch p:a 100\r\n")?;
    client.text("incr p:a 1\r\nma p:a\r\nms r:a 1\r\nx\r\n")?;
    client.text("mg p:a v\r\nmg r:none v\r\nmd r:a\r\nmd r:a\r\n")?;
    client.text("delete p:a\r\ndelete p:a\r\nget none\r\n")?;
    let shown = String::from_utf8(client.text("stats detail dump\r\n")?)?;
    let mut lines: Vec<_> = shown.lines().map(str::to_owned).collect();
    lines.sort();
    Ok(lines)
}

/// The binary protocol's commands, hit, miss and quiet.
pub fn binary(client: &mut Counted) -> Result<()> {
    use opcode::*;
    let key = |opcode: u8, key: &str| packet(opcode).key(key);
    let touch = |opcode: u8, key: &str| packet(opcode).key(key).extras(&[0, 0, 0, 100]);
    let value = |opcode: u8, key: &str| packet(opcode).key(key).value(b"x");
    let stored = client.packets(&[store(SET, "x", 0, 0, b"12")])?;
    let cas = stored.first().map_or(0, |reply| reply.cas);
    client.packets(&[
        store(SET, "x", 0, 0, b"10").cas(cas),
        store(SET, "x", 0, 0, b"10").cas(cas),
        store(SET, "none", 0, 0, b"10").cas(cas),
        store(SETQ, "x", 0, 0, b"10"),
        store(ADD, "x", 0, 0, b"1"),
        store(ADDQ, "y", 0, 0, b"1"),
        store(REPLACE, "y", 0, 0, b"1"),
        store(REPLACEQ, "none", 0, 0, b"1"),
        value(APPEND, "y"),
        value(PREPENDQ, "y"),
        value(APPENDQ, "none"),
        store(SETQ, "large", 0, 0, &[b'v'; 100_000]),
    ])?;
    client.packets(&[
        key(GET, "x"),
        key(GET, "none"),
        key(GETQ, "none"),
        key(GETK, "x"),
        key(GETKQ, "x"),
        key(GETQ, "large"),
        touch(TOUCH, "x"),
        touch(TOUCH, "none"),
        touch(GAT, "x"),
        touch(GATQ, "none"),
    ])?;
    // Not in one packet with the gets: memcached makes a new item of a number that is being sent.
    client.packets(&[
        count(INCR, "x", 5, 0, 0),
        count(INCR, "created", 5, 7, 0),
        count(DECR, "none", 1, 0, u32::MAX),
        count(DECRQ, "x", 1, 0, 0),
        count(INCRQ, "none", 1, 0, u32::MAX),
        count(INCR, "y", 1, 0, 0),
    ])?;
    client.packets(&[
        key(DELETE, "y"),
        key(DELETE, "none"),
        key(DELETEQ, "none"),
        key(DELETE, "x").cas(cas),
        packet(VERSION),
        packet(VERBOSITY),
    ])?;
    Ok(())
}

/// Connections that come and go: with a word, without one, and for a request that is none.
pub fn visitors(server: &Server) -> Result<Vec<Counted>> {
    let mut all = Vec::new();
    for words in ["quit\r\n", "get left\r\nquit\r\n"] {
        let mut client = Counted::connect(server)?;
        client.send(words.as_bytes())?;
        client.read_to_end()?;
        all.push(client);
    }
    for packet in [packet(opcode::QUIT), packet(opcode::QUITQ)] {
        let mut client = Counted::connect(server)?;
        client.send(&packet.bytes())?;
        client.read_to_end()?;
        all.push(client);
    }
    let mut client = Counted::connect(server)?;
    client.send(&vec![b'x'; 5000])?;
    client.read_to_end()?;
    all.push(client);
    let mut stays = Counted::connect(server)?;
    ensure!(
        stays
            .text("get left number\r\n")?
            .starts_with(b"VALUE left")
    );
    all.push(stays);
    Ok(all)
}
