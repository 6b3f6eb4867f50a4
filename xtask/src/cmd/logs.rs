//! `logs`: the last lines of an application or a run.

use crate::{
    ctx::{Ctx, engine_failure},
    failure::{Failure, Id, Outcome},
    flags::LogsFlags,
};

/// Prints them.
///
/// # Errors
/// `engine-refused` for a name that the engine does not know.
pub fn command(ctx: &Ctx, flags: &LogsFlags) -> Outcome<()> {
    let engine = ctx.engine()?;
    let status = engine
        .status()
        .map_err(engine_failure("ask the engine for its status"))?;
    // A CronJob has no log of its own: its newest run has.
    let of = match status.runs.iter().find(|run| run.template == flags.of) {
        Some(newest) => newest.id.clone(),
        None => flags.of.clone(),
    };
    let lines = engine.logs(&of, flags.tail).map_err(|error| {
        let names: Vec<_> = status.apps.iter().map(|app| app.name.as_str()).collect();
        Failure::new(Id::EngineRefused, format!("read the log of {of}"))
            .because(error)
            .next(format!(
                "cargo xtask logs NAME, where NAME is one of {}",
                names.join(", ")
            ))
    })?;
    if ctx.json {
        ctx.result(&serde_json::json!({"of": of, "lines": lines}).to_string());
    } else {
        for line in lines {
            ctx.result(&line);
        }
    }
    Ok(())
}
