//! `status`: one screen. What runs, what is live, drift, the last promotions, what waits for what.

pub mod pipeline;
pub mod retrains;
mod screen;

pub use retrains::{Retrains, read as read_retrains};
pub use screen::screen;

use crate::{
    ctx::{Ctx, engine_failure},
    failure::{Failure, Id, Outcome},
    git::{self, Promotion},
    step::Deadline,
    wait::{self, Look},
};
use ::engine::{Engine, Health, RunPhase, Status, Sync};
use contract::{ModelInfo, names};
use serde::Serialize;
use serde_json::Value;
use std::time::Duration;

/// Promotions shown.
const PROMOTIONS: usize = 5;

/// Everything `status` knows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Overview {
    /// What the engine says.
    pub engine: Status,
    /// Resident memory of the engine and all it runs.
    pub memory_bytes: u64,
    /// The same without what stands in for other people's software (MLflow).
    pub memory_bytes_ours: u64,
    /// What the API has loaded; absent when it does not answer.
    pub model: Option<ModelInfo>,
    /// `/drift/status`; absent when the API does not answer.
    pub drift: Option<Value>,
    /// What was decided about retrains; absent before the first drift check.
    pub retrains: Option<Retrains>,
    /// The newest run of the retrain's pipeline on this machine; absent in a cluster, whose pods take theirs along.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<pipeline::PipelineRun>,
    /// Newest first.
    pub promotions: Vec<Promotion>,
    /// What waits for what, in words.
    pub waiting: Vec<String>,
}

/// Prints the screen, or all of it as JSON.
///
/// # Errors
/// `engine-not-running`, `engine-refused`, `git-failed`.
pub fn command(ctx: &Ctx) -> Outcome<()> {
    let overview = overview(ctx)?;
    if ctx.json {
        ctx.result(&serde_json::to_string_pretty(&overview).unwrap_or_default());
    } else {
        ctx.result(&screen(&overview));
    }
    Ok(())
}

/// Asks everyone.
///
/// # Errors
/// As [`command`].
pub fn overview(ctx: &Ctx) -> Outcome<Overview> {
    let engine = ctx.engine()?;
    let status = engine
        .status()
        .map_err(engine_failure("ask the engine for its status"))?;
    let (mut model, mut drift) = (None, None);
    if let Ok(api) = engine.address(names::INFERENCE_API) {
        model = ctx
            .get_json(Id::ApiUnreachable, &format!("{api}/model/info"))
            .ok();
        drift = ctx
            .get_json(Id::ApiUnreachable, &format!("{api}/drift/status"))
            .ok();
    }
    let promotions = match ctx.exec.pretends() {
        true => Vec::new(),
        false => git::promotions(ctx, &git::Clone::of(ctx, "status")?, PROMOTIONS)?,
    };
    // An engine of before keeps no ledger.
    let record = engine.record(::engine::DRIFT_LEDGER).unwrap_or_default();
    let retrains = record.text.as_deref().and_then(retrains::read);
    let mut waiting = waiting(&status);
    waiting.extend(retrains.as_ref().and_then(Retrains::waiting));
    let (of_apps, of_stand_ins) = memory(&status);
    let own = engine_memory(ctx);
    Ok(Overview {
        memory_bytes: own + of_apps + of_stand_ins,
        memory_bytes_ours: own + of_apps,
        waiting,
        retrains,
        pipeline: pipeline::newest(&ctx.state.join("runs")),
        engine: status,
        model,
        drift,
        promotions,
    })
}

fn memory(status: &Status) -> (u64, u64) {
    let of = |stand_in: bool| {
        let apps = status
            .apps
            .iter()
            .filter(|app| app.stand_in.is_some() == stand_in);
        apps.flat_map(|app| &app.replicas)
            .filter_map(|replica| replica.resident_bytes)
            .sum()
    };
    (of(false), of(true))
}

fn engine_memory(ctx: &Ctx) -> u64 {
    let endpoint = ctx
        .read_text(&ctx.state.join(::engine::EngineClient::ENDPOINT_FILE))
        .unwrap_or_default();
    let Ok(endpoint) = serde_json::from_str::<::engine::Endpoint>(&endpoint) else {
        return 0;
    };
    let text = ctx
        .read_text(format!("/proc/{}/status", endpoint.pid).as_ref())
        .unwrap_or_default();
    let kib = text.lines().find_map(|line| {
        line.strip_prefix("VmRSS:")?
            .split_whitespace()
            .next()?
            .parse::<u64>()
            .ok()
    });
    kib.unwrap_or(0) * 1024
}

/// What is not as it should be yet, and what it waits for.
pub fn waiting(status: &Status) -> Vec<String> {
    let mut all = Vec::new();
    for app in &status.apps {
        let done = app.sync == Sync::Synced && app.health == Health::Healthy;
        if app.name == names::INFERENCE_API && done && app.replicas_wanted == 0 {
            all.push(format!("{} waits for the first promotion", app.name));
        } else if !done && app.health != Health::Suspended {
            all.push(app.summary());
        }
        for condition in &app.conditions {
            let first = condition.message.lines().next().unwrap_or_default();
            all.push(format!("{}: {}: {first}", app.name, condition.kind));
        }
    }
    for run in &status.runs {
        match run.phase {
            RunPhase::Pending => all.push(format!(
                "run {} waits for another run or its next attempt",
                run.id
            )),
            RunPhase::Running => {
                let line = run.log_tail.last().map_or("it said nothing yet", String::as_str);
                all.push(format!("run {} works: {line}", run.id));
            }
            RunPhase::Succeeded | RunPhase::Failed => {}
        }
    }
    all
}

/// Waits until `commit` is what the API runs.
///
/// # Errors
/// `app-degraded` with the last log lines, `not-live` when the deadline passes.
pub fn wait_live(ctx: &Ctx, engine: &dyn Engine, commit: &str, deadline: Deadline) -> Outcome<Duration> {
    engine
        .refresh()
        .map_err(engine_failure("tell the engine that main moved"))?;
    let what = match git::short(commit) {
        "" => "main is live".to_owned(),
        commit => format!("commit {commit} is live"),
    };
    wait::until(ctx, &what, deadline, || {
        let status = engine
            .status()
            .map_err(engine_failure("ask the engine for its status"))?;
        let Some(app) = status.app(names::INFERENCE_API) else {
            return Ok(Look::NotYet("the engine has no inference-api".to_owned()));
        };
        if app.is_live_at(commit) {
            return Ok(Look::Holds);
        }
        if app.revision == commit && app.health == Health::Degraded {
            let lines = app
                .conditions
                .iter()
                .flat_map(|condition| condition.message.lines());
            return Err(
                Failure::new(Id::AppDegraded, format!("roll out commit {}", git::short(commit)))
                    .because(app.summary())
                    .detail(lines.map(str::to_owned).collect()),
            );
        }
        Ok(Look::NotYet(app.summary()))
    })
    .map_err(|failure| match failure.id {
        Id::DeadlinePassed => failure.known_as(Id::NotLive),
        _ => failure,
    })
}
