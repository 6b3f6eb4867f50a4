//! What is installed: typed, kept, switched, and what each brings along.

mod support;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use support::{
    cluster::{FLAGS, World, head},
    git,
};
use xtask::{
    cmd,
    ctx::Ctx,
    exec::{Effect, Fake, Output},
    failure::{Failure, Id},
    flags::{self, UpFlags},
    report::Ending,
};

const LATER: [&str; 4] = ["--engine", "cluster", "--context", "lab"];
const TRIGGER: &str = "kustomize/overlays/minikube/drift-monitor/profile/kustomization.yaml";
const APPS: &str = "argocd/environments/minikube/profile/kustomization.yaml";

fn with<'a>(flags: &[&'a str], profile: &'a str) -> Vec<&'a str> {
    [flags, &["--profile", profile]].concat()
}

fn up(ctx: &Ctx) -> Vec<(String, Ending)> {
    cmd::up::command(ctx, &UpFlags::default())
        .unwrap_or_else(|failure| panic!("{failure}\n{:?}", failure.detail));
    let lines = ctx.report.lines().into_iter();
    lines.map(|line| (line.name, line.ending)).collect()
}

/// What `main` says.
fn said(world: &World) -> &'static str {
    let show = |path: &str| git(&world.far(), &["show", &format!("main:{path}")]);
    let (apps, trigger) = (show(APPS), show(TRIGGER));
    match (
        apps.contains("components/lite"),
        trigger.contains("pipeline-trigger"),
    ) {
        (true, false) => "lite",
        (false, true) => "full",
        _ => panic!("{apps}\n{trigger}"),
    }
}

fn bootstraps(world: &World) -> usize {
    git(&world.far(), &["log", "--format=%s", "main"])
        .matches("bootstrap(")
        .count()
}

/// Runs `up`; what it changed.
fn changes(world: &World, flags: &[&str]) -> Vec<String> {
    let fake = Arc::new(world.fake());
    up(&world.ctx(fake.clone(), flags));
    fake.take_changes()
}

fn has(changes: &[String], piece: &str) -> bool {
    changes.iter().any(|change| change.contains(piece))
}

#[test]
fn somebody_elses_cluster_is_lite_until_it_is_told_otherwise() {
    let world = World::new();
    let first = changes(&world, &FLAGS);
    assert_eq!(said(&world), "lite");
    assert!(!has(&first, "--pipelines") && !has(&first, "data copy"));
    // Switched: Secrets, batches, and one commit with both files.
    let full = changes(&world, &with(&LATER, "full"));
    assert_eq!((said(&world), bootstraps(&world)), ("full", 2));
    assert!(
        has(&full, "driftless-cluster --context lab secrets --pipelines"),
        "{full:?}"
    );
    let there = changes(&world, &with(&LATER, "full"));
    assert!(
        !has(&there, "secrets") && !has(&there, "applied-profile"),
        "{there:?}"
    );
    // Without the flag what is there is kept, and nothing is done.
    let fake = Arc::new(world.fake());
    let main = head(&world.far());
    let lines = up(&world.ctx(fake.clone(), &LATER));
    assert!(
        lines.iter().all(|(_, ending)| *ending == Ending::Already),
        "{lines:?}"
    );
    assert_eq!(head(&world.far()), main);
    // And back.
    let lite = changes(&world, &with(&LATER, "lite"));
    assert!(!has(&lite, "--pipelines"), "{lite:?}");
    assert_eq!((said(&world), bootstraps(&world)), ("lite", 3));
    changes(&world, &LATER);
    assert_eq!((said(&world), bootstraps(&world)), ("lite", 3));
}

#[test]
fn another_machine_keeps_what_is_there() {
    let world = World::new();
    changes(&world, &with(&FLAGS, "full"));
    std::fs::remove_dir_all(world.state()).unwrap();
    changes(&world, &FLAGS);
    assert_eq!((said(&world), bootstraps(&world)), ("full", 1));
    // One that was once told `lite` too: what is there counts more than what was typed on this machine before.
    let remembered = world.state().join("cluster.json");
    let text = std::fs::read_to_string(&remembered).unwrap();
    let other = text.replacen('{', "{\n  \"profile\": \"lite\",", 1);
    std::fs::write(&remembered, other).unwrap();
    changes(&world, &LATER);
    assert_eq!(said(&world), "full");
}

#[test]
fn what_was_typed_survives_an_up_that_breaks() {
    for piece in [
        "applied/owner.yaml",
        " secrets",
        "clone --quiet",
        "applied-profile",
    ] {
        let world = World::new();
        let broken: Fake = world.fake().process(move |cmd| {
            let breaks = cmd.effect == Effect::Changes && cmd.to_string().contains(piece);
            breaks.then(|| {
                Ok(Output {
                    code: 1,
                    stderr: "interrupted".to_owned(),
                    ..Output::default()
                })
            })
        });
        let ctx = world.ctx(Arc::new(broken), &with(&FLAGS, "full"));
        cmd::up::command(&ctx, &UpFlags::default()).unwrap_err();
        let next = changes(&world, &LATER);
        assert_eq!(said(&world), "full", "{piece}");
        assert_eq!(bootstraps(&world), 1, "{piece}");
        assert!(has(&next, "applied-profile=full"), "{piece}: {next:?}");
    }
}

#[test]
fn minikube_is_full_and_as_large_as_that_needs() {
    for (profile, memory) in [
        (None, "6144mb"),
        (Some("full"), "6144mb"),
        (Some("lite"), "4096mb"),
    ] {
        let world = World::new();
        let minikube = ["--engine", "minikube"];
        let flags = profile.map_or(minikube.to_vec(), |profile| with(&minikube, profile));
        let fake = Arc::new(world.fake());
        up(&world.ctx(fake.clone(), &flags));
        let all = fake.take_changes();
        assert!(has(&all, &format!("--memory {memory}")), "{all:?}");
        assert_eq!(has(&all, "--pipelines"), memory == "6144mb");
        assert_eq!(said(&world), profile.unwrap_or("full"));
    }
}

/// Batches that pipelines do not find are brought over, and only then.
#[test]
fn batches_are_copied_where_pipelines_lack_them() {
    let world = World::new();
    changes(&world, &with(&FLAGS, "full"));
    let copies = Arc::new(AtomicUsize::new(0));
    let counted = copies.clone();
    let lacking = world.fake().process(move |cmd| {
        let text = cmd.to_string();
        if text.contains("data copy --check") {
            let copied = counted.load(Ordering::Relaxed) > 0;
            return Some(Ok(Output {
                stdout: format!("{{\"copied\":{copied}}}"),
                ..Output::default()
            }));
        }
        if text.contains("data copy") {
            counted.fetch_add(1, Ordering::Relaxed);
        }
        None
    });
    let lines = up(&world.ctx(Arc::new(lacking), &LATER));
    assert!(lines.contains(&("data".to_owned(), Ending::Done)), "{lines:?}");
    assert_eq!(copies.load(Ordering::Relaxed), 1);
}

fn too_small(flags: &[&str], allocatable: u64) -> Failure {
    let world = World::new();
    world.holds.lock().unwrap().inspection = Some(serde_json::json!({"nodes": [
        {"name": "one", "ready": true, "memory_allocatable_mib": allocatable, "requested_memory_mib": 300}]}));
    let ctx = world.ctx(Arc::new(world.fake()), flags);
    cmd::up::command(&ctx, &UpFlags::default()).unwrap_err()
}

#[test]
fn too_little_memory_is_found_before_anything_is_changed() {
    let failure = too_small(&with(&FLAGS, "full"), 2600);
    assert_eq!(
        (failure.id, failure.step.as_str()),
        (Id::ClusterTooSmall, "cluster")
    );
    let without = |line: &String| line.contains("--profile lite");
    assert!(failure.detail.iter().any(without), "{:?}", failure.detail);
    let failure = too_small(&["--engine", "minikube"], 4000);
    assert_eq!(failure.id, Id::ClusterTooSmall);
    assert!(failure.causes[0].contains("5120"), "{failure}");
    let machine = World::new();
    let fake = machine.fake().file("/proc/meminfo", "MemAvailable: 5000000 kB\n");
    let ctx = machine.ctx(Arc::new(fake), &["--engine", "minikube"]);
    let failure = cmd::up::command(&ctx, &UpFlags::default()).unwrap_err();
    assert_eq!(failure.id, Id::MachineTooSmall);
    assert!(failure.causes[0].contains("--profile lite"), "{failure}");
}

#[test]
fn the_page_is_there_with_the_profile_that_has_it() {
    let open = |ctx: &Ctx| {
        let task = flags::parse(["cargo xtask", "open", "pipelines"])
            .unwrap()
            .task
            .unwrap();
        cmd::dispatch(ctx, &task)
    };
    let world = World::new();
    let fake = Arc::new(world.fake());
    up(&world.ctx(fake.clone(), &with(&FLAGS, "full")));
    let ending = fake.take_printed().join("\n");
    assert!(
        ending.contains("\n  Pipelines      http://127.0.0.1/kubeflow-pipelines\n"),
        "{ending}"
    );
    open(&world.ctx(fake.clone(), &LATER)).unwrap();
    assert_eq!(fake.take_printed(), ["http://127.0.0.1/kubeflow-pipelines"]);
    cmd::dispatch(&world.ctx(fake.clone(), &LATER), &flags::Task::Status).unwrap();
    let status = fake.take_printed().join("\n");
    assert!(status.contains("\nkubeflow-pipelines "), "{status}");

    up(&world.ctx(fake.clone(), &with(&LATER, "lite")));
    assert!(!fake.take_printed().join("\n").contains("Pipelines"));
    let failure = open(&world.ctx(fake, &LATER)).unwrap_err();
    assert_eq!(failure.id, Id::EngineRefused);
    assert!(failure.next.ends_with("--profile full"), "{failure}");
}
