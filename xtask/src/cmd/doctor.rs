//! `doctor`: what this machine lacks, before anything is changed.

mod kubernetes;

use crate::{
    ctx::Ctx,
    exec::{Cmd, Request},
    failure::{Failure, Id, Outcome},
    pins,
    report::{Ending, Line},
    step::{Acted, Deadline, Probe},
    tools, venv,
    world::Keeper,
};
use std::{path::Path, time::Instant};

/// Marks a state folder as ours.
pub const MARKER: &str = ".driftless-state";

/// One thing to look at.
#[derive(Clone, Copy)]
pub struct Check {
    name: &'static str,
    run: fn(&Ctx) -> Outcome<String>,
}

/// Whatever the engine is.
const EVERYWHERE: &[Check] = &[
    Check {
        name: "platform",
        run: |_| tools::check_platform(std::env::consts::OS, std::env::consts::ARCH),
    },
    Check {
        name: "git",
        run: |ctx| tools::check(ctx, &tools::GIT),
    },
    Check {
        name: "linker",
        run: |ctx| tools::check(ctx, &tools::CC),
    },
    Check {
        name: "memory",
        run: memory,
    },
    Check {
        name: "disk",
        run: disk,
    },
    Check {
        name: "state",
        run: state,
    },
];

/// For MLflow and the API on this machine. Forwarded ports of a cluster give way.
const LOCAL: &[Check] = &[
    Check {
        name: "python",
        run: python,
    },
    Check {
        name: "ports",
        run: ports,
    },
];

/// What is looked at before anything is changed.
fn checks(ctx: &Ctx) -> impl Iterator<Item = &'static Check> {
    let more = match ctx.cluster.as_ref().map(|cluster| cluster.engine) {
        None => LOCAL,
        Some(Keeper::Minikube) => kubernetes::BEFORE_MINIKUBE,
        Some(Keeper::Cluster) => kubernetes::BEFORE,
    };
    EVERYWHERE.iter().chain(more)
}

/// Prints every check, then fails with the first that failed.
///
/// # Errors
/// The first failure.
pub fn command(ctx: &Ctx) -> Outcome<()> {
    let mut first = Ok(());
    let mut all = Vec::new();
    let running = running(ctx);
    let more = match (&ctx.cluster, running) {
        (Some(_), _) => kubernetes::CLUSTER,
        (None, true) => SERVICES,
        (None, false) => &[],
    };
    for check in checks(ctx).chain(more) {
        let start = Instant::now();
        let result = (check.run)(ctx);
        let (ending, note) = match &result {
            Ok(note) => (Ending::Done, note.clone()),
            Err(failure) => (
                Ending::Failed,
                format!("{}: {}", failure.id.text(), failure.causes.join(": ")),
            ),
        };
        let line = Line {
            name: check.name.to_owned(),
            ending,
            seconds: start.elapsed().as_secs_f64(),
            note,
        };
        ctx.report.end(line.clone());
        all.push(line);
        first = first.and(result.map(drop).map_err(|failure| failure.in_step(check.name)));
    }
    if running && ctx.cluster.is_some() && !ctx.exec.pretends() {
        for (line, result) in kubernetes::after(ctx)? {
            ctx.report.end(line.clone());
            all.push(line);
            first = first.and(result);
        }
    }
    if ctx.json {
        ctx.result(&serde_json::json!({ "checks": all }).to_string());
    }
    first
}

/// As the first step of `up`: silent about what is right.
///
/// # Errors
/// Never; the looking is in [`act`].
pub fn probe(_: &Ctx) -> Outcome<Probe> {
    Ok(Probe::CannotTell)
}

/// All checks, the first failure counts.
///
/// # Errors
/// The first failure.
pub fn act(ctx: &Ctx, _: Deadline) -> Outcome<Acted> {
    let found = checks(ctx)
        .map(|check| (check.run)(ctx))
        .collect::<Outcome<Vec<_>>>()?;
    Acted::nothing(
        found
            .into_iter()
            .filter(|note| !note.is_empty())
            .collect::<Vec<_>>()
            .join(", "),
    )
}

fn running(ctx: &Ctx) -> bool {
    ctx.exec
        .engine(&ctx.state)
        .is_ok_and(|engine| engine.status().is_ok())
}

fn python(ctx: &Ctx) -> Outcome<String> {
    // Once the environment is made, it brings its own interpreter.
    if let Probe::Done(_) = venv::MLFLOW.probe(ctx)? {
        return Ok("python as locked".to_owned());
    }
    python_for_venvs(ctx)
}

fn python_for_venvs(ctx: &Ctx) -> Outcome<String> {
    let found = tools::check(ctx, &tools::PYTHON)?;
    let ask = Cmd::reads("python3").args(["-c", "import ensurepip, venv"]);
    ctx.must(Id::PythonWithoutVenv, "make Python environments", &ask)?;
    Ok(found)
}

fn memory(ctx: &Ctx) -> Outcome<String> {
    if running(ctx) {
        return Ok(String::new());
    }
    let Some((needed, instead)) = kubernetes::memory_needed(ctx) else {
        return Ok(String::new());
    };
    let text = ctx.read_text(Path::new("/proc/meminfo")).unwrap_or_default();
    let available_mib = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok())
        .map(|kib| kib / 1024);
    match available_mib {
        Some(mib) if mib < needed => Err(Failure::new(Id::MachineTooSmall, "check the memory")
            .because(format!("{mib} MiB are available, needed are {needed}{instead}"))),
        Some(mib) => Ok(format!("{:.1} GiB of memory", mib as f64 / 1024.0)),
        None => Ok(String::new()),
    }
}

fn disk(ctx: &Ctx) -> Outcome<String> {
    // Once everything is built, little more is written.
    let built = match ctx.binary("driftless-engine").exists() {
        true => 0,
        false => pins::DISK_MIN_MIB,
    };
    let node = kubernetes::disk_needed_mib(ctx);
    let needed = built + node;
    if needed == 0 {
        return Ok(String::new());
    }
    let df = Cmd::reads("df")
        .args(["--portability", "--block-size=1M"])
        .path(&ctx.root);
    let Some(output) = ctx.exec.run(&df).ok().filter(|output| output.ok()) else {
        return Ok(String::new());
    };
    let free_mib = output
        .stdout
        .lines()
        .nth(1)
        .and_then(|line| line.split_whitespace().nth(3)?.parse::<u64>().ok());
    match free_mib {
        Some(mib) if mib < needed => Err(Failure::new(Id::MachineTooSmall, "check the disk")
            .because(format!("{mib} MiB are free, needed are {needed}"))),
        Some(mib) => Ok(format!("{:.0} GiB of disk", mib as f64 / 1024.0)),
        None => Ok(String::new()),
    }
}

/// The state folder is absent, empty, or ours.
///
/// # Errors
/// `state-not-ours`.
pub fn state(ctx: &Ctx) -> Outcome<String> {
    let ours = ctx.state.join(MARKER).is_file();
    let empty = std::fs::read_dir(&ctx.state).map_or(true, |mut entries| entries.next().is_none());
    if ours || (empty && !ctx.state.is_file()) {
        return Ok(String::new());
    }
    Err(Failure::new(
        Id::StateNotOurs,
        format!("use {} as the state folder", ctx.short(&ctx.state)),
    )
    .because(format!("it is not empty and holds no {MARKER}")))
}

fn ports(ctx: &Ctx) -> Outcome<String> {
    if running(ctx) {
        return Ok("engine running".to_owned());
    }
    for (app, port) in [("inference-api", pins::API_PORT), ("mlflow", pins::MLFLOW_PORT)] {
        let port = port + ctx.port_offset;
        // What an engine that was killed left behind listens there too; the next one takes it over.
        if !ctx.exec.port_is_free(port) && !ctx.state.join("engine/state.json").exists() {
            return Err(Failure::new(Id::PortTaken, format!("keep port {port} for {app}"))
                .because(format!("another program listens on 127.0.0.1:{port}")));
        }
    }
    Ok("ports free".to_owned())
}

/// Once the engine runs, also what it runs.
const SERVICES: &[Check] = &[
    Check {
        name: "mlflow",
        run: |ctx| service(ctx, "mlflow", Id::MlflowUnreachable),
    },
    Check {
        name: "api",
        run: |ctx| service(ctx, "inference-api", Id::ApiUnreachable),
    },
];

fn service(ctx: &Ctx, app: &str, id: Id) -> Outcome<String> {
    let attempted = format!("reach {app}");
    let address = ctx
        .engine()?
        .address(app)
        .map_err(|error| Failure::new(id, attempted.clone()).because(error))?;
    let url = format!("{address}/health");
    match ctx.exec.http(&Request::get(&url)) {
        Ok(answer) if answer.ok() => Ok(format!("{url} answers")),
        Ok(answer) => Err(Failure::new(id, attempted).because(format!("{url}: HTTP {}", answer.status))),
        Err(cause) => Err(Failure::new(id, attempted).because(format!("{url}: {cause}"))),
    }
}
