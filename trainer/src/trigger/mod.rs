//! `trigger`: asks the API about drift and starts one retrain for each episode. The texts are the source
//! documents'; the rule and the order of steps are `drift::episodes`'.

mod end;
mod look;
mod pipelines;
mod place;

pub use end::{FOR_GOOD, record, tell};

use crate::api::Api;
use crate::cli::TriggerFlags;
use crate::failure::{Failure, Result};
use crate::outcome::{Outcome, Status};
use crate::{folder, hook};
use contract::names::TRAINING;
use drift::episodes::{Answer, Effect, Entry, Ledger, Reason, Trigger, Verdict, Wish, prometheus};
use pipelines::Pipelines;
use place::Place;
use serde_json::json;

/// Starts a run where there is a new episode, or where it is forced.
///
/// # Errors
/// When the API or the engine does not answer, or the ledger cannot be used.
pub fn trigger(flags: &TriggerFlags) -> Result<Outcome> {
    let wish = if flags.reset_breaker {
        Wish::ResetBreaker
    } else if flags.force {
        eprintln!("Force trigger enabled, skipping drift check");
        Wish::Force
    } else {
        eprintln!("Checking drift status...");
        Wish::Check(look::look(&Api::at(&flags.api_url, &flags.key)?)?)
    };
    let drifts = match &wish {
        Wish::Check(seen) => Some(seen.open().is_some()),
        _ => None,
    };
    let place = Place::of(&flags.place)?;
    let pipelines = Pipelines::of(flags)?;
    let (verdict, ledger) = drive(&place, pipelines.as_ref(), wish, flags)?;
    if let Some(file) = &flags.metrics_out {
        folder::write(file, prometheus(&ledger, flags.breaker_after).as_bytes())?;
    }
    let told = outcome(&verdict, drifts, pipelines.as_ref())?;
    if let Some(pipelines) = pipelines.filter(|_| flags.wait) {
        eprintln!("{}", told.summary);
        pipelines.wait()?;
    }
    Ok(told)
}

/// Takes step after step. Between any two of them this process may end for ever.
fn drive(
    place: &Place,
    pipelines: Option<&Pipelines>,
    wish: Wish,
    flags: &TriggerFlags,
) -> Result<(Verdict, Ledger)> {
    let (mut trigger, mut effect) = Trigger::begin(wish, flags.policy(), TRAINING, now_ms());
    let mut latest = Ledger::default();
    let mut begun = false;
    loop {
        let (answer, point) = match &effect {
            Effect::Read => {
                let (ledger, version) = place.read()?;
                latest = ledger.clone();
                (Answer::Ledger(ledger, version), "read")
            }
            Effect::Runs(names) => {
                let mut runs = place.runs(names)?;
                if let Some(pipelines) = pipelines {
                    let (known, unfinished) = pipelines.runs(names)?;
                    runs.known.extend(known);
                    runs.unfinished = runs.unfinished.or(unfinished);
                }
                (Answer::Runs(runs), "ask")
            }
            Effect::Write(ledger, expected) => match place.write(ledger, expected)? {
                true => {
                    latest.clone_from(ledger);
                    (Answer::Written, if begun { "mark" } else { "write" })
                }
                false => (Answer::Conflict, "conflict"),
            },
            Effect::Start(entry) => {
                if entry.reason == Reason::Drift {
                    eprintln!("Drift detected! Triggering retrain pipeline...");
                }
                begun = true;
                let answer = match pipelines {
                    Some(pipelines) => pipelines.start(place, entry, flags)?,
                    None => place.start(entry, &args(entry), &env(entry, flags))?,
                };
                (answer, "start")
            }
            Effect::Done(verdict) => return Ok((verdict.clone(), latest)),
        };
        let again = if begun && point == "read" { "-again" } else { "" };
        hook::point(&format!("trigger:{point}{again}"));
        effect = trigger.next(answer);
    }
}

/// What the run is told besides its template.
fn args(entry: &Entry) -> Vec<String> {
    match entry.reason {
        Reason::Forced => vec!["--force".to_owned()],
        Reason::Drift => Vec::new(),
    }
}

fn env(entry: &Entry, flags: &TriggerFlags) -> Vec<(String, String)> {
    let mut env = vec![
        ("MODEL_NAME", flags.model_name.clone()),
        // Two starts of this run are one run, also where its folder does not outlive it.
        ("RUN_NONCE", entry.run.clone()),
    ];
    if let Some(uri) = flags.mlflow_uri.as_ref().filter(|uri| !uri.is_empty()) {
        env.push(("MLFLOW_TRACKING_URI", uri.clone()));
    }
    match entry.reason {
        Reason::Forced => env.push(("TRIGGER_REASON", "forced".to_owned())),
        Reason::Drift => env.extend([
            ("TRIGGER_REASON", "drift".to_owned()),
            ("DRIFT_EPISODE", entry.key.number.to_string()),
            ("DRIFT_MODEL", entry.key.model.clone()),
            ("DRIFT_FEATURES", entry.movements.join("; ")),
        ]),
    }
    env.into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn outcome(verdict: &Verdict, drifts: Option<bool>, pipelines: Option<&Pipelines>) -> Result<Outcome> {
    let mut detail = json!({"drift_detected": drifts, "verdict": verdict.word()});
    let begun = pipelines.and_then(Pipelines::begun);
    if let Some(run) = verdict.run() {
        match &begun {
            None => {
                detail["run_id"] = run.into();
                detail["template"] = TRAINING.into();
            }
            Some((id, name, page)) => {
                detail["retrain"] = run.into();
                detail["run_id"] = id.clone().into();
                detail["run_name"] = name.clone().into();
                detail["pipeline"] = crate::pipeline::NAME.into();
                detail["address"] = page.clone().into();
            }
        }
    }
    if let Some(until) = verdict.until_ms() {
        detail["until"] = drift::episodes::utc(until).into();
    }
    let (status, text) = match verdict {
        Verdict::Start(entry) => {
            let forced = entry.reason == Reason::Forced;
            detail["reason"] = if forced { "forced" } else { "drift" }.into();
            if !forced {
                detail["model"] = entry.key.model.clone().into();
                detail["episode"] = entry.key.number.into();
            }
            let created = match begun {
                None => entry.run.clone(),
                Some((id, name, page)) => format!("{id} ({name}), {page}"),
            };
            (Status::Done, format!("Pipeline run created: {created}"))
        }
        Verdict::BreakerReset => (Status::Done, verdict.sentence()),
        Verdict::Running { .. } | Verdict::Handled { .. } => (Status::Already, verdict.sentence()),
        Verdict::Contended => {
            let text = format!("trigger-contended: {}; repeat", verdict.sentence());
            return Err(Failure::new(1, text));
        }
        _ => (Status::Skipped, verdict.sentence()),
    };
    detail["message"] = text.clone().into();
    Ok(Outcome::new("trigger", status, detail, text))
}

fn now_ms() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or_default()
}
