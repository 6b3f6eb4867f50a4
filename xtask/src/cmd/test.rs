//! `test`: every test that this machine can run, and a line for each that it cannot.

mod actionlint;
mod cargo_output;

pub use cargo_output::{Tests, read as read_cargo_output};

use crate::{
    cargo, cmd,
    ctx::Ctx,
    failure::{Failure, Id, Outcome},
    flags::{CodegenFlags, E2eFlags, PassFlags, RenderFlags, TestFlags},
    report::{Ending, Line},
    step::{Deadline, Probe},
    venv::{self, Venv},
    world,
};
use std::time::{Duration, Instant};

/// A cold build of everything on two cores takes a quarter of that.
const CARGO_DEADLINE: Duration = Duration::from_secs(3600);

/// Names the cluster for tests that need one.
const TEST_CONTEXT: &str = "DRIFTLESS_TEST_CONTEXT";

/// What a check adds to the summary.
#[derive(Debug, Default)]
struct Checked {
    note: String,
    skipped: Vec<String>,
}

impl Checked {
    fn note(note: impl Into<String>) -> Outcome<Checked> {
        Ok(Checked {
            note: note.into(),
            skipped: Vec::new(),
        })
    }
}

/// Runs all checks, also after one has failed; then says what was not run, and the sum.
///
/// # Errors
/// `check-failed` with the names of the checks that failed.
pub fn command(ctx: &Ctx, flags: &TestFlags) -> Outcome<()> {
    let mut skipped = Vec::new();
    let mut failed = Vec::new();
    let mut count = 0;
    let mut check = |name: &str, run: &dyn Fn() -> Outcome<Checked>| {
        count += 1;
        if let Err(failure) = one(ctx, name, run, &mut skipped) {
            failed.push(failure);
        }
    };
    check("format", &|| {
        cargo_must(ctx, &["fmt", "--all", "--check", "--", "-l"], &[])
    });
    check("tidy", &|| {
        cmd::tidy::command(ctx).and_then(|()| Checked::note("house rules kept"))
    });
    check("tools", &|| environment(ctx, &venv::MLFLOW));
    check("oracle", &|| environment(ctx, &venv::ORACLE));
    check("clients", &|| environment(ctx, &venv::CLIENTS));
    check("kfp", &|| environment(ctx, &venv::KFP));
    check("actionlint", &|| actionlint::build(ctx).and_then(Checked::note));
    let lint = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--",
        "--deny",
        "warnings",
    ];
    check("clippy", &|| cargo_must(ctx, &lint, &[]));
    check("tests", &|| tests(ctx));
    check("codegen", &|| {
        cmd::codegen::command(ctx, &CodegenFlags { check: true })?;
        Checked::note("generated files are what the code makes")
    });
    check("docs", &|| {
        let doc = ["doc", "--workspace", "--no-deps", "--locked"];
        cargo_must(ctx, &doc, &[("RUSTDOCFLAGS", "--deny warnings")])
    });
    check("render", &|| {
        cmd::render::command(
            ctx,
            &RenderFlags {
                check: true,
                ..RenderFlags::default()
            },
        )?;
        Checked::note("every overlay renders and fits its schema")
    });
    check("bench", &|| {
        for name in ["drift", "serve", "forest"] {
            let rest = vec![name.to_owned(), "--quick".to_owned()];
            cmd::bench::command(ctx, &PassFlags { rest })?;
        }
        Checked::note("each benchmark runs (numbers of a quick run on a busy machine prove nothing)")
    });
    if flags.no_e2e {
        skipped.push("end-to-end scenarios: left out as asked (--no-e2e)".to_owned());
    } else {
        check("e2e", &|| {
            cmd::e2e::command(ctx, &E2eFlags::default()).and_then(|()| Checked::note("all scenarios hold"))
        });
        match world::of_variables(ctx) {
            Ok(cluster) => {
                check("cluster", &|| on_cluster(&cluster));
                check("lab", &|| lab(ctx, &cluster));
                // Left out above, where there was no world yet, and run since.
                skipped.retain(|line| !line.contains(TEST_CONTEXT));
            }
            Err(why) => skipped.push(format!("scenarios on a cluster: {why}")),
        }
    }
    sum(ctx, count, &failed, &skipped)
}

/// The same scenarios, in the cluster that the variables name.
fn on_cluster(cluster: &Ctx) -> Outcome<Checked> {
    cmd::e2e::command(cluster, &E2eFlags::default())?;
    Checked::note(format!(
        "all scenarios hold on {}",
        cluster.the_cluster()?.context
    ))
}

/// Tests that need the world which the scenarios leave in the cluster. They say themselves what they miss.
fn lab(ctx: &Ctx, cluster: &Ctx) -> Outcome<Checked> {
    let context = cluster.the_cluster()?.context.clone();
    let mut all = Checked::default();
    let mut passed = 0;
    for (package, test, filter) in [("cluster", "lab", ""), ("xtask", "rendered", "cluster::")] {
        let args = ["test", "--locked", "--package", package, "--test", test, filter];
        let args = args.into_iter().filter(|arg| !arg.is_empty());
        let cmd = cargo::cargo(ctx)
            .args(args)
            .args(["--", "--show-output", "--test-threads=1"])
            .deadline(CARGO_DEADLINE)
            .env(TEST_CONTEXT, &context);
        ctx.report.loud(true);
        let output = ctx.ran(Id::CheckFailed, "run the tests on the cluster", &cmd);
        ctx.report.loud(false);
        let output = output?;
        let log = ctx.target.join(format!("xtask/cargo-test-{test}.log"));
        ctx.write(Id::CheckFailed, &log, &output.stdout, 0o644)?;
        let seen = read_cargo_output(&output.stdout);
        if !output.ok() {
            return Err(Failure::new(Id::CheckFailed, "run the tests on the cluster")
                .because(seen.failed.join(", "))
                .next(format!(
                    "read {}, mend it, then cargo xtask test",
                    ctx.short(&log)
                )));
        }
        passed += seen.passed;
        all.skipped.extend(seen.skipped);
    }
    all.note = format!("{passed} passed");
    Ok(all)
}

fn one(ctx: &Ctx, name: &str, run: &dyn Fn() -> Outcome<Checked>, skipped: &mut Vec<String>) -> Outcome<()> {
    let start = Instant::now();
    ctx.report.begin(name);
    let result = run();
    let (ending, note) = match &result {
        Ok(checked) => (Ending::Done, checked.note.clone()),
        Err(failure) => (Ending::Failed, failure.causes.last().cloned().unwrap_or_default()),
    };
    ctx.report.end(Line {
        name: name.to_owned(),
        ending,
        seconds: start.elapsed().as_secs_f64(),
        note,
    });
    let checked = result.map_err(|failure| {
        for line in &failure.detail {
            ctx.report.say(format!("         {line}"));
        }
        failure.in_step(name)
    })?;
    skipped.extend(checked.skipped);
    Ok(())
}

fn sum(ctx: &Ctx, count: usize, failed: &[Failure], skipped: &[String]) -> Outcome<()> {
    let names: Vec<_> = failed.iter().map(|failure| failure.step.clone()).collect();
    if ctx.json {
        let all: Vec<_> = failed.iter().map(Failure::json).collect();
        let sum = serde_json::json!({"checks": ctx.report.lines(), "skipped": skipped, "failures": all});
        ctx.result(&sum.to_string());
    } else {
        for line in skipped {
            ctx.result(&format!("not run: {line}"));
        }
        ctx.result(&format!(
            "{} of {count} checks passed; not run here: {}.",
            count - failed.len(),
            skipped.len()
        ));
    }
    if failed.is_empty() {
        return Ok(());
    }
    let first = failed[0].causes.join(": ");
    Err(Failure::new(Id::CheckFailed, "pass every check")
        .because(format!("failed: {}", names.join(", ")))
        .because(first))
}

fn environment(ctx: &Ctx, venv: &Venv) -> Outcome<Checked> {
    match venv.probe(ctx)? {
        Probe::Done(note) => Checked::note(note),
        _ => Checked::note(venv.install(ctx, Deadline::after(Duration::from_secs(900)))?),
    }
}

fn cargo_must(ctx: &Ctx, args: &[&str], env: &[(&str, &str)]) -> Outcome<Checked> {
    let mut cmd = cargo::cargo(ctx).args(args).deadline(CARGO_DEADLINE);
    for (name, value) in env {
        cmd = cmd.env(*name, *value);
    }
    ctx.report.loud(true);
    let output = ctx.must(Id::CheckFailed, &format!("run cargo {}", args[0]), &cmd);
    ctx.report.loud(false);
    output?;
    Checked::note(format!("cargo {}", args[0]))
}

/// All tests of the workspace. Tests say themselves what they could not run.
fn tests(ctx: &Ctx) -> Outcome<Checked> {
    let oracle = ctx.venv("oracle").join("bin/python");
    let clients = ctx.venv("clients").join("bin/python");
    let kfp = ctx.venv("kfp").join("bin/python");
    let args = [
        "test",
        "--workspace",
        "--locked",
        "--no-fail-fast",
        "--",
        "--show-output",
    ];
    let mut cmd = cargo::cargo(ctx)
        .args(args)
        .deadline(CARGO_DEADLINE)
        .env("DRIFTLESS_ORACLE_PYTHON", oracle.display().to_string())
        .env("DRIFTLESS_CLIENTS_PYTHON", clients.display().to_string())
        .env("DRIFTLESS_KFP_PYTHON", kfp.display().to_string());
    // Without the environments (their own checks have failed then) tests say what they leave out.
    let made = |venv: &venv::Venv| Ok::<_, Failure>(matches!(venv.probe(ctx)?, Probe::Done(_)));
    if made(&venv::ORACLE)? && made(&venv::CLIENTS)? && made(&venv::KFP)? {
        cmd = cmd.env("DRIFTLESS_STRICT", "1");
    }
    ctx.report.loud(true);
    let output = ctx.ran(Id::CheckFailed, "run the tests", &cmd);
    ctx.report.loud(false);
    let output = output?;
    let log = ctx.target.join("xtask/cargo-test.log");
    ctx.write(Id::CheckFailed, &log, &output.stdout, 0o644)?;
    let seen = read_cargo_output(&output.stdout);
    let note = format!("{} passed, {} failed", seen.passed, seen.failed.len());
    if output.ok() {
        return Ok(Checked {
            note,
            skipped: seen.skipped,
        });
    }
    let what = if seen.failed.is_empty() {
        "they did not compile or did not end".to_owned()
    } else {
        seen.failed.join(", ")
    };
    Err(Failure::new(Id::CheckFailed, "run the tests")
        .because(format!("{note}: {what}"))
        .next(format!(
            "read {}, mend it, then cargo xtask test",
            ctx.short(&log)
        )))
}
