//! Jobs made from CronJobs, and the data place.

use crate::fixture::{Lab, NAMESPACE, wait_for};
use cluster::{
    Kind,
    data::{DataPlace, Put},
    in_cluster::InCluster,
};
use engine::{Engine, Run, RunPhase};
use std::time::Duration;

const TEMPLATE: &str = "probe-run";
const RUN: Duration = Duration::from_secs(60);

fn env(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect()
}

fn end(lab: &Lab, id: &str) -> Run {
    engine::wait_run(&lab.engine, id, RUN, |_| {}).unwrap()
}

#[test]
fn a_run_says_what_it_did_and_how_it_ended() {
    let lab = crate::lab!("runs");
    let args = vec!["second".to_owned()];
    let id = lab
        .engine
        .start_run(TEMPLATE, &args, &env(&[("WORD", "over")]))
        .unwrap();
    let run = end(&lab, &id);
    assert_eq!(
        (run.phase, run.exit_code, run.attempts),
        (RunPhase::Succeeded, Some(0), 1)
    );
    assert_eq!(run.stdout, r#"{"args":"first second","word":"over"}"#);
    assert_eq!(run.log_tail, ["begins"]);
    assert!(run.finished_at.is_some());
    assert_eq!(lab.engine.status().unwrap().runs[0].id, id);
    assert!(lab.engine.logs(&id, 10).unwrap().contains(&"begins".to_owned()));

    let id = lab
        .engine
        .start_run(TEMPLATE, &[], &env(&[("CODE", "7")]))
        .unwrap();
    let run = end(&lab, &id);
    assert_eq!(
        (run.phase, run.exit_code, run.attempts),
        (RunPhase::Failed, Some(7), 2)
    );
    let (ok, answer) = lab.command(&["wait", "job", "--namespace", NAMESPACE, "--name", &id]);
    assert!(
        !ok && answer["error"]["message"].as_str().unwrap().contains("failed"),
        "{answer}"
    );
    // A failed run is no failed application.
    assert!(lab.app().is_live_at(&lab.app().revision));
    assert!(lab.engine.run("probe-run-nothere").is_err());
    assert!(lab.engine.start_run("nothere", &[], &[]).is_err());
}

#[test]
fn runs_of_one_template_wait_for_each_other() {
    let lab = crate::lab!("runs that wait");
    let first = lab
        .engine
        .start_run(TEMPLATE, &[], &env(&[("SLEEP", "4")]))
        .unwrap();
    let second = lab
        .engine
        .start_run(TEMPLATE, &[], &env(&[("WORD", "2")]))
        .unwrap();
    let third = lab
        .engine
        .start_run(TEMPLATE, &[], &env(&[("WORD", "3")]))
        .unwrap();
    wait_for("the first one runs", RUN, || {
        (lab.engine.run(&first).unwrap().phase == RunPhase::Running).then_some(())
    });
    let waiting = lab.engine.run(&second).unwrap();
    assert_eq!(waiting.phase, RunPhase::Pending);
    assert!(
        waiting.log_tail.iter().any(|line| line.contains("waits")),
        "{waiting:?}"
    );

    let inside = InCluster::through(&lab.context, NAMESPACE).unwrap();
    assert_eq!(inside.unfinished_runs(TEMPLATE).unwrap().len(), 3);
    assert_eq!(
        inside.start_run(TEMPLATE, &[], &[]).unwrap_err().kind,
        Kind::Conflict
    );

    // Killed: it is retried, and the others go on waiting.
    lab.engine.kill(&first).unwrap();
    let ended: Vec<Run> = [&first, &second, &third].iter().map(|id| end(&lab, id)).collect();
    assert!(
        ended.iter().all(|run| run.phase == RunPhase::Succeeded),
        "{ended:?}"
    );
    assert_eq!(ended[0].attempts, 2);
    let times: Vec<&str> = ended
        .iter()
        .map(|run| run.finished_at.as_deref().unwrap())
        .collect();
    assert!(times.is_sorted(), "{times:?}");

    let alone = inside
        .start_run(TEMPLATE, &["x".to_owned()], &env(&[("WORD", "inside")]))
        .unwrap();
    assert!(end(&lab, &alone).stdout.contains("inside"));
    let status = inside.patch_refresh("argocd/probe").unwrap();
    assert_eq!(status["sync"]["status"], "Synced");
}

#[test]
fn writers_of_the_data_place_do_not_lose_each_others_batches() {
    let lab = crate::lab!("data place");
    let name = format!("data-{}", std::process::id());
    let place = DataPlace::at(&lab.client, NAMESPACE, &name);
    lab.runtime.block_on(async {
        let writers = (0..8).map(|writer| {
            let place = place.clone();
            tokio::spawn(async move {
                for batch in 0..4 {
                    let name = format!("batch-{writer}-{batch}.csv");
                    assert_eq!(place.put(&name, "a,b\n1,2\n").await.unwrap(), Put::Added);
                }
            })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.unwrap();
        }
        assert_eq!(place.names().await.unwrap().len(), 32);
        assert_eq!(
            place.put("batch-0-0.csv", "a,b\n1,2\n").await.unwrap(),
            Put::Already
        );
        assert_eq!(
            place.put("batch-0-0.csv", "other").await.unwrap_err().kind,
            Kind::Conflict
        );
        assert_eq!(place.get("batch-7-3.csv").await.unwrap(), "a,b\n1,2\n");
        assert_eq!(place.get("none.csv").await.unwrap_err().kind, Kind::NotFound);
        let large = "x".repeat(cluster::data::BYTES_MAX);
        assert!(
            place
                .put("large.csv", &large)
                .await
                .unwrap_err()
                .message
                .contains("PersistentVolumeClaim")
        );
    });
    let maps: kube::Api<k8s_openapi::api::core::v1::ConfigMap> =
        kube::Api::namespaced(lab.client.clone(), NAMESPACE);
    lab.runtime
        .block_on(maps.delete(&name, &kube::api::DeleteParams::default()))
        .unwrap();
}

/// As a pod would, with the real API server's compare-and-swap.
#[test]
fn a_name_and_a_record_are_given_once() {
    let lab = crate::lab!("names and records");
    let pod = InCluster::through(&lab.context, NAMESPACE).unwrap();
    let stamp = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_millis();
    let name = format!("{TEMPLATE}-{stamp}");
    for _ in 0..2 {
        let begun = pod.start_run_named(TEMPLATE, &name, &[], &[]).unwrap();
        assert_eq!(begun, cluster::in_cluster::Begun::There);
    }
    assert_eq!(
        lab.engine.start_run_named(TEMPLATE, &name, &[], &[]).unwrap(),
        name
    );
    end(&lab, &name);
    let record = format!("record-{stamp}");
    let (version, text) = pod.record(&record).unwrap();
    assert_eq!((version.as_str(), text), ("", None));
    assert!(pod.put_record(&record, "", "one").unwrap());
    assert!(!pod.put_record(&record, "", "two").unwrap());
    let (version, _) = pod.record(&record).unwrap();
    assert!(pod.put_record(&record, &version, "two").unwrap());
    assert!(!pod.put_record(&record, &version, "three").unwrap());
    assert_eq!(pod.record(&record).unwrap().1.as_deref(), Some("two"));
    assert!(pod.runs(TEMPLATE).unwrap()[&name].is_some());
    // It is nobody's in Git: a sync with prune and self-heal leaves it alone.
    let commit = lab.push(crate::fixture::IMAGE_A, "after the record");
    lab.wait_live(&commit, Duration::from_secs(90));
    assert_eq!(pod.record(&record).unwrap().1.as_deref(), Some("two"));
}
