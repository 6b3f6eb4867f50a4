use super::*;
use serde_json::{Value, json};

fn pod(name: &str, status: Value) -> Pod {
    let mut status = status;
    status["name"] = "api".into();
    status["image"] = "as the kubelet names it".into();
    status["imageID"] = "".into();
    for key in ["ready", "restartCount"] {
        if status[key].is_null() {
            status[key] = if key == "ready" { json!(false) } else { json!(0) };
        }
    }
    serde_json::from_value(json!({
        "metadata": {"name": name},
        "spec": {"containers": [{"name": "api", "image": "localhost:5000/api@sha256:1"}]},
        "status": {"phase": "Pending", "containerStatuses": [status]},
    }))
    .unwrap()
}

fn waiting(reason: &str, message: &str, restarts: i32) -> Pod {
    pod(
        "api-1",
        json!({
            "restartCount": restarts,
            "state": {"waiting": {"reason": reason, "message": message}},
            "lastState": {"terminated": {"exitCode": 3, "reason": "Error"}},
        }),
    )
}

#[test]
fn what_the_kubelet_says_is_told_with_pod_reason_and_image() {
    let lasting = true;
    let passing = false;
    for (reason, message, restarts, expected) in [
        (
            "ErrImagePull",
            "failed to resolve: localhost:5000/api: not found",
            0,
            Some(lasting),
        ),
        (
            "ImagePullBackOff",
            "Back-off pulling image: manifest unknown",
            0,
            Some(lasting),
        ),
        ("ErrImagePull", "pull access denied", 0, Some(lasting)),
        (
            "ErrImagePull",
            "dial tcp 127.0.0.1:5000: connect: connection refused",
            0,
            Some(passing),
        ),
        (
            "ImagePullBackOff",
            "lookup registry: no such host, not found",
            0,
            Some(passing),
        ),
        ("InvalidImageName", "couldn't parse", 0, Some(lasting)),
        ("ErrImageNeverPull", "", 0, Some(lasting)),
        (
            "CreateContainerConfigError",
            "secret \"x\" not found",
            0,
            Some(lasting),
        ),
        ("RunContainerError", "no such file", 0, Some(lasting)),
        ("CrashLoopBackOff", "back-off", 0, None),
        ("CrashLoopBackOff", "back-off", 1, Some(lasting)),
        ("ContainerCreating", "", 0, None),
        ("PodInitializing", "", 0, None),
    ] {
        let found = of_pod(&waiting(reason, message, restarts));
        assert_eq!(
            found.as_ref().map(|trouble| trouble.lasting),
            expected,
            "{reason} {message}"
        );
        if let Some(trouble) = found {
            let line = trouble.line();
            assert!(
                line.starts_with(&format!(
                    "pod api-1: {reason} of image localhost:5000/api@sha256:1"
                )),
                "{line}"
            );
        }
    }
    let crash = of_pod(&waiting("CrashLoopBackOff", "x", 4)).unwrap();
    assert!(
        crash.has_log && crash.line().ends_with("after 4 restarts: Error, exit code 3"),
        "{}",
        crash.line()
    );
}

#[test]
fn a_container_that_keeps_ending_is_trouble_while_it_is_not_ready() {
    let running = |ready: bool, restarts: i32| {
        pod(
            "p",
            json!({"ready": ready, "restartCount": restarts, "state": {"running": {}}}),
        )
    };
    assert_eq!(of_pod(&running(false, 1)), None);
    assert!(of_pod(&running(false, 2)).is_some());
    assert_eq!(of_pod(&running(true, 5)), None);
    assert_eq!(of_pod(&Pod::default()), None);
}

#[test]
fn of_several_the_lasting_one_with_a_log_is_named() {
    let mut pulls = waiting("ErrImagePull", "connection refused", 0);
    pulls.metadata.name = Some("a".into());
    let mut crashes = waiting("CrashLoopBackOff", "", 3);
    crashes.metadata.name = Some("z".into());
    assert_eq!(of(&[&pulls, &crashes]).unwrap().pod, "z");
    crashes.metadata.deletion_timestamp = serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap();
    assert_eq!(of(&[&pulls, &crashes]).unwrap().pod, "a");
    assert_eq!(of(&[]), None);
}

#[test]
fn a_line_is_one_line() {
    let late = Trouble::late("api", "ReplicaSet \"x\"\n has timed out  progressing.");
    assert_eq!(
        late.line(),
        "ProgressDeadlineExceeded: api: ReplicaSet \"x\" has timed out progressing."
    );
}
