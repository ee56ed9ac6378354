//! A link that sleeps is woken by what it has to see.

use std::sync::Arc;

use loom::future::block_on;
use loom::thread;
use model::check;
use model::link::Link;
use model::replication::change_queue::change_queue;
use model::replication::sync::{AtomicBool, Ordering};

/// Regression: a worker whose batch was dropped woke nobody. A link that had emptied the queue and
/// fallen asleep before the worker said so noticed at its next tick, up to 200 ms later. For so
/// long the partner lacked what was dropped.
#[test]
fn an_overflow_wakes_the_link() {
    check(4, || {
        let (sender, changes) = change_queue(8, 0);
        let mut link = Link::up(changes);
        let worker = thread::spawn(move || {
            for slot in 1..=2 {
                sender.send(&mut vec![slot]);
            }
        });
        link.run(2);
        worker.join().unwrap();
    });
}

/// The link takes keys once a millisecond. Meanwhile two workers together leave half a channel of
/// batches, and one of them sees it; or one worker leaves many keys.
#[test]
fn many_keys_end_a_nap() {
    for slots in [&[1, 1][..], &[3]] {
        check(3, move || {
            let (sender, changes) = change_queue(64, 0);
            let mut link = Link::up(changes);
            link.changes().poll_soon();
            let workers = slots.iter().map(|slots| {
                let sender = sender.clone();
                thread::spawn(move || sender.send(&mut vec![7; *slots]))
            });
            let workers: Vec<_> = workers.collect();
            block_on(link.changes().notified());
            for worker in workers {
                worker.join().unwrap();
            }
            link.take();
            assert_eq!(link.sent.len(), slots.iter().sum());
        });
    }
}

/// A flush changes no key. The link looks for it after it has parked, and before it sleeps.
#[test]
fn a_flush_wakes_a_parked_link() {
    check(5, || {
        let (sender, changes) = change_queue(64, 0);
        let link = Link::up(changes);
        let watermark = Arc::new(AtomicBool::new(false));
        let worker = {
            let watermark = Arc::clone(&watermark);
            thread::spawn(move || {
                watermark.store(true, Ordering::Relaxed);
                sender.wake();
            })
        };
        while link.changes().park() && !watermark.load(Ordering::Relaxed) {
            block_on(link.changes().notified());
        }
        worker.join().unwrap();
    });
}
