//! `e2e`: the scenarios, in a world of their own beside the one that may be running.

use crate::{
    cargo,
    cmd::{demo, down, images, rollback, status, train, up},
    ctx::Ctx,
    exec::{Cmd, Show},
    failure::{Failure, Id, Outcome},
    flags::{DownFlags, E2eFlags, RollbackFlags, TrainFlags, UpFlags},
    git, kubectl,
    report::Ending,
};
use std::time::Duration;

/// Added to the ports, so that the world of `up` may go on running.
const PORT_OFFSET: u16 = 1000;
/// Folder of the world; below `target`, so that `cargo clean` removes what a killed run leaves.
const STATE: &str = "e2e/state";

/// Brings the world up, runs the scenarios, takes it down.
///
/// # Errors
/// `check-failed` when a scenario does not hold; what `up` says.
pub fn command(ctx: &Ctx, flags: &E2eFlags) -> Outcome<()> {
    if ctx.cluster.is_some() {
        return on_cluster(ctx, flags);
    }
    let world = ctx.elsewhere(ctx.target.join(STATE), PORT_OFFSET);
    let ctx = &world;
    if flags.rest.iter().any(|flag| flag == "--list") {
        build(ctx)?;
        return scenarios(ctx, &flags.rest);
    }
    // The world is one, so two runs at once would take it from each other.
    let _alone = up::exclusive(
        ctx,
        &ctx.target.join("e2e/lock"),
        "have the end-to-end world alone",
    )?;
    // What an earlier run left behind would change what the scenarios find.
    let down = |purge| down::command(ctx, &DownFlags { purge, yes: false });
    down(true)?;
    up::run(ctx, &UpFlags::default())?;
    build(ctx)?;
    let result = scenarios(ctx, &flags.rest).and_then(|()| match flags.rest.is_empty() {
        true => everyday(ctx),
        false => Ok(()),
    });
    if flags.keep || result.is_err() {
        ctx.report.say(format!(
            "kept     the world: cargo xtask status --state {} --port-offset {}",
            ctx.short(&ctx.state),
            ctx.port_offset
        ));
        if !flags.keep {
            // Its logs stay; its processes do not.
            down(false)?;
        }
        return result;
    }
    down(true)
}

/// On a cluster the world is the cluster's own: it is brought up where it is not, and stays.
fn on_cluster(ctx: &Ctx, flags: &E2eFlags) -> Outcome<()> {
    if !flags.rest.iter().any(|flag| flag == "--list") {
        up::run(ctx, &UpFlags::default())?;
    }
    build(ctx)?;
    scenarios(ctx, &flags.rest)?;
    match flags.rest.is_empty() {
        true => everyday(ctx),
        false => Ok(()),
    }
}

/// The commands that the README names, in the world that the scenarios leave: what a newcomer types
/// after `up` must work, and a second `up` must change nothing.
fn everyday(ctx: &Ctx) -> Outcome<()> {
    let before = ctx.report.lines().len();
    up::run(ctx, &UpFlags::default())?;
    let lines = ctx.report.lines();
    if let Some(line) = lines[before..].iter().find(|line| line.ending == Ending::Done) {
        return Err(Failure::new(Id::CheckFailed, "run `up` a second time")
            .because(format!("step {} found something to do: {}", line.name, line.note)));
    }
    status::command(ctx)?;
    demo::command(ctx)?;
    let again = TrainFlags {
        force: true,
        ..TrainFlags::default()
    };
    train::command(ctx, &again)?;
    rollback::command(ctx, &RollbackFlags::default())
}

fn build(ctx: &Ctx) -> Outcome<()> {
    let cmd = cargo::release_build(ctx, &["e2e"]).deadline(Duration::from_secs(3600));
    ctx.report.loud(true);
    let result = ctx.must(Id::BuildFailed, "compile the scenarios", &cmd);
    ctx.report.loud(false);
    result.map(drop)
}

/// How a person's trainer and kubectl reach the cluster; nothing for the local engine.
fn world(ctx: &Ctx) -> Outcome<Vec<String>> {
    let Some(cluster) = &ctx.cluster else {
        return Ok(Vec::new());
    };
    let mut args = vec![
        "--context".to_owned(),
        cluster.context.clone(),
        "--kubectl".to_owned(),
        kubectl::program(ctx)?,
        "--images".to_owned(),
        images::store(ctx),
        "--image-pull-name".to_owned(),
        cluster.registry.clone(),
    ];
    let credentials = git::remote::credentials(ctx);
    if credentials.is_file() {
        args.extend(["--git-credentials".to_owned(), credentials.display().to_string()]);
    }
    Ok(args)
}

fn scenarios(ctx: &Ctx, rest: &[String]) -> Outcome<()> {
    let mut cmd = Cmd::changes(ctx.binary("e2e").display().to_string())
        .args(["--state"])
        .path(&ctx.state)
        .args(world(ctx)?)
        .args(rest)
        .env(
            "DRIFTLESS_ORACLE_PYTHON",
            ctx.venv("oracle").join("bin/python").display().to_string(),
        )
        .dir(&ctx.root)
        .show(Show::All)
        // Pods take longer to start than processes.
        .deadline(Duration::from_secs(if ctx.cluster.is_some() {
            3600
        } else {
            1800
        }));
    if ctx.json {
        cmd = cmd.args(["--json"]);
    }
    ctx.report.loud(true);
    let output = ctx.ran(Id::CheckFailed, "run the end-to-end scenarios", &cmd);
    ctx.report.loud(false);
    match output? {
        output if output.ok() => Ok(()),
        output => Err(Failure::new(Id::CheckFailed, "run the end-to-end scenarios")
            .because(format!(
                "the scenarios ended with {}; those that do not hold are named above",
                output.code
            ))
            .next("cargo xtask e2e --keep -- --only NAME")),
    }
}
