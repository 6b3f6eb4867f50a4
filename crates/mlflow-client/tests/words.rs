//! The client against a scripted server that answers in MLflow's own words.

use mlflow_client::{
    Batch, Client, Error, Metric, NewLoggedModel, NewModelVersion, NewRun, Param, RunStatus, Tag, code,
};
use serde_json::{Value, json};
use wiremock::matchers::{body_json, body_partial_json, method, path, query_param};
use wiremock::{Mock, MockServer, Respond, ResponseTemplate};

const API: &str = "/api/2.0/mlflow";
const RUN: &str = "21cc760e27f046158ea428503022e8bd";
const MODEL: &str = "m-54f48caa174f48f6ac612321650a0d96";

async fn client(server: &MockServer) -> Client {
    Client::builder(&server.uri()).attempts(3).build().unwrap()
}

fn refusal(status: u16, code: &str, message: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(json!({
        "error_code": code, "message": message, "sqlstate": "KAM00", "error_class": code}))
}

fn answer(body: Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

async fn script(server: &MockServer, verb: &str, route: &str, times: u64, reply: impl Respond + 'static) {
    Mock::given(method(verb))
        .and(path(format!("{API}/{route}")))
        .respond_with(reply)
        .expect(times)
        .up_to_n_times(times)
        .mount(server)
        .await;
}

#[tokio::test]
async fn an_experiment_that_another_one_makes_meanwhile() {
    let server = MockServer::start().await;
    let absent = "Could not find experiment with name 'iris'";
    let by_name = "experiments/get-by-name";
    script(
        &server,
        "GET",
        by_name,
        1,
        refusal(404, code::DOES_NOT_EXIST, absent),
    )
    .await;
    let taken =
        "Experiment(name=iris) already exists. Error: (sqlite3.IntegrityError) UNIQUE constraint failed";
    script(
        &server,
        "POST",
        "experiments/create",
        1,
        refusal(400, code::ALREADY_EXISTS, taken),
    )
    .await;
    let found = json!({"experiment": {"experiment_id": "1", "name": "iris", "artifact_location": "mlflow-artifacts:/1",
        "lifecycle_stage": "active", "last_update_time": 1795249618827i64, "creation_time": 1795249618827i64,
        "workspace": "default"}});
    script(&server, "GET", by_name, 1, answer(found)).await;
    assert_eq!(
        client(&server).await.experiment_or_create("iris").await.unwrap(),
        "1"
    );
}

#[tokio::test]
async fn a_run_is_made_logged_and_finished() {
    let server = MockServer::start().await;
    let client = client(&server).await;
    let info = json!({"run_uuid": RUN, "experiment_id": "1", "run_name": "kfp-run-1", "user_id": "", "status": "RUNNING",
        "start_time": 1795249618676i64, "artifact_uri": format!("mlflow-artifacts:/1/{RUN}/artifacts"),
        "lifecycle_stage": "active", "run_id": RUN});
    let run = json!({"run": {"info": info, "data": {"tags": [{"key": "mlflow.user", "value": "pipeline"}]}, "inputs": {}}});
    Mock::given(method("POST"))
        .and(path(format!("{API}/runs/create")))
        .and(body_json(
            json!({"experiment_id": "1", "run_name": "kfp-run-1", "start_time": 1795249618676i64,
            "tags": [{"key": "mlflow.user", "value": "pipeline"}]}),
        ))
        .respond_with(answer(run))
        .expect(1)
        .mount(&server)
        .await;
    let new = NewRun {
        experiment_id: "1".to_owned(),
        run_name: "kfp-run-1".to_owned(),
        start_time: 1_795_249_618_676,
        tags: vec![Tag::new("mlflow.user", "pipeline")],
    };
    let run = client.create_run(&new).await.unwrap();
    assert_eq!(
        (run.info.status, run.tag("mlflow.user")),
        (RunStatus::Running, Some("pipeline"))
    );

    Mock::given(method("POST"))
        .and(path(format!("{API}/runs/log-batch")))
        .and(body_json(
            json!({"run_id": RUN, "params": [{"key": "seed", "value": "42"}],
            "metrics": [{"key": "val_accuracy", "value": 0.97, "timestamp": 1795249618681i64, "step": 0,
                "model_id": MODEL, "dataset_name": "iris", "dataset_digest": "a1b2c3d4"}]}),
        ))
        .respond_with(answer(json!({})))
        .expect(1)
        .mount(&server)
        .await;
    let metric = Metric {
        key: "val_accuracy".to_owned(),
        value: 0.97,
        timestamp: 1_795_249_618_681,
        step: 0,
        model_id: Some(MODEL.to_owned()),
        dataset_name: Some("iris".to_owned()),
        dataset_digest: Some("a1b2c3d4".to_owned()),
    };
    let param = Param {
        key: "seed".to_owned(),
        value: "42".to_owned(),
    };
    let batch = Batch {
        metrics: vec![metric],
        params: vec![param],
        tags: Vec::new(),
    };
    client.log_batch(RUN, &batch).await.unwrap();

    Mock::given(method("POST"))
        .and(path(format!("{API}/runs/update")))
        .and(body_json(
            json!({"run_id": RUN, "status": "FAILED", "end_time": 1795249620676i64}),
        ))
        .respond_with(answer(json!({"run_info": {"run_id": RUN, "status": "FAILED"}})))
        .expect(1)
        .mount(&server)
        .await;
    client
        .finish_run(RUN, RunStatus::Failed, 1_795_249_620_676)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_changed_parameter_is_refused_in_the_servers_words_and_not_repeated() {
    let server = MockServer::start().await;
    let words = "Changing param values is not allowed. Params were already logged='[{'key': 'max_depth', \
                 'old_value': '3', 'new_value': '4'}]' for run ID='21cc760e27f046158ea428503022e8bd'.";
    script(
        &server,
        "POST",
        "runs/log-batch",
        1,
        refusal(400, code::INVALID_PARAMETER, words),
    )
    .await;
    let error = client(&server)
        .await
        .log_batch(RUN, &Batch::default())
        .await
        .unwrap_err();
    insta::assert_snapshot!(error, @"MLflow refused POST runs/log-batch: 400 INVALID_PARAMETER_VALUE: Changing param values is not allowed. Params were already logged='[{'key': 'max_depth', 'old_value': '3', 'new_value': '4'}]' for run ID='21cc760e27f046158ea428503022e8bd'.");
}

#[tokio::test]
async fn a_logged_model_needs_its_id_in_the_body_too() {
    let server = MockServer::start().await;
    let client = client(&server).await;
    let model = |status: &str| {
        json!({"model": {"info": {"model_id": MODEL, "experiment_id": "1", "name": "iris-tree",
            "creation_timestamp_ms": 1795249619267i64, "last_updated_timestamp_ms": 1795249619267i64,
            "artifact_uri": format!("mlflow-artifacts:/1/models/{MODEL}/artifacts"), "status": status,
            "model_type": "decision-tree", "source_run_id": RUN, "tags": [{"key": "framework", "value": "rust"}]},
            "data": {"params": [{"key": "max_depth", "value": "3"}]}}})
    };
    script(
        &server,
        "POST",
        "logged-models",
        1,
        answer(model("LOGGED_MODEL_PENDING")),
    )
    .await;
    let new = NewLoggedModel {
        experiment_id: "1".to_owned(),
        name: "iris-tree".to_owned(),
        model_type: "decision-tree".to_owned(),
        source_run_id: RUN.to_owned(),
        params: Vec::new(),
        tags: Vec::new(),
    };
    let made = client.create_logged_model(&new).await.unwrap();
    assert!(!made.is_ready());
    assert_eq!(made.tag("framework"), Some("rust"));
    Mock::given(method("PATCH"))
        .and(path(format!("{API}/logged-models/{MODEL}")))
        .and(body_json(
            json!({"model_id": MODEL, "status": "LOGGED_MODEL_READY"}),
        ))
        .respond_with(answer(model("LOGGED_MODEL_READY")))
        .expect(1)
        .mount(&server)
        .await;
    assert!(client.finalize_logged_model(MODEL).await.unwrap().is_ready());
    let route = format!("/api/2.0/mlflow-artifacts/artifacts/1/models/{MODEL}/artifacts/drift/data%20a.npy");
    Mock::given(method("PUT"))
        .and(path(route))
        .respond_with(ResponseTemplate::new(200))
        .expect(1)
        .mount(&server)
        .await;
    client
        .put_artifact(&made.artifact_uri, "drift/data a.npy", b"x".to_vec())
        .await
        .unwrap();
    let outside = client
        .put_artifact(&made.artifact_uri, "../x", Vec::new())
        .await
        .unwrap_err();
    assert!(matches!(outside, Error::Address { .. }), "{outside}");
}

#[tokio::test]
async fn a_version_and_its_aliases() {
    let server = MockServer::start().await;
    let client = client(&server).await;
    let taken = "Registered Model (name=iris-classifier) already exists.";
    script(
        &server,
        "POST",
        "registered-models/create",
        1,
        refusal(400, code::ALREADY_EXISTS, taken),
    )
    .await;
    client
        .registered_model_or_create("iris-classifier", "Iris species")
        .await
        .unwrap();
    let version = json!({"name": "iris-classifier", "version": "1", "creation_timestamp": 1795249619946i64,
        "last_updated_timestamp": 1795249619946i64, "current_stage": "None", "description": "from pipeline",
        "source": format!("models:/{MODEL}"), "run_id": RUN, "status": "READY", "run_link": "",
        "tags": [{"key": "validation_status", "value": "approved"}]});
    Mock::given(method("POST"))
        .and(path(format!("{API}/model-versions/create")))
        .and(body_partial_json(
            json!({"source": format!("models:/{MODEL}"), "model_id": MODEL, "run_id": RUN}),
        ))
        .respond_with(answer(json!({"model_version": version})))
        .expect(1)
        .mount(&server)
        .await;
    let new = NewModelVersion {
        name: "iris-classifier".to_owned(),
        model_id: MODEL.to_owned(),
        run_id: RUN.to_owned(),
        description: "from pipeline".to_owned(),
        tags: Vec::new(),
    };
    let made = client.create_version(&new).await.unwrap();
    assert_eq!((made.version, made.model_id()), (1, Some(MODEL)));
    assert_eq!(made.tag("validation_status"), Some("approved"));

    let absent = "Registered model alias nobody not found.";
    Mock::given(method("GET"))
        .and(path(format!("{API}/registered-models/alias")))
        .and(query_param("alias", "nobody"))
        .respond_with(refusal(400, code::INVALID_PARAMETER, absent))
        .mount(&server)
        .await;
    assert_eq!(client.alias("iris-classifier", "nobody").await.unwrap(), None);
    Mock::given(method("POST"))
        .and(path(format!("{API}/registered-models/alias")))
        .and(body_json(
            json!({"name": "iris-classifier", "alias": "champion", "version": "1"}),
        ))
        .respond_with(answer(json!({})))
        .expect(1)
        .mount(&server)
        .await;
    client.set_alias("iris-classifier", "champion", 1).await.unwrap();
}

#[tokio::test]
async fn versions_are_read_page_by_page() {
    let server = MockServer::start().await;
    let of = |n: u32| json!({"name": "iris-classifier", "version": n.to_string(), "source": "oci://x/y:1", "status": "READY"});
    let search = || Mock::given(method("GET")).and(path(format!("{API}/model-versions/search")));
    search()
        .and(query_param("page_token", "more"))
        .respond_with(answer(json!({"model_versions": [of(1)]})))
        .expect(1)
        .mount(&server)
        .await;
    search()
        .and(query_param("filter", "name='iris-classifier'"))
        .respond_with(answer(
            json!({"model_versions": [of(3), of(2)], "next_page_token": "more"}),
        ))
        .expect(1)
        .mount(&server)
        .await;
    let found = client(&server)
        .await
        .versions("iris-classifier", None)
        .await
        .unwrap();
    assert_eq!(found.iter().map(|v| v.version).collect::<Vec<_>>(), [3, 2, 1]);
    assert_eq!(found[0].model_id(), None);
}
