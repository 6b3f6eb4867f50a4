//! The steps `mlflow`, `train` and `live`: the first model, from nothing to serving.

use crate::{
    cmd::{status, train},
    ctx::{Ctx, engine_failure},
    exec::Request,
    failure::{Failure, Id, Outcome},
    git,
    step::{Acted, Deadline, Probe},
    wait::{self, Look},
};
use contract::names;

fn mlflow_answers(ctx: &Ctx) -> Result<String, String> {
    let engine = ctx.exec.engine(&ctx.state).map_err(|error| error.to_string())?;
    let address = engine.address(names::MLFLOW).map_err(|error| error.to_string())?;
    match ctx.exec.http(&Request::get(format!("{address}/health")))? {
        answer if answer.ok() => Ok(address),
        answer => Err(format!("{address}/health: HTTP {}", answer.status)),
    }
}

pub fn mlflow_probe(ctx: &Ctx) -> Outcome<Probe> {
    Ok(mlflow_answers(ctx).map_or_else(Probe::Needed, |address| Probe::Done(format!("{address} answers"))))
}

pub fn mlflow(ctx: &Ctx, deadline: Deadline) -> Outcome<Acted> {
    wait::until(ctx, "MLflow answers", deadline, || {
        Ok(mlflow_answers(ctx).map_or_else(Look::NotYet, |_| Look::Holds))
    })
    .map_err(|failure| {
        let lines = ctx
            .engine()
            .ok()
            .and_then(|engine| engine.logs(names::MLFLOW, 12).ok());
        failure
            .known_as(Id::MlflowUnreachable)
            .detail(lines.unwrap_or_default())
    })?;
    Acted::changed("answers")
}

/// What `main` of the local repository releases now.
fn released(ctx: &Ctx) -> Outcome<Option<git::Released>> {
    let file = format!("{}:{}", git::MAIN, names::release_file(&ctx.environment));
    match git::ask(ctx, &git::reads(&ctx.bare()).args(["show", &file]))? {
        None => Ok(None),
        Some(text) => git::released_in(&text)
            .map_err(|cause| Failure::new(Id::GitFailed, format!("read {file}")).because(cause)),
    }
}

pub fn train_probe(ctx: &Ctx) -> Outcome<Probe> {
    git::refresh(ctx)?;
    Ok(match released(ctx)? {
        Some(released) => Probe::Done(format!("{} is released", released.tag)),
        None => Probe::Needed("nothing is released yet".to_owned()),
    })
}

pub fn train(ctx: &Ctx, deadline: Deadline) -> Outcome<Acted> {
    let engine = ctx.engine()?;
    // The engine reads main on its own; asking makes sure that it has seen the trainer's image.
    wait_for_trainer_image(ctx, deadline)?;
    let result = train::run(ctx, engine.as_ref(), &[], deadline)?;
    Acted::changed(train::in_words(&result))
}

fn wait_for_trainer_image(ctx: &Ctx, deadline: Deadline) -> Outcome<()> {
    let engine = ctx.engine()?;
    let Some(main) = git::bare_head(ctx)? else {
        return Ok(());
    };
    engine
        .refresh()
        .map_err(engine_failure("tell the engine that main moved"))?;
    let what = "the engine knows the training workload of main";
    wait::until(ctx, what, deadline, || {
        let status = engine
            .status()
            .map_err(engine_failure("ask the engine for its status"))?;
        Ok(match status.app(names::TRAINING) {
            Some(app) if app.revision == main && app.sync == ::engine::Sync::Synced => Look::Holds,
            Some(app) => Look::NotYet(app.summary()),
            None => Look::NotYet("it has no application of that name".to_owned()),
        })
    })?;
    Ok(())
}

pub fn train_verify(ctx: &Ctx) -> Outcome<()> {
    git::refresh(ctx)?;
    match released(ctx)? {
        Some(_) => Ok(()),
        None => Err(Failure::new(Id::RunFailed, "release the first model")
            .because("the run succeeded, and yet main releases nothing")),
    }
}

pub fn live_probe(ctx: &Ctx) -> Outcome<Probe> {
    git::refresh(ctx)?;
    let Some(main) = git::bare_head(ctx)? else {
        return Ok(Probe::Needed("main is empty".to_owned()));
    };
    let status = match ctx.exec.engine(&ctx.state).and_then(|engine| engine.status()) {
        Ok(status) => status,
        Err(error) => return Ok(Probe::Needed(error.to_string())),
    };
    Ok(match status.app(names::INFERENCE_API) {
        Some(app) if app.is_live_at(&main) => Probe::Done(format!("main {} is live", git::short(&main))),
        Some(app) => Probe::Needed(app.summary()),
        None => Probe::Needed("the engine has no inference-api".to_owned()),
    })
}

pub fn live(ctx: &Ctx, deadline: Deadline) -> Outcome<Acted> {
    let main = git::bare_head(ctx)?.unwrap_or_default();
    let engine = ctx.engine()?;
    let took = status::wait_live(ctx, engine.as_ref(), &main, deadline)?;
    Acted::changed(format!(
        "main {} is live after {:.1} s",
        git::short(&main),
        took.as_secs_f64()
    ))
}
