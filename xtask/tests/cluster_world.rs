//! `up` and what is typed after it, on a scripted cluster whose repository is elsewhere.

mod support;

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use support::{
    DIGEST,
    cluster::{FLAGS, World, head},
    git,
};
use xtask::{
    cmd,
    ctx::Ctx,
    exec::{Executor, Fake, Output},
    failure::{Id, Outcome},
    flags::{self, UpFlags},
    report::Ending,
};

/// Only the context: what else was said is remembered.
const LATER: [&str; 4] = ["--engine", "cluster", "--context", "lab"];

fn up(ctx: &Ctx) -> Vec<(String, Ending)> {
    cmd::up::command(ctx, &UpFlags::default())
        .unwrap_or_else(|failure| panic!("{failure}\n{:?}", failure.detail));
    let lines = ctx.report.lines().into_iter();
    lines.map(|line| (line.name, line.ending)).collect()
}

fn run(ctx: &Ctx, args: &[&str]) -> Outcome<()> {
    let task = flags::parse(["cargo xtask"].iter().chain(args))
        .unwrap()
        .task
        .unwrap();
    cmd::dispatch(ctx, &task)
}

#[test]
fn the_second_up_needs_only_the_context_and_changes_nothing() {
    let world = World::new();
    let fake = Arc::new(world.fake());
    let first = up(&world.ctx(fake.clone(), &FLAGS));
    assert_eq!(
        first
            .iter()
            .filter(|(_, ending)| *ending == Ending::Already)
            .collect::<Vec<_>>()
            .len(),
        // doctor, tools, apps (live at once here) and live.
        4,
        "{first:?}"
    );
    let main = head(&world.far());
    fake.take_changes();

    let second = up(&world.ctx(fake.clone(), &LATER));
    let other: Vec<_> = second
        .iter()
        .filter(|(_, ending)| *ending != Ending::Already)
        .collect();
    assert_eq!(other, [] as [&_; 0]);
    assert_eq!(head(&world.far()), main);
    // Cargo decides what to compile, a registry what it lacks, and the copy of main is renewed.
    let harmless = [" build --locked", "trainer image", " fetch --quiet"];
    let changes = fake.take_changes();
    let harmful = |change: &&String| !harmless.iter().any(|piece| change.contains(piece));
    assert_eq!(
        changes.iter().filter(harmful).collect::<Vec<_>>(),
        [] as [&String; 0]
    );
}

#[test]
fn main_holds_what_only_up_writes() {
    let world = World::new();
    up(&world.ctx(Arc::new(world.fake()), &FLAGS));
    let subjects = git(&world.far(), &["log", "--format=%s", "main"]);
    let expected = "promote(minikube): inference-api m1-0a1b2c3\nbootstrap(minikube): trainer 111111111111\nfor clusters\nfirst";
    assert_eq!(subjects, expected);
    let show = |path: &str| git(&world.far(), &["show", &format!("main:{path}")]);
    let image = show("kustomize/overlays/minikube/training/release/image/kustomization.yaml");
    assert!(
        image.contains("newName: localhost:5000/driftless/trainer"),
        "{image}"
    );
    assert!(image.contains(&format!("digest: \"{DIGEST}\"")), "{image}");
    let settings = show("kustomize/overlays/minikube/training/release/settings/kustomization.yaml");
    for line in [
        "ENVIRONMENT=minikube",
        "GIT_URL=http://git-server.gitops.svc.cluster.local:3000/driftless/driftless.git",
        "IMAGE_REPOSITORY=http://registry.kube-system.svc.cluster.local/driftless",
        "IMAGE_PULL_REPOSITORY=localhost:5000/driftless",
        &format!("BASE_IMAGE=inference-api@{DIGEST}"),
    ] {
        assert!(
            settings.contains(&format!("- {line}\n")) || settings.ends_with(line),
            "{line} in\n{settings}"
        );
    }
}

#[test]
fn a_hosted_repository_is_what_everybody_follows() {
    let world = World::new();
    // A path stands for an address: git takes both.
    let url = world.far().display().to_string();
    let mut globals = world.globals(&FLAGS);
    globals.cluster.git_url = Some(url.clone());
    let clone = world.clone.ctx(Arc::new(world.fake()));
    let ctx = xtask::world::choose(clone, &globals).unwrap().0;
    up(&ctx);
    let show = |path: &str| git(&world.far(), &["show", &format!("main:{path}")]);
    assert!(show("argocd/environments/minikube/settings.yaml").contains(&format!("repository: {url}\n")));
    let component = show("argocd/environments/minikube/git/kustomization.yaml");
    assert!(component.contains("components/hosted-git"), "{component}");
    let settings = show("kustomize/overlays/minikube/training/release/settings/kustomization.yaml");
    assert!(settings.contains(&format!("GIT_URL={url}")), "{settings}");
}

/// One that is not there yet is an empty one until the push says otherwise.
#[test]
fn a_hosted_repository_that_nobody_makes_is_named_by_the_push() {
    let world = World::new();
    let url = world.far().display().to_string();
    std::fs::remove_dir_all(world.far()).unwrap();
    let mut globals = world.globals(&FLAGS);
    globals.cluster.git_url = Some(url);
    let clone = world.clone.ctx(Arc::new(world.fake()));
    let ctx = xtask::world::choose(clone, &globals).unwrap().0;
    let failure = xtask::cmd::up::command(&ctx, &xtask::flags::UpFlags::default()).unwrap_err();
    assert_eq!(failure.attempted, "create main", "{failure:?}");
}

#[test]
fn an_up_that_breaks_anywhere_is_finished_by_the_next() {
    // A piece of each command that changes something on the way, in the order of the steps.
    let pieces = [
        "applied/owner.yaml",
        "applied/crds.yaml",
        "wait crds",
        "applied/argocd.yaml",
        "wait workloads --namespace argocd",
        "applied/namespaces.yaml",
        " secrets",
        "applied/git-server.yaml",
        "wait job",
        "git-credentials",
        "push --quiet",
        "trainer:dev",
        "clone --quiet",
        "applied/root.yaml",
        "applied-root",
    ];
    std::thread::scope(|scope| {
        for piece in pieces {
            scope.spawn(move || breaks_at(piece));
        }
    });
}

fn breaks_at(piece: &'static str) {
    let world = World::new();
    let hit = Arc::new(AtomicBool::new(false));
    let hit_too = Arc::clone(&hit);
    let broken: Fake = world.fake().process(move |cmd| {
        let breaks = cmd.effect == xtask::exec::Effect::Changes && cmd.to_string().contains(piece);
        breaks.then(|| {
            hit_too.store(true, Ordering::Relaxed);
            Ok(Output {
                code: 1,
                stderr: "interrupted".to_owned(),
                ..Output::default()
            })
        })
    });
    let failed = cmd::up::command(&world.ctx(Arc::new(broken), &FLAGS), &UpFlags::default());
    assert!(
        hit.load(Ordering::Relaxed),
        "nothing was run that holds {piece:?}"
    );
    assert!(failed.is_err(), "{piece}");
    up(&world.ctx(Arc::new(world.fake()), &LATER));
    let subjects = git(&world.far(), &["log", "--format=%s", "main"]);
    assert!(
        subjects.starts_with("promote(minikube): inference-api m1-0a1b2c3\n"),
        "{piece}: {subjects}"
    );
    assert_eq!(subjects.matches("bootstrap(").count(), 1, "{piece}: {subjects}");
}

#[test]
fn a_new_commit_is_merged_with_what_the_robot_pushed() {
    let world = World::new();
    let fake = Arc::new(world.fake());
    up(&world.ctx(fake.clone(), &FLAGS));
    world.clone.put("docs/a.md", "a");
    let commit = world.clone.commit("second");
    up(&world.ctx(fake.clone(), &LATER));
    let log = git(&world.far(), &["log", "--format=%H %s", "main"]);
    assert!(
        log.contains(&commit) && log.contains("promote(minikube)"),
        "{log}"
    );
    // The other side changed the same line meanwhile.
    world.clone.put("docs/a.md", "b");
    world
        .clone
        .git(&["commit", "--quiet", "--all", "--amend", "--message", "other"]);
    let failure = cmd::up::command(&world.ctx(fake, &LATER), &UpFlags::default()).unwrap_err();
    assert_eq!(failure.id, Id::GitDiverged, "{failure}");
    assert!(
        failure.next.contains(&world.far().display().to_string()),
        "{failure}"
    );
}

#[test]
fn rollback_promote_and_open_work_on_a_cluster() {
    let world = World::new();
    let fake = Arc::new(world.fake());
    up(&world.ctx(fake.clone(), &FLAGS));
    support::promote_in(&world.far(), "minikube", 2, "0a1b2c3");
    let ctx = world.ctx(fake.clone(), &LATER);
    let released = || {
        git(
            &world.far(),
            &["show", &format!("main:{}", support::release("minikube"))],
        )
    };
    run(&ctx, &["rollback"]).unwrap();
    assert!(released().contains("m1-"));
    run(&ctx, &["promote", "--tag", "m2-0a1b2c3"]).unwrap();
    assert!(released().contains("m2-"));
    fake.take_printed();
    for page in ["mlflow", "api", "git", "argocd"] {
        run(&ctx, &["open", page]).unwrap();
    }
    let far = world.far().display().to_string();
    assert_eq!(
        fake.take_printed(),
        [
            "http://127.0.0.1/mlflow",
            "http://127.0.0.1/inference-api/docs",
            far.trim_end_matches(".git"),
            "argocd admin dashboard --core --namespace argocd --kube-context lab",
        ]
    );
}

#[test]
fn the_bridge_is_started_by_whoever_needs_it() {
    let world = World::new();
    let fake = Arc::new(world.fake());
    up(&world.ctx(fake.clone(), &FLAGS));
    world.engine.world().running = false;
    fake.take_changes();
    run(&world.ctx(fake.clone(), &LATER), &["status"]).unwrap();
    let changes = fake.take_changes();
    assert!(
        changes
            .iter()
            .any(|change| change.contains("driftless-cluster --context lab serve")),
        "{changes:?}"
    );
    // Where `up` was never run there is nothing to bridge to.
    let other = World::new();
    let failure = run(&other.ctx(Arc::new(other.fake()), &FLAGS), &["status"]).unwrap_err();
    assert_eq!(failure.id, Id::EngineNotRunning);
    assert_eq!(failure.next, "cargo xtask up --engine cluster --context lab");
}

#[test]
fn down_removes_what_up_brought_and_nothing_else() {
    let world = World::new();
    world.holds.lock().unwrap().namespaces = vec!["default".into(), "observability".into()];
    let fake = Arc::new(world.fake());
    up(&world.ctx(fake.clone(), &FLAGS));
    fake.take_changes();
    run(&world.ctx(fake.clone(), &LATER), &["down", "--yes"]).unwrap();
    let changes = fake.take_changes();
    let namespaces: Vec<_> = changes
        .iter()
        .filter(|change| change.contains("delete namespace"))
        .collect();
    assert!(
        namespaces
            .iter()
            .any(|change| change.contains("serving training kubeflow gitops")),
        "{changes:?}"
    );
    assert!(
        !namespaces.iter().any(|change| change.contains("observability")),
        "{changes:?}"
    );
    assert!(world.state().exists(), "only --purge removes the state folder");
    // Once more: there is nothing left.
    let ctx = world.ctx(fake.clone(), &LATER);
    run(&ctx, &["down", "--purge", "--yes"]).unwrap();
    assert_eq!(ctx.report.lines()[0].ending, Ending::Already);
    assert!(!world.state().exists());
}

#[test]
fn an_argo_cd_that_is_there_is_neither_replaced_nor_removed() {
    let world = World::new();
    world.holds.lock().unwrap().inspection = Some(serde_json::json!({"argocd":
        {"installed": true, "version": "v3.2.1", "ours": false, "application_crd": true}}));
    let fake = Arc::new(world.fake());
    let lines = up(&world.ctx(fake.clone(), &FLAGS));
    let ending = |name: &str| lines.iter().find(|(step, _)| step == name).unwrap().1;
    assert_eq!(["crds", "argocd"].map(ending), [Ending::Already; 2]);
    run(&world.ctx(fake.clone(), &LATER), &["down", "--yes"]).unwrap();
    let removed: Vec<_> = fake.take_changes();
    assert!(
        !removed
            .iter()
            .any(|change| change.contains("delete namespace argocd") || change.contains("delete --filename")),
        "{removed:?}"
    );
}

#[test]
fn the_same_source_gives_the_same_images_or_it_is_told() {
    let world = World::new();
    let cleans = || world.fake().says("cargo", &["clean"], 0, "", "");
    let fake = Arc::new(cleans());
    run(&world.clone.ctx(fake.clone()), &["images", "--twice"]).unwrap();
    let changes = fake.take_changes();
    assert!(
        changes
            .iter()
            .any(|change| change.contains("cargo clean --release")),
        "{changes:?}"
    );
    // A build that depends on the moment.
    let other = cleans().process(|cmd| {
        let second = cmd.starts_with("trainer", &["image"]) && cmd.to_string().contains("work/second");
        second.then(|| {
            Ok(Output {
                stdout: format!("{{\"digest\":\"sha256:{}\"}}", "2".repeat(64)),
                ..Output::default()
            })
        })
    });
    let failure = run(&world.clone.ctx(Arc::new(other)), &["images", "--twice"]).unwrap_err();
    assert_eq!(failure.id, Id::CheckFailed);
}

#[test]
fn credentials_never_show() {
    let world = World::new();
    let fake = Arc::new(world.fake());
    up(&world.ctx(fake.clone(), &FLAGS));
    let kept = fs::read_to_string(world.state().join("git-credentials")).unwrap();
    assert!(kept.contains("secret"));
    let remembered = fs::read_to_string(world.state().join("cluster.json")).unwrap();
    assert!(!remembered.contains("secret"), "{remembered}");
    let shown = fake.take_changes().join("\n");
    assert!(
        !shown.contains("secret\n") && !shown.contains(":secret@"),
        "{shown}"
    );
    assert!(fake.find("kubectl").is_some());
}
