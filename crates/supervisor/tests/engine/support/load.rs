//! Continuous requests beside a test.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

#[derive(Default)]
pub struct Seen {
    pub answered: usize,
    pub failures: Vec<String>,
    pub versions: BTreeSet<String>,
}

/// Asks `/version` without pause on two threads until it is stopped.
pub struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Seen>>,
}

impl Load {
    pub fn start(port: u16) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let ask = move |stop: Arc<AtomicBool>| {
            let mut seen = Seen::default();
            while !stop.load(Ordering::SeqCst) {
                match super::get(port, "/version") {
                    Ok(version) => {
                        seen.answered += 1;
                        seen.versions.insert(version);
                    }
                    Err(error) => seen.failures.push(error),
                }
            }
            seen
        };
        let spawn = |_| {
            let stop = stop.clone();
            std::thread::spawn(move || ask(stop))
        };
        let threads = (0..2).map(spawn).collect();
        Load { stop, threads }
    }

    /// Stops and asserts that nothing failed; answers which versions answered.
    pub fn stop(self) -> BTreeSet<String> {
        self.stop.store(true, Ordering::SeqCst);
        let mut versions = BTreeSet::new();
        let mut answered = 0;
        for thread in self.threads {
            let seen = thread.join().unwrap();
            assert!(
                seen.failures.is_empty(),
                "{} failed: {:?}",
                seen.failures.len(),
                seen.failures.first()
            );
            answered += seen.answered;
            versions.extend(seen.versions);
        }
        assert!(answered > 0, "nothing was asked");
        versions
    }
}
