use super::*;
use serde_json::json;

fn read(object: Value) -> Application {
    Application::read(&serde_json::from_value(object).unwrap()).unwrap()
}

fn healthy() -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "inference-api", "namespace": "argocd", "resourceVersion": "42"},
        "spec": {
            "project": "workloads",
            "source": {"repoURL": "http://git/x.git", "targetRevision": "main", "path": "kustomize"},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": "serving"},
        },
        "status": {
            "sync": {"status": "Synced", "revision": "0123456789abcdef0123456789abcdef01234567", "comparedTo": {}},
            "health": {"status": "Healthy", "lastTransitionTime": "2026-01-01T00:00:00Z"},
            "reconciledAt": "2026-01-01T00:00:00Z",
            "operationState": {
                "phase": "Succeeded", "message": "successfully synced (all tasks run)",
                "startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:00:01Z",
                "operation": {"sync": {"revision": "x"}},
                "syncResult": {
                    "revision": "0123456789abcdef0123456789abcdef01234567",
                    "resources": [
                        {"group": "apps", "kind": "Deployment", "name": "inference-api", "namespace": "serving",
                         "status": "Synced", "syncPhase": "Sync", "hookPhase": "Running", "version": "v1"},
                    ],
                },
            },
            "resources": [
                {"kind": "Service", "name": "inference-api", "namespace": "serving", "status": "Synced", "version": "v1"},
                {"group": "apps", "kind": "Deployment", "name": "inference-api", "namespace": "serving",
                 "status": "Synced", "version": "v1", "health": {"status": "Healthy"}},
            ],
        },
    })
}

#[test]
fn what_argo_cd_writes_is_read() {
    let app = read(healthy());
    assert_eq!((app.sync, app.health), (Sync::Synced, Health::Healthy));
    assert_eq!(
        app.revision.as_deref(),
        Some("0123456789abcdef0123456789abcdef01234567")
    );
    assert_eq!(
        (
            app.name.as_str(),
            app.resource_version.as_str(),
            app.namespace.as_str()
        ),
        ("inference-api", "42", "serving")
    );
    assert!(app.follows_main() && !app.pending && !app.refresh_asked && !app.skipped && !app.deleting);
    let operation = app.operation.clone().unwrap();
    assert_eq!(
        (operation.phase, &operation.revision),
        (Phase::Succeeded, &app.revision)
    );
    let deployment = app.of_kind("Deployment").next().unwrap();
    assert!(operation.has_applied(deployment));
    assert!(app.says_the_same(&app.clone()));
}

#[test]
fn the_branchs_name_is_no_commit() {
    let mut object = healthy();
    object["status"]["sync"] = json!({"status": "Unknown", "revision": "main"});
    object["status"]["conditions"] =
        json!([{"type": "ComparisonError", "message": "no", "lastTransitionTime": "x"}]);
    let app = read(object);
    assert_eq!((app.sync, app.revision), (Sync::Unknown, None));
    assert_eq!(app.conditions, [("ComparisonError".to_owned(), "no".to_owned())]);
}

#[test]
fn before_the_first_look_all_is_unknown() {
    let app = read(json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
        "metadata": {"name": "new", "annotations": {REFRESH: "normal", SKIP: "true"}},
        "operation": {"sync": {}},
    }));
    assert_eq!(
        (app.sync, app.health, app.revision, app.operation),
        (Sync::Unknown, Health::Unknown, None, None)
    );
    assert!(app.refresh_asked && app.skipped && app.pending);
}

#[test]
fn an_operation_is_pending_until_it_begins() {
    let with = |phase: &str| {
        read(json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "app"},
            "operation": {"sync": {}}, "status": {"operationState": {"phase": phase}},
        }))
        .pending
    };
    // The field is there until the operation is over; the state is the last one's until it begins.
    assert!(with("Succeeded") && with("Failed") && !with("Running"));
}

#[test]
fn only_checks_after_the_rollout_are_left() {
    let with = |phase: &str, resources: Value| {
        let mut object = healthy();
        object["status"]["operationState"]["phase"] = phase.into();
        object["status"]["operationState"]["syncResult"]["resources"] = resources;
        read(object).operation.unwrap().only_post_sync_is_left()
    };
    let deployment = |status: &str| json!({"kind": "Deployment", "name": "a", "status": status, "syncPhase": "Sync", "hookPhase": "Running"});
    let smoke = json!({"kind": "Job", "name": "smoke", "hookType": "PostSync", "syncPhase": "PostSync", "hookPhase": "Running"});
    let before = |phase: &str| json!({"kind": "Job", "name": "p", "hookType": "PreSync", "syncPhase": "PreSync", "hookPhase": phase});
    assert!(with("Running", json!([deployment("Synced"), smoke])));
    assert!(with(
        "Running",
        json!([before("Succeeded"), deployment("Synced"), smoke])
    ));
    assert!(!with(
        "Running",
        json!([before("Running"), deployment("Synced"), smoke])
    ));
    assert!(!with("Running", json!([deployment("SyncFailed"), smoke])));
    assert!(!with("Running", json!([deployment("Synced")])));
    assert!(!with("Succeeded", json!([deployment("Synced"), smoke])));
    assert!(!with("Running", json!([])));
}

#[test]
fn a_commit_that_was_healed_in_lacks_its_hooks() {
    let (now, before) = ("0123456789abcdef0123456789abcdef01234567", "0".repeat(40));
    let told = |resources: Value, history: &[&str]| {
        let mut object = healthy();
        object["status"]["operationState"]["operation"]["sync"]["resources"] = resources;
        let entries = history
            .iter()
            .map(|revision| json!({"id": 1, "revision": revision}));
        object["status"]["history"] = entries.collect();
        read(object)
    };
    let one = || json!([{"group": "apps", "kind": "Deployment", "name": "inference-api"}]);
    assert!(told(one(), &[&before]).lacks_hooks());
    assert!(
        !told(one(), &[&before, now]).lacks_hooks(),
        "a change by hand since"
    );
    assert!(!told(Value::Null, &[&before, now]).lacks_hooks(), "whole");
    assert!(
        !told(json!([]), &[&before]).lacks_hooks(),
        "whole, and the history not written yet"
    );
}
