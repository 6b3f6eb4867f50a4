//! Runs: started once, waited for, terminated, retried.

use crate::support::kfp::body;
use crate::support::runs::{ended, node, state_of};
use crate::support::{DOCUMENT, Kfp, Reply};
use kfp_client::{Client, Error, NewRun, PipelineDocument, Progress, Run, RunState, Wait, check_parameters};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

pub fn wait() -> Wait {
    Wait {
        interval: Duration::from_millis(5),
        deadline: Duration::from_secs(5),
        log_lines: 3,
    }
}

pub async fn new_run(client: &Client, given: Value) -> NewRun {
    let document = PipelineDocument::parse(DOCUMENT).unwrap();
    let version = client.ensure_uploaded("iris-retrain", &document).await.unwrap();
    let experiment = client.ensure_experiment("iris").await.unwrap();
    NewRun {
        display_name: "retrain_20261121_115831".to_owned(),
        description: "asked for by hand".to_owned(),
        experiment_id: Some(experiment.experiment_id),
        version,
        parameters: check_parameters(document.parameters(), given.as_object().unwrap()).unwrap(),
        service_account: None,
    }
}

#[tokio::test]
async fn a_run_from_start_to_end() {
    let kfp = Kfp::start();
    let client = kfp.client();
    let new = new_run(
        &client,
        json!({"model_name": "iris", "seed": 7.0, "hyper_params": {"max_depth": 4}}),
    )
    .await;
    let run = client.start_run(&new).await.unwrap();
    assert_eq!((&run.state, &run.finished_at), (&RunState::Pending, &None));
    assert_eq!(run.pipeline_version_reference, Some(new.version.clone()));
    let sent: Value = {
        let world = kfp.world();
        let last = world.seen.iter().rfind(|r| r.path.ends_with("/runs")).unwrap();
        serde_json::from_slice(&last.body).unwrap()
    };
    assert_eq!(
        sent["runtime_config"],
        json!({"parameters": {"model_name": "iris", "seed": 7, "hyper_params": {"max_depth": 4}}})
    );
    assert!(sent.get("service_account").is_none());

    let running = json!({"state": "RUNNING", "run_details": {"task_details": [
        node("iris-retrain-x7x9k", "RUNNING", 1, &["iris-retrain-x7x9k-1"]), node("", "SUCCEEDED", 1, &[]),
        node("root-driver", "SUCCEEDED", 1, &[]), node("root", "RUNNING", 2, &[]),
        node("train-driver", "SUCCEEDED", 3, &[]), node("train", "RUNNING", 4, &[]), node("executor", "RUNNING", 4, &[])]}});
    let mut done = running.clone();
    done["run_details"]["task_details"][5]["state"] = json!("SUCCEEDED");
    let over = ended("SUCCEEDED", done["run_details"]["task_details"].clone());
    kfp.world().states = vec![state_of("PENDING"), running.clone(), running, done, over];
    let mut told = Vec::new();
    let run = client
        .wait(&run.run_id, &wait(), |progress| {
            if let Progress::Changed(run) = progress {
                let steps: Vec<String> = run
                    .steps()
                    .iter()
                    .map(|(name, state)| format!("{name} {state}"))
                    .collect();
                told.push(format!("{}: {}", run.state, steps.join(", ")));
            }
        })
        .await
        .unwrap();
    assert_eq!(
        told,
        [
            "PENDING: ",
            "RUNNING: train RUNNING",
            "RUNNING: train SUCCEEDED",
            "SUCCEEDED: train SUCCEEDED"
        ]
    );
    assert_eq!(run.finished_at.as_deref(), Some("2026-11-21T12:00:33Z"));
    assert_eq!(client.failure(&run, 5).await, None);
    assert_eq!(client.runs(None).await.unwrap().len(), 1);
    let again = client.retry_run(&run.run_id).await.unwrap_err();
    assert_eq!(again.id(), "kfp-run-not-retryable");
    assert_eq!(
        client.terminate_run(&run.run_id).await.unwrap_err().id(),
        "kfp-run-not-running"
    );
    client.archive_run(&run.run_id).await.unwrap();
    client.delete_run(&run.run_id).await.unwrap();
    client.delete_run(&run.run_id).await.unwrap();
    assert_eq!(client.run(&run.run_id).await.unwrap_err().id(), "kfp-not-found");
}

#[tokio::test]
async fn a_start_whose_answer_is_lost_is_looked_for_and_never_repeated() {
    for lost in [
        Reply::Close,
        Reply::Half,
        Reply::Hang,
        body(504, "text/html", "<html>late</html>"),
    ] {
        let kfp = Kfp::start();
        let client = kfp.client();
        let new = new_run(&client, json!({"model_name": "iris"})).await;
        // The same name, started before: not ours.
        let other = client.start_run(&new).await.unwrap();
        kfp.fault("POST", "runs", true, lost.clone());
        let run = client.start_run(&new).await.unwrap();
        assert_ne!(run.run_id, other.run_id);
        assert!(
            run.description.starts_with("asked for by hand [start "),
            "{}",
            run.description
        );
        assert_eq!((kfp.asked("POST", "runs"), kfp.world().runs.len()), (2, 2));
        // Lost before it came there: nobody can know, so that a person decides.
        kfp.fault("POST", "runs", false, lost);
        let error = client.start_run(&new).await.unwrap_err();
        assert_eq!(error.id(), "kfp-start-unclear");
        assert_eq!((kfp.asked("POST", "runs"), kfp.world().runs.len()), (3, 2));
    }
}

#[tokio::test]
async fn what_the_server_says_of_a_start() {
    let kfp = Kfp::start();
    let client = kfp.client();
    let new = new_run(&client, json!({"model_name": "iris"})).await;
    let nowhere = NewRun {
        experiment_id: Some("nowhere".to_owned()),
        ..new.clone()
    };
    assert_eq!(
        client.start_run(&nowhere).await.unwrap_err().id(),
        "kfp-not-found"
    );
    let mut nothing = new.clone();
    nothing.version.pipeline_version_id = Some("nothing".to_owned());
    let error = client.start_run(&nothing).await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::Refused {
                status: 500,
                code: Some(13),
                ..
            }
        ),
        "{error}"
    );
    let missing = NewRun {
        parameters: Default::default(),
        ..new.clone()
    };
    let error = client.start_run(&missing).await.unwrap_err();
    insta::assert_snapshot!(error, @"Kubeflow Pipelines refused POST runs: 400: parameter model_name is not optional, yet has neither default value nor user provided value");
    // 500 is the server's "no", not its "perhaps": not looked for, not sent again.
    assert_eq!(kfp.asked("POST", "runs"), 3);
    for name in ["", " ", "a\nb", "r-{{workflow.name}}", &"x".repeat(128)] {
        let unnamed = NewRun {
            display_name: name.to_owned(),
            ..new.clone()
        };
        assert_eq!(client.start_run(&unnamed).await.unwrap_err().id(), "kfp-name");
    }
    assert_eq!(kfp.asked("POST", "runs"), 3);
}

#[tokio::test]
async fn a_terminated_run_ends_failed() {
    let kfp = Kfp::start();
    let client = kfp.client();
    let new = new_run(&client, json!({"model_name": "iris"})).await;
    let run = client.start_run(&new).await.unwrap();
    client.terminate_run(&run.run_id).await.unwrap();
    let mut states = Vec::new();
    let error = client
        .wait(&run.run_id, &wait(), |progress| {
            if let Progress::Changed(run) = progress {
                states.push(run.state.clone());
            }
        })
        .await
        .unwrap_err();
    assert_eq!(states, [RunState::Canceling, RunState::Failed]);
    let Error::RunFailed(failure) = &error else {
        panic!("{error}")
    };
    assert_eq!((&failure.state, &failure.step), (&RunState::Failed, &None));

    // Taken up again, it succeeds; also where the answer to that is lost.
    kfp.fault("POST", ":retry", true, Reply::Close);
    client.retry_run(&run.run_id).await.unwrap();
    assert_eq!(kfp.asked("POST", ":retry"), 1);
    assert!(
        client
            .wait(&run.run_id, &wait(), |_| ())
            .await
            .unwrap()
            .state
            .is_good()
    );
}

#[tokio::test]
async fn a_run_that_hangs() {
    let kfp = Kfp::start();
    let client = kfp.client();
    let new = new_run(&client, json!({"model_name": "iris"})).await;
    let run = client.start_run(&new).await.unwrap();
    let tasks = json!([
        node("load-data", "SUCCEEDED", 3, &[]),
        node("train", "RUNNING", 9, &[])
    ]);
    kfp.world().states = vec![json!({"state": "RUNNING", "run_details": {"task_details": tasks}})];
    let short = Wait {
        deadline: Duration::from_millis(200),
        ..wait()
    };
    let start = Instant::now();
    let error = client.wait(&run.run_id, &short, |_| ()).await.unwrap_err();
    let text = error.to_string().replace(&run.run_id, "RUN");
    insta::assert_snapshot!(text, @"run RUN is still RUNNING after 200ms; not ended: train RUNNING");
    // A server that says nothing does not stretch it.
    kfp.fault("GET", &run.run_id, false, Reply::Hang);
    let error = client.wait(&run.run_id, &short, |_| ()).await.unwrap_err();
    assert_eq!(error.id(), "kfp-run-not-ended");
    assert!(start.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn a_server_that_is_away_for_a_while() {
    let kfp = Kfp::start();
    let client = kfp.client();
    let new = new_run(&client, json!({"model_name": "iris"})).await;
    let run = client.start_run(&new).await.unwrap();
    kfp.world().states = vec![state_of("RUNNING"), ended("SUCCEEDED", json!([]))];
    let id = run.run_id.as_str();
    // More than one call repeats by itself.
    for _ in 0..4 {
        kfp.fault("GET", id, false, Reply::Close);
    }
    let mut troubles = 0;
    let run = client
        .wait(id, &wait(), |progress| {
            troubles += u32::from(matches!(progress, Progress::Trouble(_)))
        })
        .await
        .unwrap();
    assert_eq!((run.state, troubles), (RunState::Succeeded, 1));
    assert_eq!(
        client.wait("nobody", &wait(), |_| ()).await.unwrap_err().id(),
        "kfp-not-found"
    );
}

/// Names and states as the reference document has them: stock (each node twice), cached, a condition
/// that was false, an exit handler, nodes without a name.
#[test]
fn the_steps_of_a_run() {
    let stock = json!({"run_id": "r", "state": "SUCCEEDED", "run_details": {"task_details": [
        node("", "SUCCEEDED", 1, &[]), node("iris-retrain-x7x9k", "SUCCEEDED", 1, &["iris-retrain-x7x9k-12"]),
        node("iris-retrain-x7x9k(0)", "SUCCEEDED", 1, &[]), node("root", "SUCCEEDED", 2, &[]),
        node("root-driver(0)", "SUCCEEDED", 1, &[]), node("condition-1", "SKIPPED", 9, &[]),
        node("condition-1-driver", "SUCCEEDED", 8, &[]), node("load-data-driver(0)", "SUCCEEDED", 2, &[]),
        node("train(1)", "RUNNING", 7, &[]), node("train(0)", "FAILED", 5, &[]), node("train", "RUNNING", 5, &[]),
        node("load-data(0)", "SUCCEEDED", 3, &[]), node("load-data", "SUCCEEDED", 3, &[]),
        node("executor", "SKIPPED", 3, &[]), node("executor(0)", "SKIPPED", 3, &[]),
        node("validate(0)", "FAILED", 6, &[]), node("validate(1)", "SUCCEEDED", 8, &[]),
        {"display_name": "exit-handler-1.onExit", "state": "PENDING"},
    ]}});
    let run: Run = serde_json::from_value(stock).unwrap();
    let steps: Vec<String> = run
        .steps()
        .iter()
        .map(|(name, state)| format!("{name} {state}"))
        .collect();
    assert_eq!(
        steps,
        [
            "load-data SUCCEEDED",
            "train RUNNING",
            "validate SUCCEEDED",
            "condition-1 SKIPPED",
            "exit-handler-1.onExit PENDING"
        ]
    );
    // What is missing or null is no reason to fail, and a later server may know more words.
    for text in [
        r#"{"run_id": "r"}"#,
        r#"{"run_id": "r", "state": null, "error": null, "run_details": null, "finished_at": null, "description": null}"#,
        r#"{"run_id": "r", "state": "RUNTIME_STATE_UNSPECIFIED", "run_details": {"task_details": null}, "news": 1}"#,
    ] {
        let run: Run = serde_json::from_str(text).unwrap();
        assert_eq!((&run.state, run.steps().len()), (&RunState::Unknown, 0));
        assert!(!run.state.is_final());
    }
    let new: RunState = serde_json::from_str("\"DREAMING\"").unwrap();
    assert_eq!((new.to_string().as_str(), new.is_final()), ("DREAMING", false));
}
