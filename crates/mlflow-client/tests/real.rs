//! Every call once against a real MLflow server.

#[path = "support/server.rs"]
mod server;

use mlflow_client::{
    Batch, Client, DatasetInput, Error, Metric, NewLoggedModel, NewModelVersion, NewRun, Param, RunStatus,
    Tag, code, now_ms,
};

#[tokio::test]
async fn the_whole_life_of_a_version() {
    let Some(server) = server::start("the_whole_life_of_a_version") else {
        return;
    };
    let client = Client::new(&server.address).unwrap();
    assert!(client.version().await.unwrap().starts_with("3."));

    assert_eq!(client.experiment("kubeflow-retrain").await.unwrap(), None);
    let experiment = client.experiment_or_create("kubeflow-retrain").await.unwrap();
    assert_eq!(
        client.experiment_or_create("kubeflow-retrain").await.unwrap(),
        experiment
    );

    let new = NewRun {
        experiment_id: experiment.clone(),
        run_name: "kfp_20261121_120000".to_owned(),
        start_time: now_ms(),
        tags: vec![Tag::new("driftless.dev/run-key", "k1")],
    };
    let run = client.create_run(&new).await.unwrap().info;
    let filter = "tags.`driftless.dev/run-key` = 'k1'";
    assert_eq!(client.search_runs(&experiment, filter, 5).await.unwrap().len(), 1);

    let metric = |value: f64| Metric {
        key: "accuracy".to_owned(),
        value,
        timestamp: run.start_time,
        step: 0,
        model_id: None,
        dataset_name: None,
        dataset_digest: None,
    };
    let param = |value: &str| Param {
        key: "seed".to_owned(),
        value: value.to_owned(),
    };
    let batch = Batch {
        metrics: vec![metric(0.97)],
        params: vec![param("42")],
        tags: vec![Tag::new("a", "b")],
    };
    client.log_batch(&run.run_id, &batch).await.unwrap();
    client.log_batch(&run.run_id, &batch).await.unwrap();
    let changed = Batch {
        params: vec![param("43")],
        ..Batch::default()
    };
    assert!(
        client
            .log_batch(&run.run_id, &changed)
            .await
            .unwrap_err()
            .is(code::INVALID_PARAMETER)
    );
    client
        .set_run_tag(&run.run_id, &Tag::new("long", "x".repeat(9_000)))
        .await
        .unwrap();
    let dataset = DatasetInput {
        name: "iris".to_owned(),
        digest: "a1b2c3d4".to_owned(),
        source_type: "local".to_owned(),
        source: "{}".to_owned(),
        schema: r#"{"mlflow_colspec": [{"type": "double", "name": "a", "required": true}]}"#.to_owned(),
        profile: r#"{"num_rows": 150}"#.to_owned(),
    };
    client.log_input(&run.run_id, &dataset).await.unwrap();
    client
        .put_artifact(&run.artifact_uri, "drift/x y.bin", vec![1, 2, 3])
        .await
        .unwrap();
    assert_eq!(
        client.artifact(&run.artifact_uri, "drift/x y.bin").await.unwrap(),
        [1, 2, 3]
    );
    assert_eq!(
        client.run_artifacts(&run.run_id, "drift").await.unwrap()[0].file_size,
        3
    );

    let new = NewLoggedModel {
        experiment_id: experiment.clone(),
        name: "iris-model".to_owned(),
        model_type: "random-forest".to_owned(),
        source_run_id: run.run_id.clone(),
        params: vec![param("42")],
        tags: vec![Tag::new("driftless.dev/run-key", "k1")],
    };
    let model = client.create_logged_model(&new).await.unwrap();
    assert!(!model.is_ready());
    client
        .put_artifact(&model.artifact_uri, "MLmodel", b"flavors: {}\n".to_vec())
        .await
        .unwrap();
    assert!(
        client
            .finalize_logged_model(&model.model_id)
            .await
            .unwrap()
            .is_ready()
    );
    assert!(client.logged_model(&model.model_id).await.unwrap().is_ready());
    client
        .tag_logged_model(&model.model_id, &[Tag::new("validated", "true")])
        .await
        .unwrap();
    assert_eq!(
        client.search_logged_models(&experiment, filter, 5).await.unwrap()[0].model_id,
        model.model_id
    );
    assert_eq!(
        client.model_artifacts(&model.model_id).await.unwrap()[0].path,
        "MLmodel"
    );
    client.log_output(&run.run_id, &model.model_id).await.unwrap();

    assert!(client.registered_model("iris-model").await.unwrap().is_none());
    client.registered_model_or_create("iris-model", "").await.unwrap();
    client.registered_model_or_create("iris-model", "").await.unwrap();
    let new = NewModelVersion {
        name: "iris-model".to_owned(),
        model_id: model.model_id.clone(),
        run_id: run.run_id.clone(),
        description: String::new(),
        tags: vec![Tag::new("driftless.dev/run-key", "k1")],
    };
    let version = client.create_version(&new).await.unwrap();
    assert_eq!(
        (version.version, version.model_id()),
        (1, Some(model.model_id.as_str()))
    );
    assert_eq!(
        client.versions("iris-model", Some(&run.run_id)).await.unwrap()[0].version,
        1
    );
    assert!(
        client
            .versions("iris-model", Some("absent"))
            .await
            .unwrap()
            .is_empty()
    );
    client
        .set_version_tag("iris-model", 1, &Tag::new("commit", "abc"))
        .await
        .unwrap();

    assert_eq!(client.alias("iris-model", "champion").await.unwrap(), None);
    assert_eq!(client.alias("absent", "champion").await.unwrap(), None);
    client.set_alias("iris-model", "champion", 1).await.unwrap();
    let champion = client.alias("iris-model", "champion").await.unwrap().unwrap();
    assert_eq!((champion.version, champion.tag("commit")), (1, Some("abc")));
    assert_eq!(
        client
            .registered_model("iris-model")
            .await
            .unwrap()
            .unwrap()
            .aliases[0]
            .version,
        1
    );
    client.delete_alias("iris-model", "champion").await.unwrap();
    client.delete_alias("iris-model", "champion").await.unwrap();

    client
        .finish_run(&run.run_id, RunStatus::Finished, now_ms())
        .await
        .unwrap();
    let run = client.run(&run.run_id).await.unwrap();
    assert_eq!(run.info.status, RunStatus::Finished);
    assert_eq!(
        (
            run.data.metrics.len(),
            run.inputs.dataset_inputs.len(),
            run.outputs.model_outputs.len()
        ),
        (1, 1, 1)
    );
    let absent = client.run("0123456789abcdef0123456789abcdef").await.unwrap_err();
    assert!(matches!(absent, Error::Refused { status: 404, .. }), "{absent}");
}
