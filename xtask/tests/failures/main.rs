//! Every id of the catalogue, provoked by the world that it is about.

mod cluster;
#[path = "../support/mod.rs"]
mod support;

use std::{collections::BTreeSet, fs, sync::Arc};
use support::{Clone, git, promote, running};
use xtask::{
    cmd::{self, demo, doctor, up},
    ctx::{self, Ctx},
    exec::{Answer, ExecError, Fake, FakeEngine, Output},
    failure::{Failure, Id, Outcome},
    flags::{self, UpFlags},
    step::Deadline,
    tools,
};

fn run(clone: &Clone, world: Fake, args: &[&str]) -> Failure {
    run_in(&clone.ctx(Arc::new(world)), args)
}

fn run_in(ctx: &Ctx, args: &[&str]) -> Failure {
    let task = flags::parse(["cargo xtask"].iter().chain(args))
        .unwrap()
        .task
        .unwrap();
    failed(cmd::dispatch(ctx, &task))
}

fn failed(outcome: Outcome<()>) -> Failure {
    outcome.expect_err("the world was broken, and yet the command succeeded")
}

/// `train` in a world whose trainer ends so.
fn trained(code: i32, stdout: &'static str) -> Failure {
    let clone = Clone::new();
    let world = running(&clone);
    world.engine_handle().world().on_start =
        Box::new(move |template, _| Ok(FakeEngine::ended(template, code, stdout)));
    run(&clone, world, &["train"])
}

fn up_with(change: impl FnOnce(Fake) -> Fake) -> Failure {
    let clone = Clone::new();
    let world = change(clone.world());
    run(&clone, world, &["up"])
}

fn git_repository(change: impl FnOnce(&Clone)) -> Failure {
    let clone = Clone::new();
    change(&clone);
    run(&clone, clone.world(), &["up"])
}

fn diverged() -> Failure {
    let clone = Clone::new();
    clone.put("docs/a.md", "one");
    clone.commit("second");
    let world = running(&clone);
    // An amended commit: both histories now write the same line.
    clone.put("docs/a.md", "two");
    clone.git(&["commit", "--quiet", "--all", "--amend", "--message", "other"]);
    run(&clone, world, &["up"])
}

fn moved() -> Failure {
    let clone = Clone::new();
    let world = running(&clone);
    promote(&clone.bare(), 2, "0a1b2c3");
    // Somebody is always faster.
    let refuse = |cmd: &xtask::exec::Cmd| cmd.args.iter().any(|arg| arg == "push");
    let said = " ! [rejected] HEAD -> main (fetch first)";
    let world = world.process(move |cmd| {
        refuse(cmd).then(|| {
            Ok(Output {
                code: 1,
                stderr: said.to_owned(),
                ..Output::default()
            })
        })
    });
    run(&clone, world, &["rollback"])
}

fn degraded() -> Failure {
    let clone = Clone::new();
    let world = running(&clone);
    promote(&clone.bare(), 2, "0a1b2c3");
    let bare = clone.bare();
    world.engine_handle().world().look = Box::new(move |status| {
        support::look(status, &bare);
        status.apps[1].health = engine::Health::Degraded;
        status.apps[1].sync = engine::Sync::OutOfSync;
        let message = "did not start\nlast line of its log".to_owned();
        status.apps[1].conditions = vec![engine::Condition {
            kind: "DegradedRelease".into(),
            message,
        }];
    });
    run(&clone, world, &["rollback"])
}

/// Nothing becomes live: the deadline passes at once.
fn never_live() -> Failure {
    let clone = Clone::new();
    let world = running(&clone);
    let ctx = clone.ctx(Arc::new(world));
    let engine = ctx.engine().unwrap();
    let deadline = Deadline::after(std::time::Duration::ZERO);
    cmd::status::wait_live(&ctx, engine.as_ref(), "no such commit", deadline)
        .unwrap_err()
        .in_step("live")
}

fn endless_run() -> Failure {
    let clone = Clone::new();
    let world = running(&clone);
    let ctx = clone.ctx(Arc::new(world));
    let engine = ctx.engine().unwrap();
    let mut run = FakeEngine::ended("training", 0, "");
    run.phase = engine::RunPhase::Running;
    let fake = ctx_engine_with(run);
    let deadline = Deadline::after(std::time::Duration::ZERO);
    drop(engine);
    cmd::train::finish(&ctx, &fake, "training-1", deadline)
        .unwrap_err()
        .in_step("train")
}

fn ctx_engine_with(run: engine::Run) -> FakeEngine {
    let engine = FakeEngine::default();
    engine.world().status.runs.push(run);
    engine
}

fn unwritable() -> Failure {
    let clone = Clone::new();
    // Where the data folder should be lies a file.
    clone.put(".driftless/.driftless-state", "");
    clone.put(".driftless/data", "");
    run(&clone, clone.world(), &["up"])
}

fn disk_full() -> Failure {
    let error = "OSError: [Errno 28] No space left on device";
    up_with(|world| world.says("pip", &["install"], 1, "", error))
}

fn in_use() -> Failure {
    let clone = Clone::new();
    let ctx = clone.ctx(Arc::new(clone.world()));
    let _held = up::lock(&ctx).unwrap();
    run(&clone, clone.world(), &["up"])
}

fn broken_promise() -> Failure {
    let clone = Clone::new();
    let world = running(&clone).exchange(|request| {
        let body = if request.url.ends_with("/drift/status") {
            r#"{"drift_detected":true,"features":{}}"#
        } else if request.url.ends_with("/model/info") {
            r#"{"name":"m","model_version":"1","task":"classification","algorithm":"random-forest",
                "features":[{"name":"a","dtype":"float64","min":0,"max":2}],"digests":{"model":"sha256:00"},
                "dataset":{"digest":"d","target":"species","files":[],"rows":1,"holdout_rows":0},
                "drift_reference_sources":["batch-0001.csv"]}"#
        } else {
            "{}"
        };
        Some(Ok(Answer {
            status: 200,
            body: body.to_owned(),
        }))
    });
    let ctx = clone.ctx(Arc::new(world));
    demo::command(&ctx).unwrap_err().in_step("demo")
}

/// What provokes an id.
fn provoke(id: Id) -> Failure {
    let pip = |code, err: &'static str| up_with(move |world| world.says("pip", &["install"], code, "", err));
    match id {
        Id::GitUncommitted => unreachable!("a warning; see its own test"),
        Id::NotAClone => ctx::find_root(std::path::Path::new("/")).unwrap_err(),
        Id::StateNotOurs => git_repository(|clone| clone.put(".driftless/precious.txt", "x")),
        Id::StateInUse => in_use(),
        Id::NothingToRollBack => {
            let clone = Clone::new();
            run(&clone, running(&clone), &["rollback"])
        }
        Id::UnknownRelease => {
            let clone = Clone::new();
            run(&clone, running(&clone), &["promote", "--tag", "m9-0a1b2c3"])
        }
        Id::DataRefused => trained(10, r#"{"reason":"row 3, column a: \"x\" is no number"}"#),
        Id::TrainerLocked => trained(14, ""),
        Id::StateUnwritable => unwritable(),
        Id::ToolMissing => up_with(|world| world.without("cc")),
        Id::ToolTooOld => up_with(|world| world.says("git", &["--version"], 0, "git version 2.20.1", "")),
        Id::PythonWithoutVenv => {
            up_with(|world| world.says("python3", &["-c"], 1, "", "No module named ensurepip"))
        }
        Id::MachineTooSmall => up_with(|world| world.file("/proc/meminfo", "MemAvailable: 500000 kB\n")),
        Id::PortTaken => up_with(|world| world.taken_port(30080)),
        Id::PlatformUnsupported => tools::check_platform("macos", "aarch64")
            .unwrap_err()
            .in_step("doctor"),
        Id::DiskFull => disk_full(),
        Id::EngineNotRunning => {
            let clone = Clone::new();
            run(&clone, clone.world(), &["status"])
        }
        Id::EngineDidNotStart => up_with(|world| {
            world.process(|cmd| {
                cmd.starts_with("driftless-engine", &[])
                    .then(|| Err(ExecError::NotFound(cmd.program.clone())))
            })
        }),
        Id::AppDegraded => degraded(),
        Id::DeadlinePassed => endless_run(),
        Id::RunFailed => trained(101, ""),
        Id::EngineRefused => {
            let clone = Clone::new();
            run(&clone, running(&clone), &["logs", "nobody"])
        }
        Id::DownloadFailed => pip(1, "Temporary failure in name resolution"),
        Id::ImageStore => {
            up_with(|world| world.says("trainer", &["image"], 41, "", "cannot write index.json"))
        }
        Id::MlflowUnreachable => trained(40, r#"{"reason":"MLflow does not answer"}"#),
        Id::ApiUnreachable => {
            let clone = Clone::new();
            let refuse = |request: &xtask::exec::Request| {
                request.url.ends_with("/predict").then(|| Err("refused".into()))
            };
            let world = running(&clone).exchange(refuse);
            run(&clone, world, &["up"])
        }
        Id::PackageHashMismatch => pip(1, "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES"),
        Id::PythonPackages => pip(1, "something else"),
        Id::BuildFailed => {
            up_with(|world| world.says("cargo", &["build"], 101, "", "error[E0308]: mismatched types"))
        }
        Id::GitDetachedHead => git_repository(|clone| drop(clone.git(&["checkout", "--quiet", "--detach"]))),
        Id::GitNoCommits => git_repository(|clone| {
            fs::remove_dir_all(clone.root().join(".git")).unwrap();
            clone.git(&["init", "--quiet", "--initial-branch=main"]);
        }),
        Id::GitDiverged => diverged(),
        Id::GitMoved => moved(),
        Id::GitFailed => git_repository(|clone| fs::remove_dir_all(clone.root().join(".git")).unwrap()),
        Id::NotLive => never_live(),
        Id::RenderFailed => {
            let clone = Clone::new();
            let world = clone
                .world()
                .says("kustomize", &["build"], 1, "", "Error: no such file");
            run(&clone, world, &["render"])
        }
        Id::CheckFailed => {
            let clone = Clone::new();
            let world = clone.world().says("bench", &[], 1, "", "");
            run(&clone, world, &["bench", "serve"])
        }
        Id::PromiseBroken => broken_promise(),
        Id::GateRefused => trained(12, r#"{"reasons":["accuracy 0.5 is below 0.9"]}"#),
        Id::NothingNew => trained(11, r#"{"reason":"nothing new to learn from"}"#),
        of_clusters => cluster::provoke(of_clusters).expect("every id is provoked here or there"),
    }
}

#[test]
fn every_failure_is_provoked_and_says_what_to_do() {
    let ids: Vec<Id> = Id::ALL.iter().copied().filter(|id| id.exit_code() != 0).collect();
    // Each world is a handful of git processes: mostly waiting, so side by side.
    let mut seen = BTreeSet::new();
    std::thread::scope(|scope| {
        let threads: Vec<_> = ids
            .chunks(ids.len().div_ceil(8))
            .map(|ids| scope.spawn(|| check(ids)))
            .collect();
        for thread in threads {
            seen.extend(
                thread
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            );
        }
    });
    assert_eq!(seen.len(), Id::ALL.len() - 1);
}

fn check(ids: &[Id]) -> Vec<Id> {
    for id in ids {
        let failure = provoke(*id);
        assert_eq!(failure.id, *id, "{failure}");
        let lines = failure.lines();
        assert!(
            lines.iter().all(|line| !line.contains('\n') && line.len() > 10),
            "{failure}"
        );
        assert!(!failure.step.is_empty(), "{failure}");
        assert!(!failure.causes.is_empty(), "{failure}");
        assert!(failure.next.len() > 5, "{failure}");
    }
    ids.to_vec()
}

#[test]
fn uncommitted_changes_are_a_warning_only() {
    let clone = Clone::new();
    let world = Arc::new(clone.world());
    clone.put("docs/a.md", "not committed");
    up::command(&clone.ctx(world), &UpFlags::default()).unwrap();
    assert!(!git(&clone.bare(), &["ls-tree", "-r", "--name-only", "main"]).contains("docs/a.md"));
}

#[test]
fn reasons_and_last_log_lines_are_told() {
    let failure = trained(
        12,
        r#"{"reasons":["accuracy 0.5 is below 0.9","schema changed"]}"#,
    );
    assert_eq!(failure.causes[1], "accuracy 0.5 is below 0.9; schema changed");
    assert_eq!(failure.detail, ["last line of the run"]);
    let failure = degraded();
    assert_eq!(failure.detail, ["did not start", "last line of its log"]);
}

#[test]
fn a_detached_head_is_published_where_asked() {
    let clone = Clone::new();
    clone.git(&["checkout", "--quiet", "--detach"]);
    let mut ctx = clone.ctx(Arc::new(clone.world()));
    ctx.any_head = true;
    up::command(&ctx, &UpFlags::default()).unwrap();
}

#[test]
fn doctor_says_all_before_it_fails() {
    let clone = Clone::new();
    let world = clone.world().without("cc").taken_port(30500).without("python3");
    let ctx = clone.ctx(Arc::new(world));
    let failure = failed(doctor::command(&ctx));
    assert_eq!((failure.id, failure.step.as_str()), (Id::ToolMissing, "linker"));
    let bad: Vec<_> = ctx
        .report
        .lines()
        .into_iter()
        .filter(|line| line.note.contains(':'))
        .map(|line| line.name)
        .collect();
    assert_eq!(bad, ["linker", "python", "ports"]);
}
