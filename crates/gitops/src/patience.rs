//! A server that is down for a while: the same call again, until a deadline.

use crate::Error;
use std::time::{Duration, Instant};

const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(5);

/// How long a server may be down.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    pub deadline: Duration,
    /// Told of each failure that is waited out.
    pub waiting: fn(&Error),
}

impl Patience {
    pub fn none() -> Self {
        Self {
            deadline: Duration::ZERO,
            waiting: |_| (),
        }
    }

    /// Makes the call until it succeeds, fails for good, or the deadline is near.
    pub fn keep<T>(&self, call: impl Fn() -> Result<T, Error>) -> Result<T, Error> {
        let end = Instant::now() + self.deadline;
        let mut pause = FIRST;
        loop {
            match call() {
                Err(error) if error.is_passing() && Instant::now() + pause < end => {
                    (self.waiting)(&error);
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(LONGEST);
                }
                ended => return ended,
            }
        }
    }
}
