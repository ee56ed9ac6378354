//! Every client is answered, once.

use std::sync::Arc;

use loom::future::block_on;
use loom::thread;
use model::check;
use model::link::Link;
use model::replication::change_queue::{ChangeReceiver, ChangeSender, WriteTotals, change_queue};
use model::replication::sync::Notify;
use model::worker::{ACK_TIMEOUT_MS, Worker};

/// A queue for so many keys.
fn queue_of(keys: u64, workers: usize) -> (ChangeSender, ChangeReceiver) {
    change_queue(8 * keys, workers)
}

#[track_caller]
fn assert_totals(sender: &ChangeSender, protected: u64, unprotected: u64, late: u64) {
    let expected = WriteTotals {
        protected,
        unprotected,
        late,
    };
    assert_eq!(sender.write_totals(), expected);
    assert_eq!(sender.waiting_keys(), 0, "of the keys in the queue");
}

/// A worker hands a group over while the link takes, answers or falls asleep; the second one while
/// the first is answered.
#[test]
fn groups_that_follow_each_other_are_answered_and_wake_both_threads() {
    check(3, || {
        let (sender, changes) = queue_of(8, 1);
        let mut link = Link::up(changes);
        let mut worker = Worker::new(&sender, 0).unwrap();
        let worker = thread::spawn(move || {
            worker.write(1, &[1, 2], &[]);
            worker.hand_over(1);
            worker.write(1, &[3], &[]);
            worker.hand_over(1);
            worker.wait();
        });
        link.run(3);
        worker.join().unwrap();
        assert_eq!(link.sent, [1, 2, 3]);
        assert_totals(&sender, 3, 0, 0);
    });
}

/// The link may take the first batch of a group before there is another. The answer comes after the
/// last one.
#[test]
fn a_group_of_several_batches_has_one_answer() {
    check(3, || {
        let (sender, changes) = queue_of(8, 1);
        let mut link = Link::up(changes);
        let mut worker = Worker::new(&sender, 0).unwrap();
        let worker = thread::spawn(move || {
            worker.write(1, &[1, 2, 3, 4, 5], &[]);
            worker.hand_over(1);
            worker.wait();
        });
        link.run(5);
        worker.join().unwrap();
        assert_totals(&sender, 5, 0, 0);
    });
}

/// The workers share the wake-up of the link: the one that does not wake it relies on the other.
#[test]
fn two_workers_are_answered_each_for_itself() {
    check(2, || {
        let (sender, changes) = queue_of(8, 2);
        let mut link = Link::up(changes);
        let workers = [(0, 1), (1, 2)].map(|(number, slot)| {
            let mut worker = Worker::new(&sender, number).unwrap();
            thread::spawn(move || {
                worker.write(1, &[slot], &[]);
                worker.hand_over(1);
                worker.wait();
            })
        });
        link.run(2);
        for worker in workers {
            worker.join().unwrap();
        }
        assert_totals(&sender, 2, 0, 0);
    });
}

/// The client waits for two groups, one after the other, and the answer to the second may be there
/// before it waits for that.
#[test]
fn a_turn_with_a_large_value_waits_for_both_of_its_groups() {
    check(3, || {
        let (sender, changes) = queue_of(8, 1);
        let mut link = Link::up(changes);
        let mut worker = Worker::new(&sender, 0).unwrap();
        let worker = thread::spawn(move || {
            worker.write(1, &[1], &[2]);
            worker.wait();
        });
        link.run(2);
        worker.join().unwrap();
        assert_totals(&sender, 2, 0, 0);
    });
}

/// Some group does not fit. Its client and those before it are released as unprotected, and what
/// the partner still says of these groups counts no more.
#[test]
fn an_overflow_answers_its_waiters_and_each_write_counts_once() {
    check(3, || {
        let (sender, changes) = queue_of(1, 1);
        let mut link = Link::up(changes);
        let mut worker = Worker::new(&sender, 0).unwrap();
        let worker = thread::spawn(move || {
            for slot in 1..=2 {
                worker.write(1, &[slot], &[]);
                worker.hand_over(1);
            }
            worker.wait();
        });
        link.run(2);
        worker.join().unwrap();
        link.take();
        let WriteTotals {
            protected,
            unprotected,
            late,
        } = sender.write_totals();
        assert_eq!((protected + unprotected, late), (2, 0));
        assert!(unprotected == 0 || link.has_overflowed);
        assert!(link.sent.len() == 2 || protected < 2);
        assert_eq!(sender.waiting_keys(), 0);
    });
}

/// The clock passes the timeout of the first group while its answer is on its way. The second group
/// waits on, whenever that answer comes.
#[test]
fn a_late_answer_releases_nobody_else() {
    check(3, || {
        let (sender, changes) = queue_of(8, 1);
        let mut link = Link::up(changes);
        let mut worker = Worker::new(&sender, 0).unwrap();
        let looked = Arc::new(Notify::new());
        let has_looked = Arc::clone(&looked);
        let worker = thread::spawn(move || {
            worker.write(1, &[1], &[]);
            worker.hand_over(1);
            worker.release_late(1 + ACK_TIMEOUT_MS);
            assert_eq!(worker.waiting(), 0);
            worker.write(30, &[2], &[]);
            worker.hand_over(30);
            worker.take_answers();
            assert_eq!(worker.waiting(), 1);
            has_looked.notify_one();
            worker.wait();
        });
        link.take_some();
        link.answer_oldest();
        block_on(looked.notified());
        link.run(2);
        worker.join().unwrap();
        assert_totals(&sender, 1, 1, 1);
    });
}
