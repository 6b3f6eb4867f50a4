//! Why a run failed: the step is found among the workflow's nodes, and its own last lines are shown.

use crate::running::{new_run, wait};
use crate::support::Kfp;
use crate::support::kfp::{body, refused};
use crate::support::runs::{ended, node};
use kfp_client::{Error, RunFailure};
use serde_json::{Value, json};

const WORKFLOW: &str = "iris-retrain-x7x9k";

/// Id that Argo gives the node of this path: FNV-1a.
fn id(path: &str) -> String {
    let path = format!("{WORKFLOW}{path}");
    let mut hash = 2_166_136_261_u32;
    for byte in path.bytes() {
        hash = (hash ^ u32::from(byte)).wrapping_mul(16_777_619);
    }
    format!("{WORKFLOW}-{hash}")
}

fn log(line: &str) -> String {
    format!(
        "time=\"2026-11-21T11:59:04.310Z\" level=info msg=\"capturing logs\" argo=true\n\
         I1121 11:59:04.412345      15 launcher_v2.go:171] PublishInProgress\n\
         reading 120 rows\n{line}\n\
         F1121 11:59:05.000001      15 main.go:57] failed to execute component: exit status 3\n\
         time=\"2026-11-21T11:59:05.310Z\" level=info msg=\"sub-process exited\" argo=true error=\"<nil>\"\n"
    )
}

/// Waits for a run that ends FAILED with these nodes and logs.
async fn failure(kfp: &Kfp, tasks: Value, logs: &[(String, String)]) -> RunFailure {
    let client = kfp.client();
    let new = new_run(&client, json!({"model_name": "iris"})).await;
    let run = client.start_run(&new).await.unwrap();
    {
        let mut world = kfp.world();
        world.states = vec![ended("FAILED", tasks)];
        world.logs = logs
            .iter()
            .map(|(node, text)| (node.clone(), json!(text)))
            .collect();
    }
    let error = client.wait(&run.run_id, &wait(), |_| ()).await.unwrap_err();
    let Error::RunFailed(mut failure) = error else {
        panic!("{error}")
    };
    failure.run_id = "RUN".to_owned();
    *failure
}

/// The nodes of a run whose ids say nothing, as the reference document describes them.
#[tokio::test]
async fn the_failing_step_is_its_tasks_first_child() {
    let kfp = Kfp::start();
    let pod = format!("{WORKFLOW}-1");
    let tasks = json!([
        node(WORKFLOW, "FAILED", 1, &[&format!("{WORKFLOW}-9")]),
        node("", "FAILED", 1, &[]),
        node("root", "FAILED", 2, &[]),
        node("load-data-driver", "SUCCEEDED", 3, &[]),
        node("load-data", "SUCCEEDED", 4, &[&format!("{WORKFLOW}-2")]),
        node("executor", "SUCCEEDED", 4, &[]),
        node("condition-1", "FAILED", 5, &[]),
        node("train-driver", "SUCCEEDED", 6, &[]),
        node("train", "FAILED", 7, &[&pod]),
        node("executor", "FAILED", 7, &[]),
    ]);
    let failure = failure(&kfp, tasks, &[(pod, log("ValueError: no rows"))]).await;
    insta::assert_snapshot!(failure);
    assert_eq!(failure.log, ["reading 120 rows", "ValueError: no rows"]);
    assert_eq!(
        failure.next(),
        "mend what the step says, then retry the run or start another"
    );
}

/// The stock install doubles every node: `x` and `x(0)`.
#[tokio::test]
async fn doubled_nodes() {
    let kfp = Kfp::start();
    let executor = "(0).root(0).train(0).executor";
    let tasks = json!([
        node(WORKFLOW, "FAILED", 1, &[&id("(0)")]),
        node(&format!("{WORKFLOW}(0)"), "FAILED", 1, &[&id("(0).root-driver")]),
        node("root-driver", "SUCCEEDED", 1, &[&id("(0).root-driver(0)")]),
        node("root-driver(0)", "SUCCEEDED", 1, &[&id("(0).root")]),
        node("root", "FAILED", 2, &[&id("(0).root(0)")]),
        node("root(0)", "FAILED", 2, &[&id("(0).root(0).train-driver")]),
        node(
            "train-driver",
            "SUCCEEDED",
            3,
            &[&id("(0).root(0).train-driver(0)")]
        ),
        node("train-driver(0)", "SUCCEEDED", 3, &[&id("(0).root(0).train")]),
        node("train", "FAILED", 4, &[&id("(0).root(0).train(0)")]),
        node("train(0)", "FAILED", 4, &[&id(executor)]),
        node("executor", "FAILED", 4, &[&id(&format!("{executor}(0)"))]),
        node("executor(0)", "FAILED", 4, &[]),
    ]);
    let logs = [(id(&format!("{executor}(0)")), log("ValueError: no rows"))];
    let failure = failure(&kfp, tasks, &logs).await;
    assert_eq!(
        (failure.step.as_deref(), failure.before_step),
        (Some("train"), false)
    );
    assert_eq!(failure.log.last().unwrap(), "ValueError: no rows");
}

/// A step that was tried three times: the last attempt speaks.
#[tokio::test]
async fn the_last_attempt_speaks() {
    let kfp = Kfp::start();
    let at = |n: u32| id(&format!(".root.train.executor({n})"));
    let tasks = json!([
        node(WORKFLOW, "FAILED", 1, &[&id(".root-driver")]),
        node("root-driver", "SUCCEEDED", 1, &[&id(".root")]),
        node("root", "FAILED", 2, &[&id(".root.train-driver")]),
        node("train-driver", "SUCCEEDED", 3, &[&id(".root.train")]),
        node("train", "FAILED", 4, &[&id(".root.train.executor")]),
        node("executor", "FAILED", 4, &[&at(0), &at(1), &at(2)]),
        node("executor(0)", "FAILED", 4, &[]),
        node("executor(1)", "FAILED", 20, &[]),
        node("executor(2)", "FAILED", 50, &[]),
    ]);
    let logs = [0, 1, 2].map(|n| (at(n), log(&format!("attempt {n}: ValueError"))));
    let failure = failure(&kfp, tasks, &logs).await;
    assert_eq!(failure.log.last().unwrap(), "attempt 2: ValueError");
}

/// A declared input that was not given: the step itself never begins.
#[tokio::test]
async fn a_driver_that_fails() {
    let kfp = Kfp::start();
    let driver = id(".root.train-driver");
    let tasks = json!([
        node(WORKFLOW, "FAILED", 1, &[&id(".root-driver")]),
        node("root-driver", "SUCCEEDED", 1, &[&id(".root")]),
        node("root", "FAILED", 2, &[&driver]),
        node("train-driver", "FAILED", 3, &[]),
    ]);
    let words = "time=\"2026-11-21T11:59:04Z\" level=info msg=\"capturing logs\" argo=true\n\
        F1121 11:59:05.000001      15 main.go:79] KFP driver: driver.Container failed: parameter \"def\" not found in executor input\n";
    let failure = failure(&kfp, tasks, &[(driver, words.to_owned())]).await;
    insta::assert_snapshot!(failure);
}

#[tokio::test]
async fn logs_that_are_not_to_be_had() {
    let kfp = Kfp::start();
    // Its pod was never made: a missing Secret and a deadline.
    let never = failure(&kfp, json!([node("train", "FAILED", 4, &[])]), &[]).await;
    insta::assert_snapshot!(never, @r#"run "retrain_20261121_115831" (RUN) ended FAILED in step "train"; its log is not to be had: the run names no node of it; its pod was perhaps never made"#);
    assert_eq!(never.next(), "kubectl --namespace kubeflow get workflows,pods");
    let pod = format!("{WORKFLOW}-1");
    let tasks = json!([node("train", "FAILED", 4, &[&pod])]);
    let empty = failure(&kfp, tasks.clone(), &[(pod.clone(), String::new())]).await;
    assert_eq!(empty.log_missing.as_deref(), Some("it is empty"));
    let gone = failure(&kfp, tasks.clone(), &[]).await;
    assert!(gone.log_missing.unwrap().contains("Failed to read logs"));
    kfp.fault(
        "GET",
        "log",
        false,
        body(200, "text/html", "<!doctype html><title>Kubeflow</title>"),
    );
    let page = failure(&kfp, tasks.clone(), &[(pod.clone(), log("x"))]).await;
    // The web page does not pass the path of logs on, and answers with itself.
    assert!(
        page.log_missing
            .unwrap()
            .contains("with a web page (status 200, \"Kubeflow\")")
    );
    let printed = failure(
        &kfp,
        tasks.clone(),
        &[(pod.clone(), "<html>a report</html>".to_owned())],
    )
    .await;
    assert_eq!(printed.log, ["<html>a report</html>"]);
    kfp.fault("GET", "log", false, refused(500, 13, "Failed to read log"));
    let again = failure(&kfp, tasks, &[(pod, log("x"))]).await;
    assert_eq!(again.log, ["reading 120 rows", "x"]);
    // No node at all: terminated, or a service account that does not exist.
    let none = failure(&kfp, json!([]), &[]).await;
    insta::assert_snapshot!(none, @r#"run "retrain_20261121_115831" (RUN) ended FAILED; no step is told to have failed: it was terminated, or could not begin"#);
}

#[tokio::test]
async fn a_log_that_is_very_long() {
    let kfp = Kfp::start();
    let pod = format!("{WORKFLOW}-1");
    let text = "a line of a very long log\n".repeat(200_000) + "the last one\n";
    let tasks = json!([node("train", "FAILED", 4, &[&pod])]);
    let failure = failure(&kfp, tasks, &[(pod.clone(), text)]).await;
    assert_eq!(failure.log.len(), 3);
    assert_eq!(failure.log[2], "the last one");
    let whole = kfp.client().log("RUN", &pod).await.unwrap();
    assert_eq!(whole.len(), 256 << 10);
}
