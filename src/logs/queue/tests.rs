//! The queue with a stderr that blocks or fails when a test wants it.

use std::sync::Arc;

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);

/// A stderr of a test: what was written, and whether writing blocks or fails.
#[derive(Clone, Default)]
struct Stderr(Arc<(Mutex<Pipe>, Condvar)>);

#[derive(Default)]
struct Pipe {
    written: Vec<u8>,
    is_blocked: bool,
    is_broken: bool,
    waiting: bool,
}

impl Stderr {
    fn change(&self, change: impl FnOnce(&mut Pipe)) {
        change(&mut self.0.0.lock());
        self.0.1.notify_all();
    }

    fn wait_until(&self, done: impl Fn(&Pipe) -> bool) {
        let mut pipe = self.0.0.lock();
        let deadline = Instant::now() + PATIENCE;
        while !done(&pipe) {
            let late = self.0.1.wait_until(&mut pipe, deadline).timed_out();
            assert!(!late, "waited in vain");
        }
    }

    fn written(&self) -> String {
        String::from_utf8(self.0.0.lock().written.clone()).unwrap()
    }
}

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut pipe = self.0.0.lock();
        while pipe.is_blocked {
            pipe.waiting = true;
            self.0.1.notify_all();
            self.0.1.wait(&mut pipe);
        }
        pipe.waiting = false;
        self.0.1.notify_all();
        if pipe.is_broken {
            return Err(io::Error::from(io::ErrorKind::BrokenPipe));
        }
        pipe.written.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn queue() -> &'static Queue {
    Box::leak(Box::new(Queue::new()))
}

#[test]
fn lines_queued_before_the_thread_starts_are_written_in_order() {
    let (queue, stderr) = (queue(), Stderr::default());
    for number in 0..1000 {
        queue.push(format!("line {number}\n").as_bytes());
    }
    queue.push(b"without an end");
    queue.start_thread(stderr.clone()).unwrap();
    queue.end_thread(PATIENCE);
    let expected: String = (0..1000).map(|number| format!("line {number}\n")).collect();
    assert_eq!(stderr.written(), expected + "without an end\n");
    assert_eq!(queue.dropped(), 0);
}

/// Regression: a log line waited for the reader of stderr, and with it the thread that had logged
/// it: a worker, the link, or the one that waits for signals.
#[test]
fn a_blocked_stderr_blocks_no_thread_and_dropped_lines_are_reported() {
    let (queue, stderr) = (queue(), Stderr::default());
    stderr.change(|pipe| pipe.is_blocked = true);
    queue.start_thread(stderr.clone()).unwrap();
    let line = [b'x'; 1023];
    for _ in 0..2 * LOG_QUEUE_BYTES / 1024 {
        queue.push(&line);
    }
    assert!(queue.state.lock().lines.len() <= LOG_QUEUE_BYTES);
    let dropped = queue.dropped();
    assert!(dropped > 0);
    queue.end_thread(Duration::from_millis(1));
    assert_eq!(stderr.written(), "", "it was not blocked");
    stderr.change(|pipe| pipe.is_blocked = false);
    stderr.wait_until(|pipe| {
        let text = String::from_utf8_lossy(&pipe.written);
        text.contains(&format!("{dropped} log lines were dropped"))
    });
    let whole = stderr.written();
    let kept = whole.lines().filter(|text| text.as_bytes() == line);
    let pushed = 2 * LOG_QUEUE_BYTES as u64 / 1024;
    assert_eq!(kept.count() as u64 + dropped, pushed);
    let reports = whole.matches("were dropped").count();
    assert_eq!(reports, 1, "reported more than once");
}

/// With a slow reader there would be a notice each time a little space is free.
#[test]
fn a_slow_reader_gets_a_notice_once_half_the_queue_is_free() {
    let mut lines = 0;
    let queue = queue();
    let mut chunk = Vec::new();
    for _ in 0..4 * LOG_QUEUE_BYTES / 1024 {
        queue.push(&[b'x'; 2047]);
        if queue.dropped() > 0 {
            assert!(queue.take(&mut chunk, true));
            lines += memchr::memmem::find_iter(&chunk, "were dropped").count();
        }
    }
    while !queue.state.lock().lines.is_empty() {
        assert!(queue.take(&mut chunk, true));
        lines += memchr::memmem::find_iter(&chunk, "were dropped").count();
    }
    let few = 1..=8;
    assert!(few.contains(&lines), "{lines} lines tell of dropped lines");
}

/// A notice that cannot be written must not cause another one.
#[test]
fn a_closed_stderr_loses_lines_and_nothing_else() {
    let (queue, stderr) = (queue(), Stderr::default());
    stderr.change(|pipe| pipe.is_broken = true);
    queue.start_thread(stderr.clone()).unwrap();
    for _ in 0..10 {
        queue.push(b"line\n");
    }
    queue.end_thread(PATIENCE);
    assert_eq!((stderr.written().as_str(), queue.dropped()), ("", 10));
    queue.start_thread(stderr.clone()).unwrap();
    stderr.change(|pipe| pipe.is_broken = false);
    queue.push(b"line\n");
    queue.end_thread(PATIENCE);
    let text = stderr.written();
    assert!(text.starts_with("line\n"), "{text}");
    assert!(text.contains(" 10 log lines"), "{text}");
}
