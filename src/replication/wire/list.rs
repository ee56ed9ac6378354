//! The frame with which a node lists what it holds where the tables differ.

use super::decode::Reader;
use super::{Frame, WireError, sync_body_bytes_max};
use crate::store::{Timestamp, Version};

/// In the count of a section: it is a part of its bucket, whose range follows.
const PART: u16 = 1 << 15;
/// Bytes of a section before its entries.
const SECTION_BYTES: usize = 2 + 2;
const PART_BYTES: usize = SECTION_BYTES + 16;
const ENTRY_BYTES: usize = 24;

/// What a node holds in some buckets that differ, in ascending order of their buckets and hashes.
/// It was checked when the frame was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct List<'a> {
    /// Whether this is the last list of this sync.
    pub is_last: bool,
    pub(super) sections: &'a [u8],
}

impl<'a> List<'a> {
    /// The sections in turn.
    pub(crate) fn sections(&self) -> Sections<'a> {
        Sections(self.sections)
    }
}

/// Sections that were checked when their frame was read. Its bytes may be kept to go on later.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sections<'a>(pub(crate) &'a [u8]);

impl<'a> Iterator for Sections<'a> {
    type Item = Section<'a>;

    fn next(&mut self) -> Option<Section<'a>> {
        let mut reader = Reader::new("list", self.0);
        let section = reader.section().ok()?;
        self.0 = reader.rest();
        Some(section)
    }
}

/// All that a node holds in a bucket, or with hashes in a range.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Section<'a> {
    pub(crate) bucket: u16,
    pub(crate) first_hash: u64,
    pub(crate) last_hash: u64,
    entries: &'a [[u8; ENTRY_BYTES]],
}

impl Section<'_> {
    /// The hashes of the keys with the versions of their items, in ascending order of the hashes.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (u64, Version)> + Clone {
        self.entries.iter().map(|bytes| {
            let number = |at: usize| {
                let bytes = &bytes[at..at + 8];
                bytes
                    .iter()
                    .fold(0, |sum, &byte| sum << 8 | u64::from(byte))
            };
            let version = Version {
                timestamp: Timestamp::from_raw(number(8)),
                touched: Timestamp::from_raw(number(16)),
            };
            (number(0), version)
        })
    }
}

/// Collects the sections of a list.
#[derive(Debug, Default)]
pub(crate) struct SectionWriter {
    bytes: Vec<u8>,
}

impl SectionWriter {
    /// How many entries fit one more section, which is a whole bucket or a part of one.
    pub(crate) fn room(&self, is_part: bool) -> Option<usize> {
        let header_bytes = if is_part { PART_BYTES } else { SECTION_BYTES };
        let room = sync_body_bytes_max().checked_sub(self.bytes.len() + header_bytes)?;
        Some(room / ENTRY_BYTES)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Adds a section behind all that were added before. `range`: the hashes it speaks for, if it
    /// is a part of its bucket. No more entries than fit.
    pub(crate) fn push(
        &mut self,
        bucket: u16,
        range: Option<(u64, u64)>,
        entries: impl ExactSizeIterator<Item = (u64, Version)>,
    ) {
        let count = entries.len() as u16;
        let part = if range.is_some() { PART } else { 0 };
        self.bytes.extend(bucket.to_be_bytes());
        self.bytes.extend((count | part).to_be_bytes());
        if let Some((first_hash, last_hash)) = range {
            self.bytes.extend(first_hash.to_be_bytes());
            self.bytes.extend(last_hash.to_be_bytes());
        }
        for (hash, version) in entries {
            for number in [hash, version.timestamp.get(), version.touched.get()] {
                self.bytes.extend(number.to_be_bytes());
            }
        }
    }

    /// The frame. One that is not the last must have a section.
    pub(crate) fn frame(&self, is_last: bool) -> Frame<'_> {
        Frame::List(List {
            is_last,
            sections: &self.bytes,
        })
    }
}

impl<'a> Reader<'a> {
    pub(super) fn list(mut self) -> Result<Frame<'a>, WireError> {
        let is_last = self.is_last()?;
        let sections = self.rest();
        let mut before = None;
        while !self.rest().is_empty() {
            let section = self.section()?;
            if before >= Some((section.bucket, section.first_hash)) {
                return Err(self.wrong("order of sections"));
            }
            before = Some((section.bucket, section.last_hash));
        }
        Ok(Frame::List(List { is_last, sections }))
    }

    fn section(&mut self) -> Result<Section<'a>, WireError> {
        let (bucket, count) = (self.u16()?, self.u16()?);
        let (first_hash, last_hash) = if count & PART != 0 {
            (self.u64()?, self.u64()?)
        } else {
            (0, u64::MAX)
        };
        let entries = self.take(usize::from(count & !PART) * ENTRY_BYTES)?;
        let section = Section {
            bucket,
            first_hash,
            last_hash,
            entries: entries.as_chunks().0,
        };
        let mut before = first_hash;
        for (hash, _) in section.entries() {
            if hash < before || hash > last_hash {
                return Err(self.wrong("order of hashes"));
            }
            before = hash;
        }
        if first_hash > last_hash {
            return Err(self.wrong("range of hashes"));
        }
        Ok(section)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode<'a>(frame: &Frame<'_>, bytes: &'a mut Vec<u8>) -> Result<Frame<'a>, WireError> {
        bytes.clear();
        frame.encode(bytes);
        Frame::decode(&bytes[crate::replication::wire::LENGTH_BYTES..])
    }

    fn version(timestamp: u64) -> Version {
        Version::written(Timestamp::from_raw(timestamp))
    }

    #[test]
    fn a_list_is_read_as_it_was_written() {
        let mut writer = SectionWriter::default();
        let entries = [(5, version(1)), (5, version(2)), (9, version(3))];
        writer.push(1, None, entries.into_iter());
        writer.push(2, Some((0, 8)), entries[..2].iter().copied());
        writer.push(2, Some((9, u64::MAX)), std::iter::empty());
        let mut bytes = Vec::new();
        let Ok(Frame::List(list)) = decode(&writer.frame(true), &mut bytes) else {
            panic!("no list");
        };
        let read: Vec<_> = list
            .sections()
            .map(|it| {
                let entries: Vec<_> = it.entries().collect();
                (it.bucket, it.first_hash, it.last_hash, entries)
            })
            .collect();
        let expected = [
            (1, 0, u64::MAX, entries.to_vec()),
            (2, 0, 8, entries[..2].to_vec()),
            (2, 9, u64::MAX, Vec::new()),
        ];
        assert_eq!(read, expected);
    }

    #[test]
    fn the_longest_list_fits_a_frame() {
        for range in [None, Some((0, u64::MAX))] {
            let mut writer = SectionWriter::default();
            let room = writer.room(range.is_some()).unwrap();
            writer.push(1, range, (0..room).map(|hash| (hash as u64, version(1))));
            assert!(writer.room(false).is_none_or(|room| room == 0));
            let mut bytes = Vec::new();
            assert!(decode(&writer.frame(false), &mut bytes).is_ok());
        }
    }

    /// A partner that lies about its table must not make this node do more than one that does not.
    #[test]
    fn lists_that_are_out_of_order_are_refused() {
        let wrong = |frame, field| WireError::Field { frame, field };
        /// The bucket, the range if it is a part, and the hashes of a section.
        type Shown<'a> = (u16, Option<(u64, u64)>, &'a [u64]);
        let list = |sections: &[Shown<'_>]| {
            let mut writer = SectionWriter::default();
            for &(bucket, range, hashes) in sections {
                let entries = hashes.iter().map(|&hash| (hash, version(1)));
                writer.push(bucket, range, entries);
            }
            decode(&writer.frame(true), &mut Vec::new()).map(|_| ())
        };
        let order = Err(wrong("list", "order of sections"));
        assert_eq!(list(&[(2, None, &[]), (1, None, &[])]), order);
        assert_eq!(list(&[(2, None, &[]), (2, None, &[])]), order);
        let overlapping: [Shown<'_>; 2] = [(2, Some((0, 5)), &[]), (2, Some((5, 9)), &[])];
        assert_eq!(list(&overlapping), order);
        let hashes = Err(wrong("list", "order of hashes"));
        assert_eq!(list(&[(2, None, &[5, 4])]), hashes);
        assert_eq!(list(&[(2, Some((3, 8)), &[9])]), hashes);
        assert_eq!(list(&[(2, Some((3, 8)), &[2])]), hashes);
        let range = Err(wrong("list", "range of hashes"));
        assert_eq!(list(&[(2, Some((8, 3)), &[])]), range);
    }
}
