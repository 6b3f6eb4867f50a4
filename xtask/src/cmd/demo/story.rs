//! The story itself, one function for each promise.

use super::{Api, Batch, Life, Timeline, broken, episode};
use crate::{
    cmd::{rollback, status},
    ctx::{Ctx, engine_failure},
    failure::{Failure, Id, Outcome},
    git,
    step::Deadline,
};
use contract::{ModelInfo, names};
use engine::Engine;
use std::time::{Duration, Instant};
use traffic::{Load, Running, Target};

/// What `--dry-run` says.
pub const PLAN: [&str; 7] = [
    "send   normal traffic: there must be no drift",
    "write  a labelled batch from the shifted world into the data folder",
    "send   shifted traffic until /drift/status reports drift",
    "engine start a run of drift-monitor twice under 1,000 requests a second; one run of training is started for this episode",
    "wait   until the promoted commit is live: no request may have failed, the shifted traffic is no longer drift, the episode is over",
    "run    git revert of the promotion; wait until the old model serves again",
    "print  what was live when, by which commit",
];

const RATE_PER_S: f64 = 1000.0;
const CONNECTIONS: usize = 16;
/// Each flower is measured so many times, for held-out rows enough to judge by.
const COPIES: usize = 4;
/// Windows worth of traffic that must not look like drift.
const NORMAL_REQUESTS: usize = 300;
/// By when drift must be seen: a window is 100 requests.
const SHIFTED_REQUESTS: usize = 1000;

/// Plays it.
///
/// # Errors
/// The first promise that does not hold.
pub fn play(ctx: &Ctx, timeline: &mut Timeline<'_>) -> Outcome<()> {
    let engine = ctx.engine()?;
    let engine = engine.as_ref();
    let base = engine
        .address(names::INFERENCE_API)
        .map_err(engine_failure("find the API"))?;
    let api = Api { ctx, base };
    let old = api.info()?;
    let before = Main::look(ctx)?;
    timeline.live(Instant::now(), life(&old, &before));
    let digest = short_digest(&old.digests.model);
    timeline.line(format!("model {} is live (digest {digest})", old.model_version));

    let learnt = reference(engine, &old)?;
    let shifted = learnt.shifted(COPIES, batch_number(engine)?).mixed();
    let (normal, moved) = (bodies(&learnt.mixed(), &old)?, bodies(&shifted, &old)?);
    no_drift(&api, &normal, "normal traffic", timeline)?;
    // Before the drift: a retrain begins as soon as it is seen.
    let file = add_batch(engine, &shifted)?;
    let rows = shifted.rows.len();
    timeline.line(format!(
        "labelled batch {file} added ({rows} rows from the shifted world)"
    ));
    let earlier = episode::newest_retrain(engine)?;
    drift(&api, &moved, timeline)?;

    let target = Target::cycle(api.socket()?, "/predict", moved.clone());
    let load = Load::open(RATE_PER_S, CONNECTIONS)
        .start(&target)
        .map_err(|error| broken("send load", error))?;
    timeline.line(format!(
        "load begins: {RATE_PER_S:.0} requests a second over {CONNECTIONS} connections"
    ));
    let run = episode::retrain(ctx, engine, earlier.as_deref(), timeline)?;
    rolled_out(&api, engine, &old, &before, &load, timeline)?;
    none_failed(&load, "rollout under load", timeline)?;
    no_drift(&api, &moved, "the shifted traffic, to the new model,", timeline)?;
    episode::closed(&api, engine, &run, timeline)?;
    reverted(&api, engine, &old, timeline)?;
    none_failed(&load, "revert under load", timeline)?;
    let report = load.stop();
    let (sent, failed, p99_ms) = (report.sent, report.failed, report.latency.p99_ms);
    timeline.line(format!(
        "load ends: {sent} requests, {failed} failed, p99 {p99_ms:.1} ms"
    ));
    if failed > 0 {
        return Err(broken("lose no request", format!("{failed} of {sent} failed")));
    }
    Ok(())
}

/// The candidate must be live, by exactly one commit.
fn rolled_out(
    api: &Api<'_>,
    engine: &dyn Engine,
    old: &ModelInfo,
    before: &Main,
    load: &Running,
    timeline: &mut Timeline<'_>,
) -> Outcome<()> {
    let after = Main::look(api.ctx)?;
    let commits = after.count.saturating_sub(before.count);
    if commits != 1 {
        return Err(broken(
            "promote by one commit",
            format!("main has {commits} new commits"),
        ));
    }
    status::wait_live(
        api.ctx,
        engine,
        &after.head,
        Deadline::after(Duration::from_secs(30)),
    )?;
    let new = api.info()?;
    if new.digests.model == old.digests.model {
        return Err(broken(
            "roll out another model",
            "the live model has the old digest",
        ));
    }
    // The load has seen the first answer of the new model to the millisecond.
    let answered = load
        .report()
        .versions
        .get(&new.model_version)
        .map(|seen| seen.first_s);
    let since = answered.map_or_else(Instant::now, |first_s| {
        load.started() + Duration::from_secs_f64(first_s)
    });
    timeline.live(since, life(&new, &after));
    let commit = git::short(&after.head);
    timeline.line(format!(
        "model {} is live, by the one commit {commit}",
        new.model_version
    ));
    Ok(())
}

/// The old model must be back, whole.
fn reverted(api: &Api<'_>, engine: &dyn Engine, old: &ModelInfo, timeline: &mut Timeline<'_>) -> Outcome<()> {
    let back = rollback::run(api.ctx, engine, None, Deadline::after(Duration::from_secs(60)))?;
    let again = api.info()?;
    if again.digests != old.digests {
        return Err(broken(
            "bring the old model back",
            "the digests of /model/info are not those of its first life",
        ));
    }
    timeline.live(back.at, life(&again, &Main::look(api.ctx)?));
    timeline.line(format!(
        "git revert {}: model {} serves again {:.1} s after the push, all digests equal",
        git::short(&back.commit),
        again.model_version,
        back.took.as_secs_f64()
    ));
    Ok(())
}

/// What `main` says.
struct Main {
    head: String,
    /// Commits in all.
    count: usize,
    /// The newest one that changed the release: commit and subject.
    release: (String, String),
}

impl Main {
    fn look(ctx: &Ctx) -> Outcome<Main> {
        let clone = git::Clone::of(ctx, "demo")?;
        let ask = |args: &[&str]| git::ask(ctx, &git::reads(clone.dir()).args(args));
        let newest = git::promotions(ctx, &clone, 1)?.pop();
        Ok(Main {
            head: ask(&["rev-parse", "HEAD"])?.unwrap_or_default(),
            count: ask(&["rev-list", "--count", "HEAD"])?
                .and_then(|text| text.parse().ok())
                .unwrap_or(0),
            release: newest
                .map(|change| (change.commit, change.subject))
                .unwrap_or_default(),
        })
    }
}

fn life(info: &ModelInfo, main: &Main) -> Life {
    let (commit, subject) = main.release.clone();
    Life {
        since_s: 0.0,
        version: info.model_version.clone(),
        tag: info.image_tag.clone().unwrap_or_default(),
        digest: info.digests.model.clone(),
        commit,
        subject,
    }
}

fn short_digest(digest: &str) -> &str {
    digest
        .strip_prefix("sha256:")
        .and_then(|hex| hex.get(..12))
        .unwrap_or(digest)
}

/// The rows that the live model holds its traffic against.
fn reference(engine: &dyn Engine, info: &ModelInfo) -> Outcome<Batch> {
    let attempted = "read the batch that the live model learnt from";
    let fail = |cause: String| Failure::new(Id::DataRefused, attempted).because(cause);
    let target = info
        .dataset
        .as_ref()
        .map(|dataset| dataset.target.clone())
        .ok_or_else(|| fail("its manifest names no dataset".to_owned()))?;
    let name = info
        .drift_reference_sources
        .last()
        .ok_or_else(|| fail("it has no drift reference".to_owned()))?;
    let text = engine.data(name).map_err(|error| fail(error.to_string()))?;
    Batch::parse(&text, &target).map_err(|cause| fail(format!("{name}: {cause}")))
}

fn bodies(batch: &Batch, info: &ModelInfo) -> Outcome<Vec<String>> {
    batch
        .bodies(info)
        .map_err(|cause| Failure::new(Id::DataRefused, "make requests from the batch").because(cause))
}

fn batch_number(engine: &dyn Engine) -> Outcome<u64> {
    let names = engine.data_names();
    Ok(names.map_err(engine_failure("list the data place"))?.len() as u64 + 1)
}

fn add_batch(engine: &dyn Engine, batch: &Batch) -> Outcome<String> {
    let name = format!("batch-{:04}-shifted.csv", batch_number(engine)?);
    let added = engine.add_data(&name, &batch.csv());
    added.map_err(engine_failure("add a labelled batch"))?;
    Ok(name)
}

fn no_drift(api: &Api<'_>, bodies: &[String], what: &str, timeline: &mut Timeline<'_>) -> Outcome<()> {
    for body in bodies.iter().cycle().take(NORMAL_REQUESTS) {
        api.predict(body)?;
    }
    let drift = api.drift()?;
    if drift["drift_detected"] != false {
        return Err(broken(&format!("see no drift in {what}"), drift));
    }
    timeline.line(format!(
        "{what} is no drift ({NORMAL_REQUESTS} requests, lowest p {:.2})",
        lowest_p(&drift)
    ));
    Ok(())
}

fn drift(api: &Api<'_>, bodies: &[String], timeline: &mut Timeline<'_>) -> Outcome<()> {
    for (count, body) in (1..=SHIFTED_REQUESTS).zip(bodies.iter().cycle()) {
        api.predict(body)?;
        let drift = api.drift()?;
        if drift["drift_detected"] == true {
            timeline.line(format!(
                "drift after {count} shifted requests (lowest p {:.1e})",
                lowest_p(&drift)
            ));
            timeline.line(episode::opened(&drift)?);
            return Ok(());
        }
    }
    Err(broken(
        "see drift in shifted traffic",
        format!("none after {SHIFTED_REQUESTS} requests"),
    ))
}

fn lowest_p(drift: &serde_json::Value) -> f64 {
    let features = drift["features"].as_object().into_iter().flatten();
    features
        .filter_map(|(_, feature)| feature["p_value"].as_f64())
        .fold(f64::NAN, f64::min)
}

fn none_failed(load: &Running, what: &str, timeline: &mut Timeline<'_>) -> Outcome<()> {
    let report = load.report();
    if report.failed > 0 {
        let first = report
            .failures
            .first()
            .map(|failure| format!(": {} at {:.1} s", failure.detail, failure.at_s));
        return Err(broken(
            what,
            format!(
                "{} of {} requests failed{}",
                report.failed,
                report.sent,
                first.unwrap_or_default()
            ),
        ));
    }
    let versions: Vec<_> = report
        .versions
        .iter()
        .map(|(version, seen)| format!("{} by model {version}", seen.count))
        .collect();
    timeline.line(format!(
        "{what}: 0 of {} requests failed ({})",
        report.sent,
        versions.join(", ")
    ));
    Ok(())
}
