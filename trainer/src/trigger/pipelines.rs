//! Kubeflow Pipelines as the place where a retrain runs.
//!
//! Its runs have no names that only one of them may have, so that a start cannot be repeated without harm, as that
//! of a Job can. Each run says in its description which retrain of the ledger it is, and whoever starts one holds a
//! lease in the ledger for longer than the start may take.

use super::end;
use super::place::Place;
use crate::cli::TriggerFlags;
use crate::failure::{Failure, Result};
use crate::kubeflow::{self, Kubeflow};
use contract::names::{EXPERIMENT, PREFIX};
use drift::episodes::{Answer, Entry, Reason, RunLook};
use kfp_client::{NewRun, Run, RunState};
use serde_json::{Map, Value, json};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

/// A start whose answer is not there after so long has not begun and will not.
const START: Duration = Duration::from_secs(30);
/// How long nobody else starts the same retrain.
const LEASE_MS: u64 = 90_000;
/// Between two looks whether somebody else has started it.
const POLL: Duration = Duration::from_secs(2);
/// Writers of the ledger that may come between.
const ATTEMPTS: u32 = 20;
/// Lines of a failing step that are kept.
const LOG_LINES: usize = 20;

/// See the module.
pub struct Pipelines {
    kubeflow: Kubeflow,
    /// Where people look at runs.
    page: String,
    /// The run that was started or found, for the last words.
    begun: RefCell<Option<Run>>,
}

impl Pipelines {
    /// The one that the flags name, if they name one.
    ///
    /// # Errors
    /// An address that cannot be used.
    pub fn of(flags: &TriggerFlags) -> Result<Option<Self>> {
        let Some(host) = flags.kfp_host.as_deref().filter(|host| !host.is_empty()) else {
            return Ok(None);
        };
        Ok(Some(Pipelines {
            kubeflow: Kubeflow::at(host, flags.kfp_token_file.as_deref(), START)?,
            page: flags
                .kfp_page
                .clone()
                .filter(|page| !page.is_empty())
                .unwrap_or_else(|| host.to_owned()),
            begun: RefCell::new(None),
        }))
    }

    /// What is known of these retrains, and a run that is not over, whoever started it.
    ///
    /// # Errors
    /// What the server said.
    pub fn runs(&self, names: &[String]) -> Result<(BTreeMap<String, RunLook>, Option<String>)> {
        let mut known = BTreeMap::new();
        let mut unfinished = None;
        for run in self.all()? {
            let name = marked(&run).map(str::to_owned);
            if !run.state.is_final() {
                let shown = || run.display_name.clone();
                unfinished.get_or_insert_with(|| name.clone().unwrap_or_else(shown));
            }
            let Some(name) = name.filter(|name| names.contains(name)) else {
                continue;
            };
            let look = match run.state.is_final() {
                false => RunLook::Unfinished,
                true => self.over(&run)?,
            };
            known.insert(name, look);
        }
        Ok((known, unfinished))
    }

    /// Starts the run of this entry, unless it is there.
    ///
    /// # Errors
    /// What the server said; a start of which nobody knows whether it took place.
    pub fn start(&self, place: &Place, entry: &Entry, flags: &TriggerFlags) -> Result<Answer> {
        loop {
            let all = self.all()?;
            if let Some(run) = all.iter().find(|run| marked(run) == Some(&entry.run)) {
                *self.begun.borrow_mut() = Some(run.clone());
                return Ok(Answer::Started);
            }
            if let Some(other) = all.iter().find(|run| !run.state.is_final()) {
                return Ok(Answer::Busy(other.display_name.clone()));
            }
            match lease(place, entry)? {
                true => break,
                false => std::thread::sleep(POLL),
            }
        }
        let experiment = self.kubeflow.experiment(EXPERIMENT)?;
        let version = self.kubeflow.version(&flags.settings(), flags.names_image())?;
        let new = NewRun {
            display_name: name(entry.at_ms),
            description: format!("{}{}", mark(), entry.run),
            experiment_id: Some(experiment),
            parameters: version.parameters(&parameters(entry, flags))?,
            version: version.reference,
            service_account: None,
        };
        let run = self.kubeflow.start(&new)?;
        *self.begun.borrow_mut() = Some(run);
        Ok(Answer::Started)
    }

    /// The run that was started: its id, its name, its page.
    pub fn begun(&self) -> Option<(String, String, String)> {
        let run = self.begun.borrow().clone()?;
        let page = format!(
            "{}/#/runs/details/{}",
            self.page.trim_end_matches('/'),
            run.run_id
        );
        Some((run.run_id, run.display_name, page))
    }

    /// Waits for the end of the run that was started, and tells of its steps.
    ///
    /// # Errors
    /// How it failed, with the failing step's last lines.
    pub fn wait(&self) -> Result<()> {
        match self.begun() {
            Some((id, ..)) => self.kubeflow.wait(&id, LOG_LINES),
            None => Ok(()),
        }
    }

    fn all(&self) -> Result<Vec<Run>> {
        match self.kubeflow.known_experiment(EXPERIMENT)? {
            Some(experiment) => self.kubeflow.runs(&experiment),
            None => Ok(Vec::new()),
        }
    }

    /// How a run ended, where its steps have not told the ledger themselves.
    fn over(&self, run: &Run) -> Result<RunLook> {
        let run = self.kubeflow.run(&run.run_id)?;
        let at_ms = run.finished_at.as_deref().and_then(end::ms);
        let step = |name: &str| run.steps().into_iter().find(|(step, _)| *step == name);
        let done = |name: &str| step(name).is_some_and(|(_, state)| *state == RunState::Succeeded);
        if run.state.is_good() {
            let (code, words) = match (done("promote"), done("validate")) {
                (true, _) => (0, "promoted"),
                (false, true) => (contract::names::exit::REFUSED, "refused by the gate"),
                (false, false) => (contract::names::exit::NOTHING_NEW, "nothing new to learn from"),
            };
            return Ok(RunLook::Over(
                end::of_detail(Some(code.into()), &Value::Null, words),
                at_ms,
            ));
        }
        let lines = self.kubeflow.failure(&run, LOG_LINES);
        let (said, words) = kubeflow::last_words(lines.as_ref());
        let code = said["exit_code"]
            .as_i64()
            .and_then(|code| i32::try_from(code).ok());
        Ok(RunLook::Over(end::of_detail(code, &said, &words), at_ms))
    }
}

/// Takes or keeps the right to start this retrain; `false` where another process has it.
fn lease(place: &Place, entry: &Entry) -> Result<bool> {
    for _ in 0..ATTEMPTS {
        let (mut ledger, version) = place.read()?;
        if !ledger.take_lease(&entry.run, super::now_ms(), LEASE_MS) {
            return Ok(false);
        }
        if place.write(&ledger, &version)? {
            return Ok(true);
        }
    }
    Err(Failure::new(
        1,
        "trigger-contended: others write to the ledger all the time; repeat",
    ))
}

/// What differs from the defaults of the uploaded pipeline.
fn parameters(entry: &Entry, flags: &TriggerFlags) -> Map<String, Value> {
    let mut all = Map::new();
    let mut set = |name: &str, value: Value| all.insert(name.to_owned(), value);
    set("model_name", flags.model_name.clone().into());
    set("nonce", entry.run.clone().into());
    set("ledger_run", entry.run.clone().into());
    if let Some(uri) = flags.mlflow_uri.as_ref().filter(|uri| !uri.is_empty()) {
        set("mlflow_uri", uri.clone().into());
    }
    match entry.reason {
        Reason::Forced => {
            set("force", json!(true));
            set("trigger_reason", "forced".into());
        }
        Reason::Drift => {
            set("trigger_reason", "drift".into());
            set("drift_episode", entry.key.number.to_string().into());
            set("drift_model", entry.key.model.clone().into());
            // The workflow engine would take them for placeholders of its own.
            let moved = entry.movements.join("; ").replace("{{", "{ {");
            set("drift_features", moved.into());
        }
    }
    all
}

/// As the source documents name runs, in UTC.
fn name(at_ms: u64) -> String {
    let at_ms = i64::try_from(at_ms).unwrap_or_default();
    let time = jiff::Timestamp::from_millisecond(at_ms).unwrap_or_default();
    time.strftime("retrain_%Y%m%d_%H%M%S").to_string()
}

fn mark() -> String {
    format!("{PREFIX}/retrain: ")
}

/// Which retrain of the ledger a run is.
fn marked(run: &Run) -> Option<&str> {
    let (_, rest) = run.description.split_once(&mark())?;
    rest.split_whitespace().next()
}
