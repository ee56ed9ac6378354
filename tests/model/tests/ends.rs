//! A link or a worker that ends leaves nobody waiting, and no key forgotten.

use std::sync::Arc;

use loom::thread;
use model::check;
use model::link::Link;
use model::replication::change_queue::change_queue;
use model::replication::sync::Mutex;
use model::worker::Worker;

/// Room for all keys of a scene.
const LIMIT_BYTES: u64 = 64;

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
