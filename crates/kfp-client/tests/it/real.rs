//! The life of a pipeline on a real server, where `KFP_URL` names one. It leaves nothing behind but
//! an experiment; its run is terminated, so that no image is needed.

use crate::support::DOCUMENT;
use kfp_client::{
    Client, Cron, Error, NewRecurringRun, NewRun, PipelineDocument, VersionReference, Wait, check_parameters,
};
use serde_json::json;
use std::time::Duration;

/// A client of the real server, or one line that says why there is none.
fn client(test: &str) -> Option<Client> {
    match std::env::var("KFP_URL") {
        Ok(address) if !address.is_empty() => Some(Client::new(&address).unwrap()),
        _ => {
            eprintln!("SKIPPED {test}: KFP_URL names no Kubeflow Pipelines");
            None
        }
    }
}

/// A document of a name that nobody else has.
fn document() -> PipelineDocument {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let name = format!("driftless-test-{}-{}", now.as_millis(), std::process::id());
    PipelineDocument::parse(&DOCUMENT.replace("iris-retrain", &name)).unwrap()
}

#[tokio::test]
async fn the_whole_life_on_a_real_server() {
    let Some(client) = client("the_whole_life_on_a_real_server") else {
        return;
    };
    client.health().await.unwrap();
    let document = document();
    assert_eq!(client.pipeline(document.name()).await.unwrap(), None);
    let pipeline = client.ensure_pipeline(document.name(), &document).await.unwrap();
    assert_eq!(
        client.ensure_pipeline(document.name(), &document).await.unwrap(),
        pipeline
    );
    let version = client
        .ensure_version(&pipeline.pipeline_id, &document)
        .await
        .unwrap();
    assert_eq!(
        client
            .ensure_version(&pipeline.pipeline_id, &document)
            .await
            .unwrap(),
        version
    );
    assert_eq!(client.versions(&pipeline.pipeline_id).await.unwrap().len(), 2);
    let experiment = client.ensure_experiment("driftless-test").await.unwrap();
    assert_eq!(
        client.ensure_experiment("driftless-test").await.unwrap(),
        experiment
    );

    let given = json!({"model_name": "iris"});
    let new = NewRun {
        display_name: document.name().to_owned(),
        experiment_id: Some(experiment.experiment_id.clone()),
        version: VersionReference {
            pipeline_id: pipeline.pipeline_id.clone(),
            pipeline_version_id: Some(version.pipeline_version_id),
        },
        parameters: check_parameters(document.parameters(), given.as_object().unwrap()).unwrap(),
        ..NewRun::default()
    };
    let run = client.start_run(&new).await.unwrap();
    let newest = client.newest_runs(Some(&experiment.experiment_id)).await.unwrap();
    // What a start whose answer was lost is found by.
    assert_eq!(newest[0].description, run.description);
    client.terminate_run(&run.run_id).await.unwrap();
    let wait = Wait {
        deadline: Duration::from_secs(180),
        ..Wait::default()
    };
    let error = client.wait(&run.run_id, &wait, |_| ()).await.unwrap_err();
    assert!(
        matches!(error, Error::RunFailed(_)),
        "a terminated run ends FAILED: {error}"
    );
    assert_eq!(
        client.terminate_run(&run.run_id).await.unwrap_err().id(),
        "kfp-run-not-running"
    );
    client.archive_run(&run.run_id).await.unwrap();
    client.delete_run(&run.run_id).await.unwrap();
    assert_eq!(client.run(&run.run_id).await.unwrap_err().id(), "kfp-not-found");

    let nightly = NewRecurringRun {
        display_name: document.name().to_owned(),
        description: String::new(),
        cron: Cron::parse("0 0 2 1 1 *").unwrap(),
        max_concurrency: 1,
        no_catchup: true,
        experiment_id: Some(experiment.experiment_id),
        version: new.version,
        parameters: new.parameters,
        service_account: None,
    };
    let made = client.start_recurring_run(&nightly).await.unwrap();
    assert_eq!(
        (made.cron(), made.max_concurrency),
        (Some("0 0 2 1 1 *"), Some(1))
    );
    let all = client.recurring_runs().await.unwrap();
    assert!(
        all.iter()
            .any(|one| one.recurring_run_id == made.recurring_run_id && one.description == made.description)
    );
    client
        .enable_recurring_run(&made.recurring_run_id, false)
        .await
        .unwrap();
    client.delete_recurring_run(&made.recurring_run_id).await.unwrap();
    client.delete_pipeline(&pipeline.pipeline_id).await.unwrap();
    assert_eq!(client.pipeline(document.name()).await.unwrap(), None);
}

#[tokio::test]
async fn a_real_servers_words_of_refusal() {
    let Some(client) = client("a_real_servers_words_of_refusal") else {
        return;
    };
    let nobody = "00000000-0000-0000-0000-000000000000";
    assert_eq!(client.run(nobody).await.unwrap_err().id(), "kfp-not-found");
    let error = client.ensure_version(nobody, &document()).await.unwrap_err();
    assert!(
        matches!(error, Error::Refused { .. } | Error::NotFound { .. }),
        "{error}"
    );
    assert!(client.log(nobody, "nothing-1").await.is_err());
    client.delete_run(nobody).await.unwrap();
}
