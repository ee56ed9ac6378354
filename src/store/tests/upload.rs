//! Unfinished values and lines.
//!
//! Regression: the announced size was charged at once, and larger values of other clients were
//! refused when the sum reached an eighth of memory: eight clients that each announced a megabyte
//! and sent ten bytes made the next session save fail, and the old session was gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Poll, Wake, Waker};

use super::*;

const LARGE: usize = 20 << 20;

#[derive(Default)]
struct Calls(AtomicUsize);

impl Wake for Calls {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Calls {
    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

fn begin(store: &Store, len: usize) -> Upload {
    let mut context = OpContext::at(START);
    let upload = store.upload(b"k", &ItemHead::default(), len, &mut context);
    upload.unwrap()
}

fn send(store: &Store, upload: &mut Upload, bytes: &[u8]) {
    let taken = store.receive(upload, bytes, &mut OpContext::at(START));
    assert_eq!(taken, Ok(bytes.len()));
}

fn poll(upload: &mut Upload, waker: &Waker) -> Poll<()> {
    let (held, whole_bytes) = upload.held_mut();
    held.poll_room(whole_bytes, waker)
}

#[test]
fn an_announced_value_takes_no_memory() {
    let store = store(64 * MEBIBYTE);
    let uploads: Vec<_> = (0..1000).map(|_| begin(&store, LARGE)).collect();
    assert_eq!(store.memory().used_bytes, 0);
    drop(uploads);
    store.audit(START);
}

#[test]
fn memory_grows_with_the_bytes_received() {
    for ballast_bytes in [0, 20 * MEBIBYTE] {
        let store = store(64 * MEBIBYTE);
        // It holds so much that memory is not ample any more.
        let mut ballast = store.unfinished_input();
        ballast.hold(ballast_bytes);
        let mut context = OpContext::at(START);
        for len in [1025, 5000, 100_000, 256 << 10, 700_000, 9_000_000] {
            let value: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
            let mut upload = begin(&store, len);
            for piece in value.chunks(4999) {
                send(&store, &mut upload, piece);
                let arrived = len - upload.missing_bytes();
                let held_bytes = upload.held().bytes() as usize;
                let most = if ballast_bytes == 0 {
                    (4 * arrived + 5000).max(268 << 10)
                } else {
                    2 * arrived + 12_000
                };
                assert!(held_bytes <= most, "{held_bytes} for {arrived} of {len}");
            }
            let pending = upload.into_pending_item(&store);
            store.update(b"k", &mut context, |_| (Action::Put(pending), ()));
            assert_eq!(store.get(b"k", &mut context), Ok(value));
            assert_eq!(store.memory().unfinished_bytes, ballast_bytes);
        }
        drop(ballast);
        store.audit(START);
    }
}

#[test]
fn small_uploads_and_large_ones_that_fit_continue_beside_waiting_ones() {
    let store = store(64 * MEBIBYTE);
    let waker = Waker::noop();
    // They could not all be completed.
    let mut crowd = Vec::new();
    for _ in 0..1000 {
        let mut upload = begin(&store, LARGE);
        send(&store, &mut upload, &[1; 10_000]);
        crowd.push(upload);
    }
    let polled = crowd.iter_mut().map(|upload| poll(upload, waker));
    let waiting = polled.filter(|polled| polled.is_pending()).count();
    // An upload whose buffer has space does not ask.
    assert!((500..=999).contains(&waiting), "{waiting}");
    for len in [2000, 60_000, 120_001, 1_000_000] {
        let mut upload = begin(&store, len);
        assert!(poll(&mut upload, waker).is_ready(), "{len}");
        send(&store, &mut upload, &vec![2; len]);
    }
    let memory = store.memory();
    let most_bytes = memory.budget_bytes / 2;
    assert!(memory.unfinished_bytes < most_bytes, "{memory:?}");
    drop(crowd);
    store.audit(START);
}

#[test]
fn one_upload_gets_the_overdraft_and_wakes_the_next_when_it_ends() {
    let store = store(64 * MEBIBYTE);
    let mut ballast = store.unfinished_input();
    ballast.hold(25 * MEBIBYTE);
    let calls = Arc::new(Calls::default());
    let waker = Waker::from(Arc::clone(&calls));
    let mut first = begin(&store, LARGE);
    let mut second = begin(&store, LARGE);
    for upload in [&mut first, &mut second] {
        assert!(poll(upload, Waker::noop()).is_ready(), "its first bytes");
        send(&store, upload, &[1; 1000]);
    }
    assert!(poll(&mut first, Waker::noop()).is_ready());
    assert!(poll(&mut second, &waker).is_pending());
    let polled = poll(&mut first, Waker::noop());
    assert!(polled.is_ready(), "it keeps its right");
    send(&store, &mut first, &vec![1; LARGE - 1000]);
    assert!(poll(&mut second, &waker).is_pending());
    assert!(store.lacking_input_bytes().is_some_and(|bytes| bytes > 0));
    assert_eq!(calls.count(), 0);
    drop(first.into_pending_item(&store));
    assert_eq!(calls.count(), 1, "called once, however often it has looked");
    assert!(poll(&mut second, &waker).is_ready());
    assert_eq!(store.lacking_input_bytes(), None);
    drop(second);
    drop(ballast);
    store.audit(START);
}

#[test]
fn a_waiting_upload_is_woken_by_whatever_frees_memory() {
    let store = store(64 * MEBIBYTE);
    let mut ballast = store.unfinished_input();
    ballast.hold(20 * MEBIBYTE);
    let mut beyond = begin(&store, LARGE);
    send(&store, &mut beyond, &[1; 1000]);
    assert!(poll(&mut beyond, Waker::noop()).is_ready());
    ballast.hold(31 * MEBIBYTE);
    let calls = Arc::new(Calls::default());
    let waker = Waker::from(Arc::clone(&calls));
    let mut line = store.unfinished_input();
    line.hold(100_000);
    assert!(line.poll_room(200_000, &waker).is_pending());
    ballast.hold(30 * MEBIBYTE);
    assert_eq!(calls.count(), 1);
    assert!(line.poll_room(200_000, &waker).is_ready());
    ballast.hold(31 * MEBIBYTE);
    assert!(line.poll_room(200_000, &waker).is_pending());
    // The upload with the overdraft.
    drop(beyond);
    assert_eq!(calls.count(), 2);
    assert!(line.poll_room(200_000, &waker).is_ready());
}

/// Between the check and the registration of a waiter, another thread may free the last bytes.
#[test]
fn no_wakeup_is_lost_between_threads() {
    let store = store(64 * MEBIBYTE);
    let mut beyond = begin(&store, LARGE);
    let mut ballast = store.unfinished_input();
    ballast.hold(20 * MEBIBYTE);
    send(&store, &mut beyond, &[1; 1000]);
    assert!(poll(&mut beyond, Waker::noop()).is_ready());
    ballast.hold(40 * MEBIBYTE);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                struct Unpark(std::thread::Thread);
                impl Wake for Unpark {
                    fn wake(self: Arc<Self>) {
                        self.0.unpark();
                    }
                }
                let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
                let mut line = store.unfinished_input();
                for _ in 0..3000 {
                    line.hold(1000);
                    while line.poll_room(7 * MEBIBYTE, &waker).is_pending() {
                        std::thread::park();
                    }
                    line.hold(7 * MEBIBYTE);
                    line.hold(0);
                }
            });
        }
        ballast.hold(22 * MEBIBYTE);
    });
    drop((beyond, ballast));
    assert_eq!(store.memory().used_bytes, 0);
}

#[test]
fn without_evictions_a_value_is_refused_when_it_is_announced() {
    let (store, mut context) = begun(without_evictions(SMALL_BYTES));
    let head = ItemHead::default();
    let first = store.upload(b"k", &head, 500_000, &mut context);
    assert!(store.upload(b"l", &head, 500_000, &mut context).is_err());
    drop(first);
    assert!(store.upload(b"l", &head, 500_000, &mut context).is_ok());
    store.audit(START);
}
