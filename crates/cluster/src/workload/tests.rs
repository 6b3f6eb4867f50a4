use super::*;
use serde_json::{Value, json};

fn deployment(status: Value) -> Deployment {
    serde_json::from_value(json!({
        "metadata": {"name": "api", "namespace": "serving", "uid": "d1", "generation": 3,
                     "annotations": {"deployment.kubernetes.io/revision": "2"}},
        "spec": {
            "replicas": 2, "selector": {},
            "template": {"spec": {"containers": [{"name": "api", "image": "api@sha256:2"}]}},
        },
        "status": status,
    }))
    .unwrap()
}

fn done() -> Value {
    json!({"observedGeneration": 3, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2})
}

fn set(hash: &str, revision: &str) -> ReplicaSet {
    serde_json::from_value(json!({
        "metadata": {"name": format!("api-{hash}"), "labels": {"pod-template-hash": hash},
                     "annotations": {"deployment.kubernetes.io/revision": revision},
                     "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "api", "uid": "d1"}]},
        "spec": {"selector": {}},
    }))
    .unwrap()
}

fn pod(hash: &str, name: &str, reason: Option<&str>) -> Pod {
    let state = match reason {
        Some(reason) => json!({"waiting": {"reason": reason, "message": "not found"}}),
        None => json!({"running": {}}),
    };
    serde_json::from_value(json!({
        "metadata": {"name": format!("api-{hash}-{name}"), "labels": {"pod-template-hash": hash},
                     "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": format!("api-{hash}"), "uid": hash}]},
        "spec": {"containers": [{"name": "api", "image": "api:1"}]},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": if reason.is_none() { "True" } else { "False" }}],
            "containerStatuses": [{"name": "api", "image": "api:1", "imageID": "api@sha256:9", "ready": reason.is_none(),
                                   "restartCount": 0, "state": state}],
        },
    }))
    .unwrap()
}

#[test]
fn the_end_of_a_rollout() {
    let with = |key: &str, value: i64| {
        let mut status = done();
        status[key] = value.into();
        of_deployment(&deployment(status), &[], &[]).unsettled
    };
    assert_eq!(of_deployment(&deployment(done()), &[], &[]).unsettled, None);
    assert_eq!(
        with("observedGeneration", 2).as_deref(),
        Some("the change is not taken up yet")
    );
    assert_eq!(
        with("updatedReplicas", 1).as_deref(),
        Some("1 of 2 replicas are of the new release")
    );
    assert_eq!(
        with("replicas", 3).as_deref(),
        Some("1 replicas of the old release serve")
    );
    assert_eq!(with("readyReplicas", 1).as_deref(), Some("1 of 2 replicas ready"));
    assert_eq!(
        with("availableReplicas", 0).as_deref(),
        Some("0 of 2 replicas ready")
    );
    assert!(
        of_deployment(&deployment(json!({})), &[], &[])
            .unsettled
            .is_some()
    );
    let mut none = deployment(json!({"observedGeneration": 3}));
    none.spec.as_mut().unwrap().replicas = Some(0);
    assert_eq!(of_deployment(&none, &[], &[]).unsettled, None);
}

#[test]
fn troubles_are_those_of_the_newest_release() {
    let mut status = done();
    status["updatedReplicas"] = 1.into();
    let under_way = deployment(status);
    let sets = [set("old", "1"), set("new", "2")];
    let bad_old = [pod("old", "1", Some("ErrImagePull")), pod("new", "1", None)];
    assert_eq!(of_deployment(&under_way, &sets, &bad_old).trouble, None);
    let bad_new = [pod("old", "1", None), pod("new", "1", Some("ErrImagePull"))];
    let found = of_deployment(&under_way, &sets, &bad_new);
    assert_eq!(found.trouble.unwrap().pod, "api-new-1");
    assert_eq!(found.pods.len(), 2);
    // The controller has not made the ReplicaSet of the newest revision yet.
    assert_eq!(of_deployment(&under_way, &sets[..1], &bad_old).trouble, None);
    // Nor seen the change.
    let mut unseen = under_way;
    unseen.metadata.generation = Some(4);
    assert_eq!(of_deployment(&unseen, &sets, &bad_new).trouble, None);
}

#[test]
fn a_deadline_that_passed_is_trouble() {
    let mut status = done();
    status["updatedReplicas"] = 1.into();
    status["conditions"] = json!([{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed out"}]);
    let late = of_deployment(&deployment(status.clone()), &[], &[]);
    assert!(late.trouble.unwrap().line().contains("timed out"));
    status["updatedReplicas"] = 2.into();
    assert_eq!(of_deployment(&deployment(status), &[], &[]).trouble, None);
}

#[test]
fn replicas_have_their_digests_and_ended_ones_are_left_out() {
    let mut leaving = pod("new", "3", None);
    leaving.metadata.deletion_timestamp = serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap();
    let mut evicted = pod("new", "4", None);
    evicted.status.as_mut().unwrap().phase = Some("Failed".into());
    let other = Pod::default();
    let pods = [
        pod("new", "2", None),
        pod("new", "1", Some("ErrImagePull")),
        leaving,
        evicted,
        other,
    ];
    let found = of_deployment(&deployment(done()), &[set("new", "2")], &pods).pods;
    let names: Vec<_> = found.iter().map(|pod| (pod.name.as_str(), pod.ready)).collect();
    assert_eq!(names, [("api-new-1", false), ("api-new-2", true)]);
    assert_eq!(found[0].image, "api:1@sha256:9");
}

#[test]
fn another_template_has_another_fingerprint() {
    let first = deployment(done());
    let mut second = first.clone();
    assert_eq!(
        of_deployment(&first, &[], &[]).fingerprint,
        of_deployment(&second, &[], &[]).fingerprint
    );
    second.spec.as_mut().unwrap().replicas = Some(3);
    assert_eq!(
        of_deployment(&first, &[], &[]).fingerprint,
        of_deployment(&second, &[], &[]).fingerprint
    );
    let pod = second.spec.as_mut().unwrap().template.spec.as_mut().unwrap();
    pod.containers[0].image = Some("api@sha256:3".into());
    assert_ne!(
        of_deployment(&first, &[], &[]).fingerprint,
        of_deployment(&second, &[], &[]).fingerprint
    );
}

#[test]
fn stateful_sets_too() {
    let set = |status: Value| -> StatefulSet {
        serde_json::from_value(json!({
            "metadata": {"name": "db", "generation": 1},
            "spec": {"replicas": 1, "selector": {}, "template": {}, "serviceName": "db"},
            "status": status,
        }))
        .unwrap()
    };
    let done = json!({"observedGeneration": 1, "replicas": 1, "currentReplicas": 1, "readyReplicas": 1,
                      "currentRevision": "a", "updateRevision": "a"});
    assert_eq!(of_stateful_set(&set(done.clone()), &[]).unsettled, None);
    let mut other = done;
    other["updateRevision"] = "b".into();
    assert!(of_stateful_set(&set(other), &[]).unsettled.is_some());
}
