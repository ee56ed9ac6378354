//! The frame with which a node tells its partner what is in its table, in short.

use super::decode::Reader;
use super::{Frame, WireError, sync_body_bytes_max};
use crate::limits::sizes;

const RUN_SUMS: u8 = 0;
const RUN_EMPTY: u8 = 1;
/// Bytes of a run before its sums.
const RUN_HEADER_BYTES: usize = 1 + 2 + 2;
const SUM_BYTES: usize = 8;

/// What a node tells of one bucket of its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BucketDigest {
    /// It has no entry, not even a tombstone.
    Empty,
    /// The sum of its live items.
    Sum(u64),
}

/// The digests of some buckets, in ascending order. They were checked when the frame was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digests<'a> {
    /// Whether these are the last ones of this sync.
    pub is_last: bool,
    pub(super) runs: &'a [u8],
}

impl Digests<'_> {
    /// Every bucket with its digest.
    pub fn buckets(&self) -> impl Iterator<Item = (usize, BucketDigest)> {
        let mut reader = Reader::new("digests", self.runs);
        let runs = std::iter::from_fn(move || reader.digest_run().ok());
        runs.flat_map(|run| {
            let digest = move |nth: usize| match run.sums.get(nth) {
                Some(sum) => BucketDigest::Sum(u64::from_be_bytes(*sum)),
                None => BucketDigest::Empty,
            };
            (0..run.count).map(move |nth| (run.first + nth, digest(nth)))
        })
    }
}

/// Digests of neighbouring buckets of one kind.
struct DigestRun<'a> {
    first: usize,
    count: usize,
    /// None if the buckets are empty.
    sums: &'a [[u8; SUM_BYTES]],
}

/// Collects the digests of a frame.
#[derive(Debug, Default)]
pub(crate) struct DigestRuns {
    bytes: Vec<u8>,
    open: Option<OpenRun>,
}

#[derive(Clone, Copy, Debug)]
struct OpenRun {
    starts_at: usize,
    kind: u8,
    first: usize,
    count: usize,
}

impl DigestRuns {
    /// Adds a bucket behind all that were added before.
    pub(crate) fn push(&mut self, bucket: usize, digest: BucketDigest) {
        let (kind, sum) = match digest {
            BucketDigest::Empty => (RUN_EMPTY, None),
            BucketDigest::Sum(sum) => (RUN_SUMS, Some(sum)),
        };
        let continued = self
            .open
            .filter(|open| open.kind == kind && open.first + open.count == bucket);
        let mut run = continued.unwrap_or(OpenRun {
            starts_at: self.bytes.len(),
            kind,
            first: bucket,
            count: 0,
        });
        if run.count == 0 {
            self.bytes.push(kind);
            self.bytes.extend((bucket as u16).to_be_bytes());
            self.bytes.extend([0; 2]);
        }
        let more = (run.count as u16).to_be_bytes();
        self.bytes[run.starts_at + 3..run.starts_at + RUN_HEADER_BYTES].copy_from_slice(&more);
        self.bytes
            .extend(sum.map(u64::to_be_bytes).iter().flatten());
        run.count += 1;
        self.open = Some(run);
    }

    /// Whether one more bucket may not fit.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes.len() + RUN_HEADER_BYTES + SUM_BYTES > sync_body_bytes_max()
    }

    /// The frame. One that is not the last must have a bucket.
    pub(crate) fn frame(&self, is_last: bool) -> Frame<'_> {
        Frame::Digests(Digests {
            is_last,
            runs: &self.bytes,
        })
    }
}

impl<'a> Reader<'a> {
    pub(super) fn digests(mut self) -> Result<Frame<'a>, WireError> {
        let is_last = self.is_last()?;
        let runs = self.rest();
        let mut next = 0;
        while !self.rest().is_empty() {
            let run = self.digest_run()?;
            if run.first < next {
                return Err(self.wrong("order of buckets"));
            }
            next = run.first + run.count;
            if next > sizes().buckets() {
                return Err(self.wrong("bucket"));
            }
        }
        Ok(Frame::Digests(Digests { is_last, runs }))
    }

    fn digest_run(&mut self) -> Result<DigestRun<'a>, WireError> {
        let kind = self.u8()?;
        let (first, more) = (usize::from(self.u16()?), usize::from(self.u16()?));
        let count = more + 1;
        let sums: &[_] = match kind {
            RUN_SUMS => self.take(count * SUM_BYTES)?.as_chunks().0,
            RUN_EMPTY => &[],
            _ => return Err(self.wrong("kind of digest")),
        };
        Ok(DigestRun { first, count, sums })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::BUCKETS;

    fn decode<'a>(frame: &Frame<'_>, bytes: &'a mut Vec<u8>) -> Result<Frame<'a>, WireError> {
        bytes.clear();
        frame.encode(bytes);
        Frame::decode(&bytes[crate::replication::wire::LENGTH_BYTES..])
    }

    #[test]
    fn digests_of_a_whole_table_are_few_frames_and_those_of_an_empty_one_are_a_few_bytes() {
        let mut bytes = Vec::new();
        let mut runs = DigestRuns::default();
        let mut frames = 0;
        for bucket in 0..BUCKETS {
            runs.push(bucket, BucketDigest::Sum(bucket as u64));
            if runs.is_full() || bucket == BUCKETS - 1 {
                frames += 1;
                assert!(decode(&runs.frame(false), &mut bytes).is_ok());
                runs = DigestRuns::default();
            }
        }
        assert_eq!(frames, 9);
        for bucket in 0..BUCKETS {
            runs.push(bucket, BucketDigest::Empty);
        }
        let Ok(Frame::Digests(digests)) = decode(&runs.frame(true), &mut bytes) else {
            panic!("no digests");
        };
        assert_eq!(digests.runs.len(), RUN_HEADER_BYTES);
        assert_eq!(digests.buckets().count(), BUCKETS);
        assert!(digests.is_last);
    }

    #[test]
    fn digests_are_read_as_they_were_written() {
        let written = [
            (3, BucketDigest::Sum(7)),
            (4, BucketDigest::Sum(0)),
            (5, BucketDigest::Empty),
            (6, BucketDigest::Empty),
            (9, BucketDigest::Empty),
            (65_535, BucketDigest::Sum(u64::MAX)),
        ];
        let mut runs = DigestRuns::default();
        written
            .iter()
            .for_each(|&(bucket, digest)| runs.push(bucket, digest));
        let mut bytes = Vec::new();
        let Ok(Frame::Digests(digests)) = decode(&runs.frame(false), &mut bytes) else {
            panic!("no digests");
        };
        assert_eq!(digests.buckets().collect::<Vec<_>>(), written);
    }

    fn refused(body: &[&[u8]]) -> WireError {
        Frame::decode(&body.concat()).unwrap_err()
    }

    /// A partner that lies about its table must not make this node do more than one that does not.
    #[test]
    fn digests_that_are_out_of_order_are_refused() {
        let wrong = |frame, field| WireError::Field { frame, field };
        let digests = crate::replication::wire::kind::DIGESTS;
        let empty = |first: u16, more: u16| {
            let mut run = vec![RUN_EMPTY];
            run.extend(first.to_be_bytes());
            run.extend(more.to_be_bytes());
            run
        };
        let error = refused(&[&[digests, 0], &empty(5, 1), &empty(6, 0)]);
        assert_eq!(error, wrong("digests", "order of buckets"));
        let error = refused(&[&[digests, 0], &empty(65_535, 1)]);
        assert_eq!(error, wrong("digests", "bucket"));
        assert_eq!(refused(&[&[digests, 0]]), wrong("digests", "length"));
        let error = refused(&[&[digests, 1, RUN_SUMS, 0, 0, 0, 0, 1]]);
        assert_eq!(error, WireError::Short("digests"));
    }
}
