//! Why a run failed: the failing step and its own last words, since the server's `error` is null.

use crate::{Client, Error, Run, RunState, logs, nodes};

/// A run that ended otherwise than well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFailure {
    /// Id.
    pub run_id: String,
    /// Shown in lists.
    pub display_name: String,
    /// Its final state; a terminated run is FAILED too.
    pub state: RunState,
    /// Key of the failing task; `None` where no task is told to have failed.
    pub step: Option<String>,
    /// Whether the step itself never began, because what prepares it failed.
    pub before_step: bool,
    /// The step's own last lines, without the launcher's.
    pub log: Vec<String>,
    /// Why there are no lines, if so.
    pub log_missing: Option<String>,
}

impl std::fmt::Display for RunFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            run_id,
            display_name,
            state,
            ..
        } = self;
        write!(f, "run {display_name:?} ({run_id}) ended {state}")?;
        match &self.step {
            Some(step) if self.before_step => write!(f, " before step {step:?} began (its driver failed)")?,
            Some(step) => write!(f, " in step {step:?}")?,
            None => f.write_str("; no step is told to have failed: it was terminated, or could not begin")?,
        }
        if let Some(why) = &self.log_missing {
            write!(f, "; its log is not to be had: {why}")?;
        }
        if !self.log.is_empty() {
            f.write_str("; its last lines:")?;
        }
        for line in &self.log {
            write!(f, "\n  {line}")?;
        }
        Ok(())
    }
}

impl std::error::Error for RunFailure {}

impl RunFailure {
    /// What to do or type next.
    pub fn next(&self) -> String {
        match self.step {
            Some(_) if self.log_missing.is_none() => {
                "mend what the step says, then retry the run or start another".to_owned()
            }
            _ => "kubectl --namespace kubeflow get workflows,pods".to_owned(),
        }
    }
}

impl Client {
    /// Why the run ended otherwise than well, with the failing step's last `lines` lines; `None`
    /// for one that did not. A log that cannot be had is told of in the result.
    pub async fn failure(&self, run: &Run, lines: usize) -> Option<RunFailure> {
        if !run.state.is_final() || run.state.is_good() {
            return None;
        }
        let mut failure = RunFailure {
            run_id: run.run_id.clone(),
            display_name: run.display_name.clone(),
            state: run.state.clone(),
            step: None,
            before_step: false,
            log: Vec::new(),
            log_missing: None,
        };
        let Some(failing) = nodes::failing(run.tasks()) else {
            return Some(failure);
        };
        failure.step = Some(failing.step);
        failure.before_step = failing.driver;
        failure.log_missing = Some("the run names no node of it; its pod was perhaps never made".to_owned());
        for node in &failing.nodes {
            match self.log(&run.run_id, node).await {
                Ok(log) => {
                    failure.log = logs::own_lines(&log, lines);
                    failure.log_missing = failure.log.is_empty().then(|| "it is empty".to_owned());
                }
                Err(e) => {
                    failure.log_missing = Some(e.to_string());
                    // A server that is away is not asked for each node.
                    if e.is_passing() {
                        break;
                    }
                }
            }
            if !failure.log.is_empty() {
                break;
            }
        }
        Some(failure)
    }

    /// As [`Client::failure`], as the error of a call.
    pub(crate) async fn refuse_failed(&self, run: Run, lines: usize) -> Result<Run, Error> {
        match self.failure(&run, lines).await {
            Some(failure) => Err(Error::RunFailed(Box::new(failure))),
            None => Ok(run),
        }
    }
}
