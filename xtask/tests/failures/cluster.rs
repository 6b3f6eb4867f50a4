//! The ids that only a cluster can provoke.

use super::{failed, run_in, support};
use std::sync::Arc;
use support::cluster::{FLAGS, World};
use xtask::{
    cmd,
    exec::{Cmd, Executor, Fake, Output},
    failure::{Failure, Id},
    flags::Globals,
    world,
};

/// `up` in a world that was changed.
pub fn up(change: impl FnOnce(&World, Fake) -> Fake) -> Failure {
    task(&FLAGS, &["up"], change)
}

fn task(flags: &[&str], task: &[&str], change: impl FnOnce(&World, Fake) -> Fake) -> Failure {
    let world = World::new();
    let fake = change(&world, world.fake());
    run_in(&world.ctx(Arc::new(fake), flags), task)
}

/// `up` on a cluster of which `inspect` says something else.
fn inspected(changed: serde_json::Value) -> Failure {
    up(|world, fake| {
        world.holds.lock().unwrap().inspection = Some(changed);
        fake
    })
}

/// `driftless-cluster` ends with an error of this kind when it is asked so.
fn says(args: &'static [&'static str], kind: &'static str, message: &'static str) -> Failure {
    up(|_, fake| erring(fake, args, kind, message))
}

fn erring(fake: Fake, args: &'static [&'static str], kind: &'static str, message: &'static str) -> Fake {
    fake.process(move |cmd| {
        let asked = cmd.starts_with("driftless-cluster", &["--context"])
            && cmd.args.iter().skip(2).zip(args).all(|(is, wanted)| is == wanted);
        let error = serde_json::json!({"error": {"kind": kind, "message": message}});
        asked.then(|| {
            Ok(Output {
                code: 1,
                stdout: error.to_string(),
                stderr: String::new(),
            })
        })
    })
}

fn not_synced() -> Failure {
    up(|world, fake| {
        world.engine.world().look = Box::new(|status| status.apps.clear());
        erring(
            fake,
            &["wait", "apps"],
            "timeout",
            "inference-api is OutOfSync\nno such image",
        )
    })
}

/// Commands of which this is true end with 1 and these words.
fn broken(fake: Fake, which: impl Fn(&Cmd) -> bool + Send + Sync + 'static, words: &'static str) -> Fake {
    fake.process(move |cmd| {
        which(cmd).then(|| {
            Ok(Output {
                code: 1,
                stderr: words.to_owned(),
                ..Output::default()
            })
        })
    })
}

fn is(program: &'static str, word: &'static str) -> impl Fn(&Cmd) -> bool + Send + Sync + 'static {
    move |cmd| cmd.starts_with(program, &[]) && cmd.args.iter().any(|arg| arg == word)
}

/// A push to the repository, which is not near.
fn pushes(cmd: &Cmd) -> bool {
    let has = |word: &str| cmd.args.iter().any(|arg| arg.contains(word));
    cmd.program == "git" && has("push") && (has("far.git") || has("HEAD:refs/heads/main"))
}

fn not_named() -> Failure {
    let world = World::new();
    let globals: Globals = world.globals(&["--engine", "cluster"]);
    let ctx = world.clone.ctx(Arc::new(world.fake()));
    failed(world::choose(ctx, &globals).map(drop))
}

fn bridge_silent() -> Failure {
    up(|_, fake| {
        let error = || xtask::exec::ExecError::NotFound("driftless-cluster".to_owned());
        fake.process(move |cmd| is("driftless-cluster", "serve")(cmd).then(|| Err(error())))
    })
}

fn check_failed() -> Failure {
    let world = World::new();
    let fake = Arc::new(world.fake());
    let ctx = world.ctx(fake, &FLAGS);
    cmd::up::command(&ctx, &xtask::flags::UpFlags::default()).unwrap();
    let checks = r#"{"checks":[{"name":"mlflow","ok":true,"note":"200"},
        {"name":"dns","ok":false,"note":"mlflow.training does not resolve"}]}"#;
    let fake = world.fake().process(move |cmd| {
        is("driftless-cluster", "check")(cmd).then(|| {
            Ok(Output {
                stdout: checks.to_owned(),
                ..Output::default()
            })
        })
    });
    run_in(&world.ctx(Arc::new(fake), &FLAGS), &["doctor"])
}

fn not_confirmed() -> Failure {
    let world = World::new();
    let fake: Arc<dyn Executor> = Arc::new(world.fake());
    cmd::up::command(
        &world.ctx(fake.clone(), &FLAGS),
        &xtask::flags::UpFlags::default(),
    )
    .unwrap();
    run_in(&world.ctx(fake, &FLAGS), &["down"])
}

/// What provokes an id; `None` for those that need no cluster.
pub fn provoke(id: Id) -> Option<Failure> {
    let apply = || is("kubectl", "apply");
    Some(match id {
        Id::ClusterNotNamed => not_named(),
        Id::NoSuchStep => task(&FLAGS, &["up", "--from", "mlflow"], |_, fake| fake),
        Id::ClusterTooSmall => inspected(serde_json::json!({"nodes": [
            {"name": "one", "ready": true, "memory_allocatable_mib": 1500, "requested_memory_mib": 700}]})),
        Id::KubernetesTooOld => inspected(serde_json::json!({"server_version": "v1.31.2"})),
        Id::StorageClassMissing => inspected(serde_json::json!({"default_storage_class": null})),
        Id::WorkloadNotReady => says(
            &["wait", "workloads"],
            "timeout",
            "git-server-0: ImagePullBackOff: docker.gitea.com/gitea:9\nBack-off pulling image",
        ),
        Id::AppsNotSynced => not_synced(),
        Id::MinikubeFailed => task(&["--engine", "minikube"], &["up"], |_, fake| {
            broken(fake, is("minikube", "start"), "X Exiting due to GUEST_PROVISION")
        }),
        Id::BridgeDidNotStart => bridge_silent(),
        Id::RegistryUnreachable => up(|_, fake| {
            broken(
                fake,
                is("trainer", "image"),
                "error sending request for url (http://localhost:5000/v2/)",
            )
        }),
        Id::RegistryRefused => {
            up(|_, fake| broken(fake, is("trainer", "image"), "the registry refused: UNAUTHORIZED"))
        }
        Id::UpstreamHashMismatch => up(|_, fake| fake.digest("core-install.yaml", "sha256:00")),
        Id::ArgocdTooOld => inspected(serde_json::json!({"argocd":
            {"installed": true, "version": "v2.14.1", "ours": false, "application_crd": true}})),
        Id::ApplyFailed => up(|_, fake| broken(fake, apply(), "error: unable to decode: no such field")),
        Id::GitRefused => up(|_, fake| broken(fake, pushes, "fatal: Authentication failed for 'http://x/'")),
        Id::GitUnreachable => up(|_, fake| {
            broken(
                fake,
                pushes,
                "fatal: unable to access 'http://x/': Failed to connect to x port 80",
            )
        }),
        Id::ClusterCheckFailed => check_failed(),
        Id::ContextMissing => says(
            &["inspect"],
            "no-context",
            "the kubeconfig has no context \"lab\"",
        ),
        Id::ClusterUnreachable => says(&["inspect"], "unreachable", "connection refused"),
        Id::ClusterCertificate => says(&["inspect"], "certificate", "it expired on 2026-01-01"),
        Id::ClusterUnauthorized => says(&["inspect"], "unauthorized", "the API server does not know you"),
        Id::ClusterForbidden => inspected(serde_json::json!({"may": [
            {"verb": "create", "resource": "clusterroles", "namespace": null, "allowed": false}]})),
        Id::ClusterForeign => inspected(serde_json::json!({"owner": "foreign"})),
        Id::NotConfirmed => not_confirmed(),
        Id::ClusterFailed => says(&["secrets"], "other", "the API server hung up"),
        _ => return None,
    })
}

#[test]
fn the_diagnosis_of_a_pod_is_told() {
    let failure = provoke(Id::WorkloadNotReady).unwrap();
    assert!(failure.causes[0].contains("ImagePullBackOff"), "{failure}");
    assert_eq!(failure.detail, ["Back-off pulling image"]);
}

#[test]
fn what_to_type_next_names_the_same_cluster() {
    let failure = provoke(Id::AppsNotSynced).unwrap();
    assert_eq!(failure.next, "cargo xtask status --engine cluster --context lab");
}

#[test]
fn only_commands_are_given_the_flags() {
    let world = World::new();
    let ctx = world.ctx(Arc::new(world.fake()), &FLAGS);
    let typed = |text: &str| ctx.typed(text);
    assert_eq!(
        typed("git commit, then cargo xtask up --from git, then cargo xtask status"),
        "git commit, then cargo xtask up --engine cluster --context lab --from git, \
         then cargo xtask status --engine cluster --context lab"
    );
    for text in [
        "wait for the other cargo xtask to end",
        "cargo xtask up --engine local",
        "kubectl get pods",
    ] {
        assert_eq!(typed(text), text);
    }
}

#[test]
fn kubectl_says_what_is_wrong_with_the_cluster() {
    for (words, id) in [
        ("error: context \"lab\" does not exist", Id::ContextMissing),
        (
            "Unable to connect to the server: dial tcp 1.2.3.4:6443: i/o timeout",
            Id::ClusterUnreachable,
        ),
        (
            "Unable to connect: tls: x509: certificate has expired or is not yet valid",
            Id::ClusterCertificate,
        ),
        (
            "error: You must be logged in to the server",
            Id::ClusterUnauthorized,
        ),
        (
            "Error from server (Forbidden): User \"me\" cannot patch",
            Id::ClusterForbidden,
        ),
        ("etcdserver: mvcc: no space left on device", Id::DiskFull),
    ] {
        let failure = up(|_, fake| broken(fake, is("kubectl", "apply"), words));
        assert_eq!(failure.id, id, "{failure}");
    }
}

#[test]
fn a_full_disk_of_a_node_is_named_as_such() {
    let failure = says(
        &["wait", "workloads"],
        "timeout",
        "write /data/x: no space left on device",
    );
    assert_eq!(failure.id, Id::DiskFull);
}

#[test]
fn an_old_kubectl_is_replaced_and_only_without_python_a_failure() {
    let old = "Client Version: v1.30.0\nKustomize Version: v5.0.4\n";
    let world = World::new();
    let fake = Arc::new(world.fake().says("kubectl", &["version"], 0, old, ""));
    cmd::up::command(
        &world.ctx(fake.clone(), &FLAGS),
        &xtask::flags::UpFlags::default(),
    )
    .unwrap();
    let pinned = world.clone.root().join("target/tools/kubectl/bin/kubectl");
    let changes = fake.take_changes();
    assert!(
        changes
            .iter()
            .any(|change| change.starts_with(&format!("{} --context lab apply", pinned.display()))),
        "{changes:?}"
    );
    let failure = up(|_, fake| fake.says("kubectl", &["version"], 0, old, "").without("python3"));
    assert_eq!(failure.id, Id::ToolTooOld, "{failure}");
    assert!(failure.causes[0].contains("kubectl is 1.30"), "{failure}");
}

#[test]
fn a_machine_without_room_for_minikube_is_told_what_to_leave_out() {
    let failure = task(&["--engine", "minikube"], &["up"], |_, fake| {
        fake.file("/proc/meminfo", "MemAvailable: 3000000 kB\n")
    });
    assert_eq!(failure.id, Id::MachineTooSmall);
    assert!(failure.causes[0].contains("--engine local"), "{failure}");
    let failure = task(&["--engine", "minikube"], &["up"], |_, fake| {
        fake.without("docker")
            .without("podman")
            .without("qemu-system-x86_64")
            .without("virsh")
    });
    assert_eq!(failure.id, Id::ToolMissing);
    let failure = task(&["--engine", "minikube"], &["up"], |_, fake| {
        fake.without("minikube")
    });
    assert_eq!(failure.id, Id::ToolMissing);
}

#[test]
fn a_foreign_cluster_is_used_when_it_is_meant() {
    let world = World::new();
    world.holds.lock().unwrap().inspection = Some(serde_json::json!({"owner": "foreign"}));
    let flags = [&FLAGS[..], &["--yes-this-cluster"]].concat();
    let ctx = world.ctx(Arc::new(world.fake()), &flags);
    // The script goes on saying `foreign`, so that the mark is missed afterwards.
    let failure = cmd::up::command(&ctx, &xtask::flags::UpFlags::default()).unwrap_err();
    assert_eq!(
        (failure.id, failure.step.as_str()),
        (Id::ClusterFailed, "cluster")
    );
}

#[test]
fn a_download_that_fails_names_the_mirror() {
    let world = World::new();
    std::fs::remove_dir_all(world.clone.root().join("mirror")).unwrap();
    let fake = broken(
        world.fake(),
        is("curl", "--fail"),
        "curl: (6) Could not resolve host",
    );
    let failure = run_in(&world.ctx(Arc::new(fake), &FLAGS), &["up"]);
    assert_eq!(failure.id, Id::DownloadFailed);
    assert!(failure.next.contains("--upstream-mirror"), "{failure}");
}
