//! Order, bounds and wake-ups of the change queue.

mod commits;

use std::thread;

use super::*;
use crate::limits::{BATCH_KEYS_MAX, CHANGE_QUEUE_BATCHES_MAX, CHANGE_QUEUE_KEYS_MIN};

const LIMIT_BYTES: u64 = 1 << 30;

fn up() -> (ChangeSender, ChangeReceiver) {
    let (sender, receiver) = change_queue(LIMIT_BYTES, 0);
    receiver.set_link_up(true);
    (sender, receiver)
}

fn drained(receiver: &ChangeReceiver) -> Vec<u64> {
    let mut all = Vec::new();
    while let Some(batch) = receiver.take() {
        assert!(batch.keys.len() <= BATCH_KEYS_MAX);
        receiver.mark_taken();
        all.extend_from_slice(&batch.keys);
        receiver.give_back(batch);
    }
    all
}

fn is_notified(receiver: &ChangeReceiver) -> bool {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    std::pin::pin!(receiver.notified())
        .poll(&mut context)
        .is_ready()
}

#[test]
fn keys_arrive_in_order_and_in_bounded_batches() {
    let (sender, receiver) = up();
    let mut dirty: Vec<u64> = (0..3000).collect();
    sender.send(&mut dirty);
    assert!(dirty.is_empty());
    assert_eq!(drained(&receiver), (0..3000).collect::<Vec<u64>>());
}

#[test]
fn a_full_queue_drops_the_batch_and_reports_an_overflow() {
    let (sender, receiver) = up();
    for key in 0..CHANGE_QUEUE_BATCHES_MAX as u64 {
        sender.send(&mut vec![key]);
    }
    assert!(receiver.take_overflow().is_none());
    sender.send(&mut vec![7]);
    assert!(receiver.take_overflow().is_some() && receiver.take_overflow().is_none());
    assert_eq!(drained(&receiver).len(), CHANGE_QUEUE_BATCHES_MAX);
    sender.send(&mut vec![8]);
    assert_eq!(drained(&receiver), [8]);
}

/// Regression: a million keys could wait whatever `-m` was, and as much memory was kept in
/// spares: 16 MiB beyond a `-m 64`.
#[test]
fn waiting_keys_take_no_more_than_a_share_of_memory() {
    for limit_bytes in [1 << 20, 64 << 20, 1 << 30, 1 << 40] {
        let (sender, receiver) = change_queue(limit_bytes, 0);
        receiver.set_link_up(true);
        let mut handed_over = 0;
        while receiver.take_overflow().is_none() {
            sender.send(&mut vec![7; BATCH_KEYS_MAX]);
            handed_over += BATCH_KEYS_MAX;
        }
        let waiting = sender.waiting_keys();
        assert_eq!(waiting, handed_over - BATCH_KEYS_MAX);
        let most = (limit_bytes / CHANGE_QUEUE_KEYS_SHARE / 8) as usize;
        let least = most.min(1 << 20) - BATCH_KEYS_MAX + 1;
        let expected = least..=most.max(CHANGE_QUEUE_KEYS_MIN);
        assert!(expected.contains(&waiting), "{limit_bytes}: {waiting}");
        assert_eq!(receiver.waiting_bytes(), 8 * waiting);
        drained(&receiver);
        let spares: usize = receiver.spares.len();
        assert!(spares <= CHANGE_QUEUE_SPARES_MAX, "{spares} kept");
    }
}

#[test]
fn without_a_link_nothing_is_kept_and_nothing_overflows() {
    let (sender, receiver) = change_queue(LIMIT_BYTES, 0);
    for key in 0..2 * CHANGE_QUEUE_BATCHES_MAX as u64 {
        sender.send(&mut vec![key]);
        sender.send_promotions(&mut vec![key]);
    }
    assert!(receiver.is_empty() && receiver.take_overflow().is_none());
    receiver.set_link_up(true);
    sender.send(&mut vec![1]);
    sender.send_promotions(&mut vec![2]);
    receiver.set_link_up(false);
    let mut promoted = Vec::new();
    receiver.drain_promotions(&mut promoted);
    assert!(receiver.is_empty() && promoted.is_empty());
}

/// Regression: `stats replication` left out the keys in the queue, and those that were taken
/// but not yet in the link's own numbers.
#[test]
fn keys_count_as_waiting_until_they_are_marked_as_taken() {
    let (sender, receiver) = up();
    sender.send(&mut vec![1, 2, 3]);
    assert_eq!(sender.waiting_keys(), 3);
    receiver.take().unwrap();
    assert_eq!(sender.waiting_keys(), 3);
    receiver.mark_taken();
    assert_eq!(sender.waiting_keys(), 0);
    sender.send(&mut vec![4]);
    receiver.set_link_up(false);
    assert_eq!(sender.waiting_keys(), 0);
}

#[test]
fn only_a_parked_receiver_is_woken_and_only_once() {
    let (sender, receiver) = up();
    sender.send(&mut vec![1]);
    assert!(!is_notified(&receiver), "an awake receiver polls by itself");
    assert!(!receiver.park(), "something waits");
    drained(&receiver);
    assert!(receiver.park());
    sender.send(&mut vec![1]);
    sender.send(&mut vec![2]);
    assert!(is_notified(&receiver) && !is_notified(&receiver));
}

#[test]
fn many_waiting_keys_wake_a_receiver_that_polls_soon() {
    let (sender, receiver) = up();
    receiver.poll_soon();
    sender.send(&mut vec![7; CHANGE_QUEUE_WAKE_KEYS - 1]);
    assert!(!is_notified(&receiver), "it polls soon by itself");
    sender.send(&mut vec![7]);
    assert!(is_notified(&receiver));
}

/// Regression: batches of one key each, as unpipelined sets make them, filled the channel
/// before their keys were enough to wake the receiver. The overflow cost a sync, on a
/// healthy pair at 61,000 sets a second.
#[test]
fn many_small_batches_wake_the_receiver_before_the_channel_is_full() {
    let (sender, receiver) = up();
    receiver.poll_soon();
    let mut seen = 0;
    for key in 0..=CHANGE_QUEUE_BATCHES_MAX as u64 {
        sender.send(&mut vec![key]);
        if is_notified(&receiver) {
            seen += drained(&receiver).len();
            receiver.poll_soon();
        }
    }
    assert!(
        receiver.take_overflow().is_none(),
        "the receiver was woken too late"
    );
    seen += drained(&receiver).len();
    assert_eq!(seen, CHANGE_QUEUE_BATCHES_MAX + 1);
}

/// Thousands of races of a worker that sends against a receiver that parks: a lost wake-up
/// leaves keys unsent until the next heartbeat.
#[test]
fn no_wakeup_is_lost() {
    let (sender, receiver) = up();
    let keys = 20_000;
    let worker = thread::spawn(move || {
        for key in 0..keys {
            sender.send(&mut vec![key]);
            while sender.shared.waiting_keys.load(Ordering::Relaxed) > 500 {
                thread::yield_now();
            }
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let mut seen = 0;
    runtime.block_on(async {
        while seen < keys {
            seen += drained(&receiver).len() as u64;
            if seen < keys && receiver.park() {
                receiver.notified().await;
            }
        }
    });
    worker.join().unwrap();
    assert_eq!(seen, keys);
}
