//! `stat`: statistics are written as text, then each line becomes a packet.

use crate::frontend::executor::Executor;
use crate::protocol::binary::{Header, Status, reply};
use crate::protocol::text;

impl Executor<'_, '_> {
    pub(super) fn stat(&mut self, header: &Header, key: &[u8]) {
        self.ctx.end_turn();
        if let Some(words) = key.strip_prefix(b"detail") {
            return self.stat_detail(header, words);
        }
        let mut lines = Vec::new();
        let args = key.split(|&byte| byte == b' ');
        let args: Vec<&[u8]> = args.filter(|word| !word.is_empty()).collect();
        // Text takes the beginning of these words for the words; here only a whole word counts.
        let first = args.first();
        let is_part =
            |whole: &[u8]| first.is_some_and(|word| whole.starts_with(word) && *word != whole);
        // As there, these are shown in text only.
        let is_texts =
            first.is_some_and(|word| b"conns".starts_with(word) || b"extstore".starts_with(word));
        // More than a word is none, but behind these two anything may stand.
        let is_open = key.starts_with(b"reset ") || key.starts_with(b"settings ");
        let is_unclear = key.contains(&b' ') && !is_open;
        if !is_unclear && !is_texts && !is_part(b"reset") && !is_part(b"settings") {
            self.server.stats(&args, &mut lines);
        }
        if !lines.ends_with(text::reply::END) && lines != b"RESET\r\n" {
            return self.error(header, Status::NotFound);
        }
        let out = &mut self.out.bytes;
        for line in lines.split(|&byte| byte == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if let Some(rest) = line.strip_prefix(b"STAT ") {
                let end = memchr::memchr(b' ', rest).unwrap_or(rest.len());
                let (name, value) = rest.split_at(end);
                reply::stat(out, header, name, value.get(1..).unwrap_or_default());
            }
        }
        reply::stat(out, header, &[], &[]);
    }

    /// `stat` of `detail on`, `detail off` or `detail dump`; whatever follows these does not
    /// count. A dump is one statistic of many lines, as in memcached.
    fn stat_detail(&mut self, header: &Header, words: &[u8]) {
        let is_asked = |word: &&[u8]| words.get(1..).is_some_and(|rest| rest.starts_with(word));
        let known: [&[u8]; 3] = [b"dump", b"on", b"off"];
        let mut lines = Vec::new();
        if words.first() == Some(&b' ')
            && let Some(word) = known.into_iter().find(is_asked)
        {
            self.server.stats(&[b"detail", word], &mut lines);
        }
        let out = &mut self.out.bytes;
        if lines.ends_with(text::reply::END) {
            reply::stat(out, header, b"detailed", &lines);
        } else if lines != b"OK\r\n" {
            return self.error(header, Status::NotFound);
        }
        reply::stat(out, header, &[], &[]);
    }
}
