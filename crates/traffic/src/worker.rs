//! The thread behind each connection.

use crate::connection::{Connection, FailureKind};
use crate::load::{Label, Limit, lock};
use crate::report::Tally;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// A stopped load waits at most this long for a thread that waits for its turn.
const LONGEST_SLEEP: Duration = Duration::from_millis(20);
/// Between attempts to connect without a rate: a server that is away must not cost a whole core.
const PAUSE_AFTER_REFUSAL: Duration = Duration::from_millis(5);
/// Of an unexpected answer, in a failure's detail.
const MAX_DETAIL_BYTES: usize = 200;

/// What all threads of a load share.
#[derive(Debug)]
pub(crate) struct Plan {
    pub address: SocketAddr,
    pub requests: Vec<Vec<u8>>,
    pub rate_per_s: Option<f64>,
    pub limit: Limit,
    pub timeout: Duration,
    pub label: Option<Label>,
    pub start: Instant,
    /// Number of the next request: whichever thread is free takes it.
    pub next: AtomicU64,
    pub stop: AtomicBool,
}

impl Plan {
    /// The next request and the moment it is due, or `None` at the end.
    fn take(&self) -> Option<(&[u8], Instant)> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let due = self.rate_per_s.map_or(Duration::ZERO, |rate| {
            Duration::from_secs_f64(number as f64 / rate)
        });
        let over = match self.limit {
            Limit::Duration(longest) => due.max(self.start.elapsed()) >= longest,
            Limit::Requests(most) => number >= most,
            Limit::Stopped => false,
        };
        if over || !self.sleep_until(self.start + due) {
            return None;
        }
        let request = &self.requests[(number % self.requests.len() as u64) as usize];
        let from = if self.rate_per_s.is_some() {
            self.start + due
        } else {
            Instant::now()
        };
        Some((request, from))
    }

    /// False if the load was stopped meanwhile.
    fn sleep_until(&self, due: Instant) -> bool {
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return false;
            }
            match due.checked_duration_since(Instant::now()) {
                None | Some(Duration::ZERO) => return true,
                Some(left) => thread::sleep(left.min(LONGEST_SLEEP)),
            }
        }
    }
}

pub(crate) fn work(plan: &Plan, tally: &Mutex<Tally>) {
    let mut connection: Option<Connection> = None;
    while let Some((request, from)) = plan.take() {
        let mut open = match connection.take() {
            Some(open) => open,
            None => match Connection::open(plan.address, plan.timeout) {
                Ok(open) => open,
                Err(error) => {
                    lock(tally).fail(plan.start.elapsed(), error.kind, error.detail);
                    if plan.rate_per_s.is_none() {
                        plan.sleep_until(Instant::now() + PAUSE_AFTER_REFUSAL);
                    }
                    continue;
                }
            },
        };
        let result = open.send(request);
        let at = plan.start.elapsed();
        match result {
            Ok(answer) => {
                if answer.status == 200 {
                    let label = plan.label.and_then(|label| label(answer.body));
                    lock(tally).succeed(at, from.elapsed(), label);
                } else {
                    let text = answer.body[..answer.body.len().min(MAX_DETAIL_BYTES)].escape_ascii();
                    let detail = format!("status {}: {text}", answer.status);
                    lock(tally).fail(at, FailureKind::Status, detail);
                }
                if !answer.close {
                    connection = Some(open);
                }
            }
            Err(error) => lock(tally).fail(at, error.kind, error.detail),
        }
    }
}
