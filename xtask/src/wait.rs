//! Waiting on conditions, never on time: each wait has a deadline and says what it waits for.

use crate::{
    ctx::Ctx,
    failure::{Failure, Id, Outcome},
    step::Deadline,
};
use std::time::{Duration, Instant};

/// What a look at a condition found.
#[derive(Debug, PartialEq, Eq)]
pub enum Look {
    /// It holds.
    Holds,
    /// Not yet; in words.
    NotYet(String),
}

/// Time between two looks.
const POLL: Duration = Duration::from_millis(50);

/// Looks until `what` holds.
///
/// # Errors
/// What a look says, or `deadline-passed` with the last state.
pub fn until(
    ctx: &Ctx,
    what: &str,
    deadline: Deadline,
    mut look: impl FnMut() -> Outcome<Look>,
) -> Outcome<Duration> {
    let start = Instant::now();
    if ctx.exec.pretends() {
        // Nothing was started, so there is nothing to look at; the plan names the wait.
        ctx.exec.pause(what, POLL);
        return Ok(start.elapsed());
    }
    loop {
        let last = match look()? {
            Look::Holds => return Ok(start.elapsed()),
            Look::NotYet(last) => last,
        };
        if deadline.left().is_zero() {
            let waited = start.elapsed().as_secs_f64();
            return Err(Failure::new(Id::DeadlinePassed, format!("wait until {what}"))
                .because(format!("not so after {waited:.1} s; last seen: {last}")));
        }
        ctx.report.waiting(format!("until {what}; now: {last}"));
        ctx.exec.pause(what, POLL);
    }
}
