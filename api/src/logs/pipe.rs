//! Log lines from request threads to stdout, by a thread of their own.
//!
//! A reader of stdout that stalls (a full pipe) must not stall the requests: lines wait in a bounded
//! queue, and what does not fit is dropped and counted.

use std::{
    io::{self, Write},
    sync::{
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    time::Duration,
};
use tracing_subscriber::fmt::MakeWriter;

/// Lines that may wait.
const QUEUED_LINES: usize = 4096;
/// How long the process's end waits for lines to be read.
const LAST_LINES: Duration = Duration::from_millis(500);

/// Lines dropped since the process started.
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// How many lines were dropped since the process started.
pub fn dropped() -> u64 {
    DROPPED.load(Relaxed)
}

/// Where tracing's formatter gets a writer for each line.
#[derive(Clone, Debug)]
pub struct Pipe(SyncSender<Vec<u8>>);

/// Flushes at the process's end.
#[derive(Debug)]
pub struct Flush {
    pipe: Pipe,
    done: Receiver<()>,
}

/// Starts the thread that writes to `out`.
///
/// # Errors
/// When there is no thread to be had.
pub fn start(mut out: impl Write + Send + 'static) -> io::Result<(Pipe, Flush)> {
    let (sender, lines) = sync_channel::<Vec<u8>>(QUEUED_LINES);
    let (finished, done) = sync_channel(1);
    // Its stack holds next to nothing; the default would reserve two mebibytes.
    std::thread::Builder::new()
        .name("log".to_owned())
        .stack_size(64 * 1024)
        .spawn(move || {
            // An empty line is the end: senders live on in tracing's global subscriber.
            for line in lines.iter().take_while(|line| !line.is_empty()) {
                let _ = out.write_all(&line);
            }
            let _ = out.flush();
            let _ = finished.send(());
        })?;
    let pipe = Pipe(sender);
    Ok((pipe.clone(), Flush { pipe, done }))
}

impl Drop for Flush {
    fn drop(&mut self) {
        // A queue that is full now has a reader that stalls: nothing to wait for.
        if self.pipe.0.try_send(Vec::new()).is_ok() {
            let _ = self.done.recv_timeout(LAST_LINES);
        }
    }
}

/// One line, sent when it is complete.
#[derive(Debug)]
pub struct Line {
    pipe: SyncSender<Vec<u8>>,
    bytes: Vec<u8>,
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        if !bytes.is_empty() && self.pipe.try_send(bytes).is_err() {
            DROPPED.fetch_add(1, Relaxed);
        }
    }
}

impl<'a> MakeWriter<'a> for Pipe {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line {
            pipe: self.0.clone(),
            bytes: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex, mpsc};

    /// Writes only when it is let.
    struct Stalled {
        gate: mpsc::Receiver<()>,
        written: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Stalled {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.gate.recv();
            self.written.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stalled_reader_costs_lines_not_time() {
        let (open, gate) = mpsc::channel();
        let written = Arc::new(Mutex::new(Vec::new()));
        let (pipe, flush) = start(Stalled {
            gate,
            written: Arc::clone(&written),
        })
        .unwrap();
        let before = dropped();
        for number in 0..QUEUED_LINES + 10 {
            pipe.make_writer()
                .write_all(format!("{number}\n").as_bytes())
                .unwrap();
        }
        // One line may be in the writer's hands, the queue is full, the rest is counted.
        assert!((9..=10).contains(&(dropped() - before)));
        // The reader is back: everything that was queued arrives, in order.
        drop(open);
        // What was written so far is on its way out within the time that the end waits for.
        let full = || pipe.0.try_send(Vec::new()).is_err();
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        while full() {
            assert!(std::time::Instant::now() < deadline, "the queue is not read");
            std::thread::yield_now();
        }
        let _ = flush.done.recv_timeout(Duration::from_secs(20));
        let text = String::from_utf8(written.lock().unwrap().clone()).unwrap();
        let numbers: Vec<usize> = text.lines().map(|line| line.parse().unwrap()).collect();
        assert!(
            numbers.is_sorted() && (QUEUED_LINES..=QUEUED_LINES + 1).contains(&numbers.len()),
            "{}",
            numbers.len()
        );
    }
}
