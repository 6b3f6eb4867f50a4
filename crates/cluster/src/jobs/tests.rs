use super::*;
use serde_json::{Value, json};

fn template(policy: &str) -> CronJob {
    serde_json::from_value(json!({
        "metadata": {"name": "training", "namespace": "training", "uid": "u1"},
        "spec": {
            "schedule": "0 0 1 1 *",
            "suspend": true,
            "concurrencyPolicy": policy,
            "jobTemplate": {
                "metadata": {"labels": {"app.kubernetes.io/name": "training"}, "annotations": {"a": "b"}},
                "spec": {"backoffLimit": 2, "template": {"spec": {"containers": [{
                    "name": "trainer", "image": "trainer@sha256:1", "args": ["run"],
                    "env": [{"name": "DATA", "value": "/data"}, {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
                }]}}},
            },
        },
    }))
    .unwrap()
}

fn job(name: &str, of: &str, created: &str, rest: Value) -> Job {
    let mut job = json!({
        "metadata": {
            "name": name, "creationTimestamp": created,
            "ownerReferences": [{"apiVersion": "batch/v1", "kind": "CronJob", "name": of, "uid": "u1"}],
        },
        "spec": {"template": {}},
    });
    for (key, value) in rest.as_object().unwrap() {
        match key.as_str() {
            "waits" => {
                job["spec"]["suspend"] = true.into();
                job["metadata"]["annotations"] = json!({WAITS: value});
            }
            _ => job["status"] = json!({"conditions": [{"type": key, "status": value}]}),
        }
    }
    serde_json::from_value(job).unwrap()
}

#[test]
fn a_run_is_the_template_with_what_was_asked_for() {
    let env = [
        ("DATA".to_owned(), "/other".to_owned()),
        ("NEW".to_owned(), "1".to_owned()),
    ];
    let args = ["--force".to_owned()];
    let wish = Wish {
        args: &args,
        env: &env,
        waits_since: None,
        name: None,
    };
    let job = job_of(&template("Forbid"), wish, &[0, 1, 2, 3, 4, 255, 7]).unwrap();
    let meta = &job.metadata;
    assert_eq!(meta.name.as_deref(), Some("training-abcde9"));
    assert_eq!(meta.namespace.as_deref(), Some("training"));
    assert_eq!(
        meta.labels.as_ref().unwrap()["app.kubernetes.io/name"],
        "training"
    );
    let annotations = meta.annotations.as_ref().unwrap();
    assert_eq!(
        (annotations[INSTANTIATE].as_str(), annotations["a"].as_str()),
        ("manual", "b")
    );
    assert_eq!(template_of(&job), Some("training"));
    let spec = job.spec.as_ref().unwrap();
    assert_eq!((spec.suspend, spec.backoff_limit), (None, Some(2)));
    let container = &spec.template.spec.as_ref().unwrap().containers[0];
    assert_eq!(container.args.as_ref().unwrap(), &["run", "--force"]);
    let env: Vec<_> = container
        .env
        .iter()
        .flatten()
        .map(|v| (v.name.as_str(), v.value.as_deref()))
        .collect();
    assert_eq!(
        env,
        [("TOKEN", None), ("DATA", Some("/other")), ("NEW", Some("1"))]
    );
}

#[test]
fn a_name_that_is_given_is_the_jobs() {
    let wish = Wish {
        args: &[],
        env: &[],
        waits_since: None,
        name: Some("training-7f3a2c1b-e1-t63340"),
    };
    let job = job_of(&template("Forbid"), wish, &[]).unwrap();
    assert_eq!(job.metadata.name.as_deref(), wish.name);
}

#[test]
fn ends_as_kubernetes_tells_them() {
    let ended = |kind: &str, message: &str| {
        let mut job = job("a", "training", "2026-01-01T00:00:00Z", json!({kind: "True"}));
        let condition = &mut job.status.as_mut().unwrap().conditions.as_mut().unwrap()[0];
        condition.message = Some(message.to_owned());
        end(&job)
    };
    assert_eq!(ended("Suspended", ""), None);
    let complete = ended("Complete", "").unwrap();
    assert_eq!((complete.succeeded, complete.exit_code), (true, None));
    let rule =
        "Container trainer for pod training/a-x failed with exit code 12 matching FailJob rule at index 0";
    let refused = ended("Failed", rule).unwrap();
    assert_eq!((refused.succeeded, refused.exit_code), (false, Some(12)));
    let limit = ended("Failed", "Job has reached the specified backoff limit").unwrap();
    assert_eq!((limit.succeeded, limit.exit_code), (false, None));
}

#[test]
fn one_that_waits_is_suspended() {
    let wish = Wish {
        args: &[],
        env: &[],
        waits_since: Some("2026-01-01T00:00:00.5Z".parse().unwrap()),
        name: None,
    };
    let job = job_of(&template("Forbid"), wish, &[9; 6]).unwrap();
    assert!(waits(&job) && !is_over(&job));
    assert_eq!(since(&job), "01767225600500000000");
    let mut bare = template("Allow");
    bare.spec.job_template.spec = None;
    assert!(
        job_of(&bare, wish, &[9; 6])
            .unwrap_err()
            .message
            .contains("CronJob training")
    );
}

#[test]
fn long_names_fit_into_a_label() {
    let mut long = template("Allow");
    long.metadata.name = Some("x".repeat(90));
    let wish = Wish {
        args: &[],
        env: &[],
        waits_since: None,
        name: None,
    };
    assert_eq!(
        job_of(&long, wish, &[1; 6]).unwrap().metadata.name.unwrap().len(),
        NAME_MAX
    );
}

#[test]
fn turns_are_taken_in_order() {
    let runs = job("a", "training", "2026-01-01T00:00:01Z", json!({}));
    let over = job(
        "b",
        "training",
        "2026-01-01T00:00:00Z",
        json!({"Complete": "True"}),
    );
    let failed = job("c", "training", "2026-01-01T00:00:00Z", json!({"Failed": "True"}));
    let second = job("d", "training", "2026-01-01T00:00:02Z", json!({"waits": "01"}));
    let third = job("e", "training", "2026-01-01T00:00:03Z", json!({"waits": "01"}));
    let other = job("f", "other", "2026-01-01T00:00:00Z", json!({}));
    let all = [
        third.clone(),
        other,
        second.clone(),
        runs.clone(),
        over.clone(),
        failed,
    ];
    let names = |jobs: Vec<&Job>| {
        jobs.iter()
            .map(|job| job.metadata.name.clone().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(unfinished(&all, "training")), ["a", "d", "e"]);
    assert!(next_turn(&all, "training").is_none());
    // Of the same second, and asked for earlier.
    let before = job("z", "training", "2026-01-01T00:00:02Z", json!({"waits": "00"}));
    assert_eq!(
        names(unfinished(&[second.clone(), before], "training")),
        ["z", "d"]
    );
    let after = [third, second, over];
    assert_eq!(
        next_turn(&after, "training").unwrap().metadata.name.as_deref(),
        Some("d")
    );
    assert!(next_turn(&after, "nobody").is_none());
    for (policy, alone) in [("Forbid", true), ("Replace", true), ("Allow", false)] {
        assert_eq!(one_at_a_time(&template(policy)), alone, "{policy}");
    }
}
