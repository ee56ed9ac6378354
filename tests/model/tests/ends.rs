//! A link or a worker that ends leaves nobody waiting, and no key forgotten.

#![allow(clippy::unwrap_used, reason = "a scene fails by panicking")]

use std::sync::Arc;

use loom::thread;
use model::check;
use model::link::Link;
use model::replication::change_queue::change_queue;
use model::replication::sync::Mutex;
use model::worker::Worker;

/// Room for all keys of a scene.
const LIMIT_BYTES: u64 = 64;

/// Regression: a worker that saw the link up and was then interrupted put its group into a queue
/// that the ending link had emptied. Nobody answered it, and its clients waited for the whole ack
/// timeout: 20 ms, where the end of a link answers all who wait at once.
#[test]
fn the_end_of_the_link_releases_who_waits() {
    the_end_releases(|worker| {
        worker.write(1, &[1], &[]);
        worker.hand_over(1);
    });
}

/// Regression: the same with a large value, whose client waited for 90 ms.
#[test]
fn the_end_of_the_link_releases_who_waits_for_a_large_value() {
    the_end_releases(|worker| worker.write(1, &[], &[1]));
}

/// The link ends while a worker writes: its client is answered, and the write is unprotected.
fn the_end_releases(write: fn(&mut Worker)) {
    check(5, move || {
        let (sender, changes) = change_queue(LIMIT_BYTES, 1);
        let mut link = Link::up(changes);
        let mut worker = Worker::new(&sender, 0).unwrap();
        let worker = thread::spawn(move || {
            write(&mut worker);
            worker.wait();
        });
        link.take();
        link.go_down();
        worker.join().unwrap();
        let totals = sender.write_totals();
        assert_eq!((totals.protected, totals.unprotected), (0, 1));
        link.go_down();
        assert_eq!(sender.waiting_keys(), 0);
    });
}

/// A group that the worker hands over while one link is replaced by another belongs to either.
#[test]
fn the_next_link_answers_what_the_last_one_left() {
    check(3, || {
        let (sender, changes) = change_queue(LIMIT_BYTES, 1);
        let mut link = Link::up(changes);
        let mut worker = Worker::new(&sender, 0).unwrap();
        let worker = thread::spawn(move || {
            for slot in 1..=2 {
                worker.write(1, &[slot], &[]);
                worker.hand_over(1);
            }
            worker.wait();
        });
        link.go_down();
        link.come_up();
        link.take();
        link.answer(true);
        link.go_down();
        worker.join().unwrap();
        let totals = sender.write_totals();
        assert_eq!(totals.protected + totals.unprotected, 2);
        link.go_down();
        assert_eq!(sender.waiting_keys(), 0);
    });
}

/// Every write that is in the table when a link comes up is read by its full sync, and every other
/// is in the queue.
#[test]
fn a_write_is_in_the_full_sync_or_in_the_queue() {
    check(5, || {
        let (sender, changes) = change_queue(LIMIT_BYTES, 0);
        let shard = Arc::new(Mutex::<bool>::default());
        let worker = {
            let (sender, shard) = (sender.clone(), Arc::clone(&shard));
            thread::spawn(move || {
                *shard.lock() = true;
                sender.send(&mut vec![1]);
            })
        };
        let mut link = Link::up(changes);
        let is_read = *shard.lock();
        worker.join().unwrap();
        link.take();
        assert!(is_read || link.sent == [1], "the write is lost");
    });
}

/// The worker ends without waiting, as it does when a node stops; then the link drains.
#[test]
fn what_a_worker_wrote_before_it_ended_is_sent() {
    check(5, || {
        let (sender, changes) = change_queue(LIMIT_BYTES, 1);
        let mut link = Link::up(changes);
        let mut worker = Worker::new(&sender, 0).unwrap();
        let worker = thread::spawn(move || {
            worker.write(1, &[1], &[]);
            worker.hand_over(1);
            worker.write(1, &[2], &[]);
            worker.hand_over(1);
            drop(worker);
        });
        link.take();
        link.answer(true);
        worker.join().unwrap();
        while !link.changes().is_empty() {
            link.take();
            link.answer(true);
        }
        assert_eq!(link.sent, [1, 2]);
        assert_eq!(sender.waiting_keys(), 0);
        link.go_down();
    });
}
