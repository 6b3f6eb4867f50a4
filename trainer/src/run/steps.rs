//! The steps in order, each skipped when its result is there.

use super::World;
use super::request::State;
use crate::data::Table;
use crate::failure::{Failure, Result};
use crate::folder::Folder;
use crate::live::{self, Live};
use crate::outcome::{Outcome, Status};
use crate::{confirm, hook, package, promote, register, train, validate};
use contract::names::exit;
use serde_json::{Value, json};
use std::time::Instant;

/// Names in order; `load` comes before the run has a folder.
const STEPS: [&str; 7] = [
    "load", "train", "validate", "register", "package", "promote", "confirm",
];

/// One line of progress.
pub fn line(number: usize, step: &str, status: &str, start: Instant, text: &str) {
    let seconds = start.elapsed().as_secs_f64();
    eprintln!(
        "[{number}/{}] {step:<8} {status:<7} {seconds:>6.2} s  {text}",
        STEPS.len()
    );
}

impl World<'_> {
    /// Everything after `load`.
    pub fn steps(&self, folder: &Folder, state: &State, table: &Table, start: Instant) -> Result<Outcome> {
        let mut told = vec![json!({"step": "load", "status": "done"})];
        let mut step = |name: &str, act: &dyn Fn() -> Result<Outcome>| -> Result<Outcome> {
            let outcome = one(folder, name, act)?;
            told.push(json!({"step": name, "status": outcome.word()}));
            Ok(outcome)
        };
        let learn = &self.flags.learn;
        let environment = &self.flags.git.environment;
        step("train", &|| train::train(table, learn, &folder.model()))?;
        let verdict = step("validate", &|| self.validate(folder, state, table))?;
        if verdict.status == Status::Refused {
            let run_id = register::record_refusal(folder, &state.key, &self.tracking, &verdict)?;
            let detail = json!({
                "reasons": verdict.detail.get("reasons"), "metrics": verdict.detail.get("metrics"),
                "run_id": run_id, "run_key": state.key, "exit_code": exit::REFUSED, "promoted": false,
            });
            return Ok(Outcome::new(
                "run",
                Status::Refused,
                detail,
                format!("refused by the gate: {}", verdict.summary),
            ));
        }
        let registered = step("register", &|| {
            register::register(folder, &state.key, &self.tracking)
        })?;
        let packaged = step("package", &|| {
            package::package(folder, self.store.as_ref(), &self.flags.base_image, &|run| {
                self.tracking.forgot(run)
            })
        })?;
        let promoted = step("promote", &|| {
            promote::promote(folder, &self.repo, environment, &state.key, false)
        });
        let promoted = promoted.inspect_err(|failure| self.tell_loss(&registered, failure))?;
        let live = step("confirm", &|| {
            confirm::confirm(folder, &self.repo, environment, &self.tracking, &self.flags.live)
        })?;
        let detail = json!({
            "promoted": true,
            "live": live.status != Status::Skipped,
            "run_key": state.key,
            "run_id": registered.text("run_id"),
            "model_name": registered.text("model_name"),
            "model_version": registered.detail.get("model_version"),
            "model_digest": validate::candidate(&folder.model())?.manifest.model_digest,
            "image": {"tag": packaged.text("tag"), "digest": packaged.text("digest")},
            "commit": promoted.text("commit"),
            "metrics": verdict.detail.get("metrics"),
            "live_metrics": verdict.detail.get("live").and_then(|live| live.get("metrics")),
            "steps": Value::Array(told),
            "seconds": start.elapsed().as_secs_f64(),
        });
        let summary = format!("{} is promoted", packaged.text("tag"));
        Ok(Outcome::new("run", Status::Done, detail, summary))
    }

    fn validate(&self, folder: &Folder, state: &State, table: &Table) -> Result<Outcome> {
        let candidate = validate::candidate(&folder.model())?;
        let live = self.live(state)?;
        validate::validate(table, &candidate, live.as_ref(), &self.flags.gate)
    }

    /// The model that was live when the run began; another one now means that it was outrun.
    fn live(&self, state: &State) -> Result<Option<Live>> {
        let current = match &self.earlier {
            // Its own release is live: the comparison is with the one before, as it was then.
            Some(earlier) if earlier.state.key == state.key => earlier.previous.clone(),
            _ => self.repo.current(&self.flags.git.environment)?,
        };
        let digest = current.as_ref().map(|release| release.digest.clone());
        if digest != state.expected_previous {
            let word = |digest: &Option<String>| digest.clone().unwrap_or_else(|| "unreleased".to_owned());
            let text = format!(
                "somebody else promoted meanwhile: live was {}, is {}",
                word(&state.expected_previous),
                word(&digest)
            );
            return Err(Failure::new(exit::OUTRUN, text));
        }
        current
            .map(|release| live::read(release, self.store.as_ref()))
            .transpose()
    }

    /// Says on the version that it lost; the verdict stands also when MLflow cannot be told.
    fn tell_loss(&self, registered: &Outcome, failure: &Failure) {
        if !matches!(failure.exit, exit::OUTRUN | exit::NOTHING_NEW) {
            return;
        }
        let version = registered
            .detail
            .get("model_version")
            .and_then(Value::as_u64)
            .unwrap_or_default();
        let tags = [
            ("outcome", failure.status()),
            ("outcome-reason", &failure.to_string()),
        ];
        if let Err(e) = self
            .tracking
            .tell_outcome(registered.text("model_name"), version, &tags, true)
        {
            eprintln!("trainer: the version's outcome is not in MLflow: {e}");
        }
    }
}

/// One step with its line and its record.
fn one(folder: &Folder, name: &str, act: &dyn Fn() -> Result<Outcome>) -> Result<Outcome> {
    let start = Instant::now();
    let number = STEPS
        .iter()
        .position(|step| *step == name)
        .map_or(0, |index| index + 1);
    let outcome = match folder.finished(name)? {
        Some(found) => found,
        None => {
            let outcome = act()
                .inspect_err(|failure| line(number, name, failure.status(), start, &failure.to_string()))?;
            hook::point(&format!("{name}:act"));
            folder.keep(&outcome)?;
            outcome
        }
    };
    line(number, name, outcome.word(), start, &outcome.summary);
    hook::point(name);
    Ok(outcome)
}
