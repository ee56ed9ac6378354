//! Groups of writes: who waits for what, and how each is counted.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::task::{Context, Poll, Wake, Waker};

use super::*;
use crate::limits::{ACK_TIMEOUT_MS, LARGE_ACK_TIMEOUT_MS};
use crate::store::{Now, OpContext};

/// A worker of a pair whose partner is waited for, and the replication thread's end.
fn waiting() -> (Commits, ChangeSender, ChangeReceiver) {
    let (sender, receiver) = change_queue(LIMIT_BYTES, 1);
    receiver.set_link_up(true);
    receiver.set_waited_for(true);
    let commits = sender.commits(0, ACK_TIMEOUT_MS).unwrap();
    (commits, sender, receiver)
}

/// What a turn at this time wrote.
fn turn(now_ms: u64, slots: &[u64], large: impl IntoIterator<Item = u64>) -> OpContext {
    OpContext {
        now: Now::of(now_ms, 0),
        dirty: slots.to_vec(),
        large: large.into_iter().collect(),
        ..OpContext::default()
    }
}

fn is_answered(commits: &mut Commits, commit: &mut Commit) -> bool {
    let context = Context::from_waker(Waker::noop());
    commits.poll_answered(commit, &context).is_ready()
}

struct Woken(AtomicU32);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn protected(ticket: Ticket) -> Answer {
    Answer {
        ticket,
        protected: true,
    }
}

/// Takes all batches, and answers each group as protected; how many.
fn answer_all(receiver: &ChangeReceiver) -> u64 {
    let mut answered = 0;
    while let Some(batch) = receiver.take() {
        receiver.answer(batch.group().ticket.map(protected));
        receiver.give_back(batch);
        answered += 1;
    }
    receiver.mark_taken();
    answered
}

fn totals(protected: u64, unprotected: u64, late: u64) -> WriteTotals {
    WriteTotals {
        protected,
        unprotected,
        late,
    }
}

#[test]
fn the_turns_of_one_poll_are_one_group_and_are_answered_together() {
    let (mut commits, sender, receiver) = waiting();
    let mut first = commits.add(&mut turn(1, &[1, 2], None)).unwrap();
    let mut second = commits.add(&mut turn(1, &[3], None)).unwrap();
    assert!(receiver.is_empty(), "it is handed over after the turns");
    commits.hand_over(1);
    let mut third = commits.add(&mut turn(2, &[4], None)).unwrap();
    let batch = receiver.take().unwrap();
    assert_eq!(batch.keys, [1, 2, 3]);
    assert!(receiver.take().is_none());
    let ticket = batch.group().ticket.unwrap();
    assert!(!is_answered(&mut commits, &mut first));
    receiver.answer([protected(ticket)]);
    commits.take_answers();
    assert!(is_answered(&mut commits, &mut first) && is_answered(&mut commits, &mut second));
    let third = is_answered(&mut commits, &mut third);
    assert!(!third, "it is not handed over");
    assert_eq!(sender.write_totals(), totals(3, 0, 0));
}

#[test]
fn a_group_that_waits_too_long_is_released_as_late_and_its_answer_counts_no_more() {
    let (mut commits, sender, receiver) = waiting();
    let mut old = commits.add(&mut turn(100, &[1], None)).unwrap();
    commits.hand_over(100);
    let mut young = commits.add(&mut turn(101, &[2, 3], None)).unwrap();
    commits.hand_over(101);
    commits.release_late(100 + ACK_TIMEOUT_MS);
    assert!(is_answered(&mut commits, &mut old) && !is_answered(&mut commits, &mut young));
    assert_eq!(sender.write_totals(), totals(0, 1, 1));
    answer_all(&receiver);
    commits.take_answers();
    assert!(is_answered(&mut commits, &mut young) && !commits.is_waiting());
    assert_eq!(sender.write_totals(), totals(2, 1, 1));
}

#[test]
fn a_large_value_is_a_group_of_its_own_behind_what_was_written_before_it() {
    let (mut commits, sender, receiver) = waiting();
    let mut both = commits.add(&mut turn(100, &[1, 9], Some(9))).unwrap();
    let (small, large) = (receiver.take().unwrap(), receiver.take().unwrap());
    assert_eq!((&small.keys[..], &large.keys[..]), (&[1][..], &[9][..]));
    assert!(!small.group().ticket.unwrap().is_large && large.group().ticket.unwrap().is_large);
    let mut answer = |batch: &Batch| {
        receiver.answer(batch.group().ticket.map(protected));
        commits.take_answers();
        is_answered(&mut commits, &mut both)
    };
    assert!(!answer(&small) && answer(&large));
    assert_eq!(sender.write_totals(), totals(2, 0, 0));
    // It is waited for longer than others.
    let mut large = commits.add(&mut turn(200, &[9], Some(9))).unwrap();
    commits.release_late(200 + ACK_TIMEOUT_MS);
    assert!(!is_answered(&mut commits, &mut large));
    commits.release_late(200 + LARGE_ACK_TIMEOUT_MS);
    assert!(is_answered(&mut commits, &mut large));
    assert_eq!(sender.write_totals(), totals(2, 1, 1));
}

/// Regression: a `gat` of many keys touches several large values in one command, and a turn knew
/// only its last one. The others counted as protected as soon as they waited for their transfer, so
/// a link that was cut then had lost writes that no counter showed.
#[test]
fn every_large_value_of_a_turn_is_waited_for() {
    let (mut commits, sender, receiver) = waiting();
    let mut commit = commits.add(&mut turn(1, &[7, 1, 8, 9], [7, 8, 9])).unwrap();
    let mut tickets = Vec::new();
    while let Some(batch) = receiver.take() {
        tickets.extend(batch.group().ticket);
        receiver.give_back(batch);
    }
    assert_eq!(tickets.len(), 4, "the small one, and each large one");
    let woken = Arc::new(Woken(AtomicU32::new(0)));
    let waker = Waker::from(Arc::clone(&woken));
    let context = Context::from_waker(&waker);
    // In any order. It waits for the small group, then for the first large one that is left.
    for (at, woken_by_then) in [(2, 0), (0, 1), (3, 1), (1, 2)] {
        assert!(commits.poll_answered(&mut commit, &context).is_pending());
        receiver.answer([protected(tickets[at])]);
        commits.take_answers();
        assert_eq!(woken.0.load(Ordering::Relaxed), woken_by_then);
    }
    assert!(is_answered(&mut commits, &mut commit));
    assert_eq!(sender.write_totals(), totals(4, 0, 0));
}

#[test]
fn nobody_waits_for_a_partner_that_is_away_or_degraded_and_every_write_counts() {
    let (mut commits, sender, receiver) = waiting();
    receiver.set_waited_for(false);
    assert!(commits.add(&mut turn(1, &[1, 2], Some(2))).is_none());
    commits.hand_over(1);
    assert_eq!(sender.write_totals(), totals(0, 2, 0));
    let sent = receiver.take().unwrap().keys;
    assert_eq!(sent, [1, 2], "it is sent all the same");
    receiver.set_waited_for(true);
    let mut waits = commits.add(&mut turn(2, &[3], None)).unwrap();
    receiver.set_link_up(false);
    commits.hand_over(2);
    assert!(is_answered(&mut commits, &mut waits), "there is no link");
    assert_eq!(sender.write_totals(), totals(0, 3, 0));
}

/// What waits in the queue when the link ends is answered, too: its clients would wait for the
/// whole timeout.
#[test]
fn a_link_that_ends_answers_the_groups_that_it_never_saw() {
    let (mut commits, sender, receiver) = waiting();
    let mut waits = commits.add(&mut turn(1, &[1], None)).unwrap();
    commits.hand_over(1);
    receiver.set_link_up(false);
    commits.take_answers();
    assert!(is_answered(&mut commits, &mut waits));
    assert_eq!(sender.write_totals(), totals(0, 1, 0));
}

#[test]
fn a_full_queue_releases_everybody_at_once() {
    let (mut commits, sender, receiver) = waiting();
    let mut waiting = Vec::new();
    for slot in 0..=CHANGE_QUEUE_BATCHES_MAX as u64 {
        waiting.push(commits.add(&mut turn(1, &[slot], None)).unwrap());
        commits.hand_over(1);
    }
    assert!(receiver.take_overflow().is_some());
    let mut answered = waiting
        .iter_mut()
        .map(|commit| is_answered(&mut commits, commit));
    assert!(answered.all(|is_answered| is_answered));
    let all = waiting.len() as u64;
    assert_eq!(sender.write_totals(), totals(0, all, 0));
    answer_all(&receiver);
    commits.take_answers();
    assert_eq!(sender.write_totals(), totals(0, all, 0), "each once");
}

#[test]
fn a_flush_without_keys_is_a_group_too() {
    let (mut commits, sender, receiver) = waiting();
    let mut context = turn(1, &[], None);
    context.flushed = true;
    let mut flush = commits.add(&mut context).unwrap();
    assert!(!context.flushed && !is_answered(&mut commits, &mut flush));
    commits.hand_over(1);
    let batch = receiver.take().unwrap();
    assert!(batch.group().has_flushed && batch.group().slots.is_empty());
    receiver.give_back(batch);
    commits.release_late(1 + ACK_TIMEOUT_MS);
    assert_eq!(sender.write_totals(), totals(0, 1, 1));
}

#[test]
fn a_connection_is_woken_once_however_often_it_is_polled() {
    let (mut commits, _, receiver) = waiting();
    let mut commit = commits.add(&mut turn(1, &[1, 2], Some(2))).unwrap();
    let woken = Arc::new(Woken(AtomicU32::new(0)));
    let waker = Waker::from(Arc::clone(&woken));
    let context = Context::from_waker(&waker);
    for _ in 0..3 {
        assert!(commits.poll_answered(&mut commit, &context).is_pending());
    }
    answer_all(&receiver);
    commits.take_answers();
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    assert!(commits.poll_answered(&mut commit, &context).is_ready());
}

/// A worker and the replication thread as they run, thousands of groups: every one is answered, and
/// no wake-up is lost in either direction.
#[test]
fn every_group_of_a_running_worker_is_answered() {
    const GROUPS: u64 = 20_000;
    let (mut commits, sender, receiver) = waiting();
    let link = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap().block_on(async {
            let mut answered = 0;
            while answered < GROUPS {
                answered += answer_all(&receiver);
                if answered < GROUPS && receiver.park() {
                    receiver.notified().await;
                }
            }
        });
    });
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(async {
        let answers = commits.answers();
        for slot in 0..GROUPS {
            let mut commit = commits.add(&mut turn(1, &[slot], None)).unwrap();
            commits.hand_over(1);
            while poll_fn(|cx| Poll::Ready(commits.poll_answered(&mut commit, cx)))
                .await
                .is_pending()
            {
                answers.arrived().await;
                commits.take_answers();
            }
        }
    });
    link.join().unwrap();
    assert_eq!(sender.write_totals(), totals(GROUPS, 0, 0));
}
