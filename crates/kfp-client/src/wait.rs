//! Waiting for a run's end.

use crate::{Client, Error, Run, RunState};
use std::time::{Duration, Instant};

/// How a run is waited for.
#[derive(Clone, Debug)]
pub struct Wait {
    /// Time between two looks.
    pub interval: Duration,
    /// Time for the whole.
    pub deadline: Duration,
    /// Lines of the failing step's log that are shown.
    pub log_lines: usize,
}

impl Default for Wait {
    /// A look every 2 s for an hour; 20 lines.
    fn default() -> Self {
        Wait {
            interval: Duration::from_secs(2),
            deadline: Duration::from_secs(3600),
            log_lines: 20,
        }
    }
}

/// What is told while a run is waited for.
#[derive(Debug)]
pub enum Progress<'a> {
    /// The run's state or that of one of its steps is new.
    Changed(&'a Run),
    /// The server could not be asked; it is asked again.
    Trouble(&'a Error),
}

impl Client {
    /// Waits until the run has ended, and tells of each change. The run is not touched: when the
    /// time is over it goes on.
    ///
    /// A server that is away for a while (its pod is restarted) does not end the waiting.
    ///
    /// # Errors
    /// `RunFailed` with the failing step's last lines, `WaitDeadline`, or what asking again cannot
    /// mend.
    pub async fn wait(
        &self,
        run_id: &str,
        wait: &Wait,
        mut progress: impl FnMut(Progress<'_>),
    ) -> Result<Run, Error> {
        let start = Instant::now();
        let mut last: Option<Run> = None;
        let mut trouble = None;
        loop {
            let left = wait.deadline.saturating_sub(start.elapsed());
            match tokio::time::timeout(left, self.run(run_id)).await {
                Ok(Ok(run)) => {
                    trouble = None;
                    if last.as_ref().is_none_or(|last| differs(last, &run)) {
                        progress(Progress::Changed(&run));
                    }
                    if run.state.is_final() {
                        return self.refuse_failed(run, wait.log_lines).await;
                    }
                    last = Some(run);
                }
                Ok(Err(e)) if e.is_passing() => {
                    progress(Progress::Trouble(&e));
                    trouble = Some(Box::new(e));
                }
                Ok(Err(e)) => return Err(e),
                Err(_) => return Err(over(run_id, wait, last, trouble)),
            }
            let left = wait.deadline.saturating_sub(start.elapsed());
            if left.is_zero() {
                return Err(over(run_id, wait, last, trouble));
            }
            tokio::time::sleep(wait.interval.min(left)).await;
        }
    }
}

fn differs(one: &Run, other: &Run) -> bool {
    one.state != other.state || one.steps() != other.steps()
}

fn over(run_id: &str, wait: &Wait, last: Option<Run>, trouble: Option<Box<Error>>) -> Error {
    let open = |state: &RunState| !state.is_final();
    let tasks = last.as_ref().map(Run::steps).unwrap_or_default();
    Error::WaitDeadline {
        run_id: run_id.to_owned(),
        state: last
            .as_ref()
            .map_or("not seen".to_owned(), |run| run.state.to_string()),
        tasks: tasks
            .into_iter()
            .filter(|(_, state)| open(state))
            .map(|(name, state)| format!("{name} {state}"))
            .collect(),
        deadline: wait.deadline,
        trouble,
    }
}
