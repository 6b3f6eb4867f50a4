//! The step `engine`: its configuration, its process, its first answer.

use crate::{
    cmd::images,
    ctx::Ctx,
    exec::Cmd,
    failure::{Failure, Id, Outcome},
    pins,
    step::{Acted, Deadline, Probe},
    tools,
    wait::{self, Look},
};
use serde_json::json;
use std::path::PathBuf;

fn config_file(ctx: &Ctx) -> PathBuf {
    ctx.state.join("engine.yaml")
}

/// What it says before it has a log of its own.
fn start_log(ctx: &Ctx) -> PathBuf {
    ctx.state.join("engine/start.log")
}

/// Its own log.
fn log_file(ctx: &Ctx) -> PathBuf {
    ctx.state.join("engine/engine.log")
}

/// What the running engine was started from: a rebuilt binary is a reason to start it anew.
fn stamp_file(ctx: &Ctx) -> PathBuf {
    ctx.state.join("engine/started-from")
}

/// The configuration of the local engine, as YAML.
///
/// MLflow is the real server from PyPI; it stands in for the overlay's Deployment. One worker and
/// no job execution: 0.5 GiB instead of 2.3 GiB and 8 s instead of 40 s to start.
pub fn config(ctx: &Ctx) -> Outcome<String> {
    let mlflow = ctx.venv("mlflow").join("bin/mlflow");
    let hosts =
        "localhost,localhost:*,127.0.0.1,127.0.0.1:*,mlflow,mlflow:*,mlflow.training,mlflow.training:*";
    let value = json!({
        "environment": ctx.environment,
        "kustomize": tools::kustomize(ctx)?,
        "port_offset": ctx.port_offset,
        "variables": {},
        "stand_ins": {"mlflow": {
            "program": mlflow,
            "args": [
                "server", "--host", "127.0.0.1", "--port", "$(PORT)", "--workers", "1",
                "--backend-store-uri", "sqlite:///$(DRIFTLESS_HOME)/mlflow/mlflow.db",
                "--artifacts-destination", "$(DRIFTLESS_HOME)/mlflow/artifacts", "--serve-artifacts",
            ],
            "env": {
                "MLFLOW_DISABLE_TELEMETRY": "true",
                "MLFLOW_SERVER_ALLOWED_HOSTS": hosts,
                "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            },
            "description": format!("mlflow {} from PyPI", pins::MLFLOW),
        }},
    });
    let yaml = serde_yaml::to_string(&value).map_err(|error| {
        Failure::new(Id::EngineDidNotStart, "write the engine's configuration").because(error)
    })?;
    Ok(format!("# Written by `cargo xtask up`.\n{yaml}"))
}

pub fn answers(ctx: &Ctx) -> Result<(), String> {
    let engine = ctx.exec.engine(&ctx.state).map_err(|error| error.to_string())?;
    engine.status().map(drop).map_err(|error| error.to_string())
}

pub fn probe(ctx: &Ctx) -> Outcome<Probe> {
    if let Err(cause) = answers(ctx) {
        return Ok(Probe::Needed(cause));
    }
    if ctx.read_text(&config_file(ctx)) != Some(config(ctx)?) {
        return Ok(Probe::Needed("its configuration changed".to_owned()));
    }
    if ctx.read_text(&stamp_file(ctx)) != Some(images::identity(&ctx.binary("driftless-engine"))) {
        return Ok(Probe::Needed("its program changed".to_owned()));
    }
    Ok(Probe::Done("running".to_owned()))
}

pub fn act(ctx: &Ctx, deadline: Deadline) -> Outcome<Acted> {
    let old = answers(ctx).is_ok();
    if old {
        ctx.exec
            .stop_engine(&ctx.state)
            .map_err(crate::ctx::engine_failure("stop the old engine"))?;
        wait::until(ctx, "the old engine has stopped", deadline, || {
            Ok(match answers(ctx) {
                Ok(()) => Look::NotYet("it still answers".to_owned()),
                Err(_) => Look::Holds,
            })
        })?;
    }
    ctx.write(Id::EngineDidNotStart, &config_file(ctx), &config(ctx)?, 0o600)?;
    start(ctx, deadline)?;
    let stamp = images::identity(&ctx.binary("driftless-engine"));
    ctx.write(Id::EngineDidNotStart, &stamp_file(ctx), &stamp, 0o600)?;
    Acted::changed(if old { "started anew" } else { "started" })
}

/// Starts the engine with the configuration that lies in the state folder.
///
/// # Errors
/// `engine-did-not-start` with the last lines of its log.
pub fn start(ctx: &Ctx, deadline: Deadline) -> Outcome<()> {
    let attempted = "start the engine";
    let cmd = Cmd::changes(ctx.binary("driftless-engine").display().to_string())
        .args(["--state"])
        .path(&ctx.state)
        .args(["--config"])
        .path(config_file(ctx));
    // What an earlier start said would be taken for this one's words.
    ctx.write(Id::EngineDidNotStart, &start_log(ctx), "", 0o600)?;
    ctx.exec
        .start(&cmd, &start_log(ctx))
        .map_err(|error| last_words(ctx, Failure::new(Id::EngineDidNotStart, attempted).because(error)))?;
    wait::until(ctx, "the engine answers", deadline, || {
        Ok(answers(ctx).map_or_else(Look::NotYet, |()| Look::Holds))
    })
    .map_err(|failure| last_words(ctx, failure.known_as(Id::EngineDidNotStart)))?;
    Ok(())
}

fn last_words(ctx: &Ctx, failure: Failure) -> Failure {
    let said = ctx
        .read_text(&start_log(ctx))
        .filter(|text| !text.trim().is_empty());
    let (log, text) = match said {
        Some(text) => (start_log(ctx), text),
        None => (log_file(ctx), ctx.read_text(&log_file(ctx)).unwrap_or_default()),
    };
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let last = lines
        .last()
        .cloned()
        .unwrap_or_else(|| "it said nothing".to_owned());
    failure
        .because(last)
        .detail(lines[lines.len().saturating_sub(12)..].to_vec())
        .next(format!("read {}, then cargo xtask up", ctx.short(&log)))
}
