//! Pipelines, versions, experiments: found or made, once.

use crate::support::kfp::{body, refused, upload_refused};
use crate::support::{DOCUMENT, Kfp, Reply};
use kfp_client::{Error, PipelineDocument};
use serde_json::json;

fn document() -> PipelineDocument {
    PipelineDocument::parse(DOCUMENT).unwrap()
}

#[tokio::test]
async fn health() {
    let kfp = Kfp::start();
    let health = kfp.client().health().await.unwrap();
    assert_eq!(
        (health.tag_name.as_str(), health.pipeline_store.as_str()),
        ("2.17.0", "database")
    );
    // The web page's own answer on that path.
    let page = json!({"apiServerCommitHash": "c", "apiServerTagName": "2.17.0", "apiServerReady": true,
        "frontendTagName": "2.17.0"});
    kfp.fault("GET", "healthz", false, body(200, "application/json", page));
    assert_eq!(kfp.client().health().await.unwrap().tag_name, "2.17.0");
    for page in [
        json!({"apiServerReady": false, "frontendTagName": "2.17.0"}),
        json!({"ok": 1}),
    ] {
        kfp.fault("GET", "healthz", false, body(200, "application/json", page));
        assert_eq!(
            kfp.client().health().await.unwrap_err().id(),
            "kfp-answer-unreadable"
        );
    }
}

#[tokio::test]
async fn the_same_document_is_uploaded_once() {
    let kfp = Kfp::start();
    let client = kfp.client();
    assert_eq!(client.pipeline("iris-retrain").await.unwrap(), None);
    let mut ids = Vec::new();
    for _ in 0..2 {
        let pipeline = client.ensure_pipeline("iris-retrain", &document()).await.unwrap();
        let version = client
            .ensure_version(&pipeline.pipeline_id, &document())
            .await
            .unwrap();
        assert_eq!(version.name, document().version_name());
        ids.push((pipeline.pipeline_id, version.pipeline_version_id));
    }
    assert_eq!(ids[0], ids[1]);
    assert_eq!(
        (
            kfp.asked("POST", "pipelines/upload"),
            kfp.asked("POST", "pipelines/upload_version")
        ),
        (1, 1)
    );
    // Another document is another version of the same pipeline.
    let other = PipelineDocument::parse(&DOCUMENT.replace("42.0", "43.0")).unwrap();
    let pipeline = client.ensure_pipeline("iris-retrain", &other).await.unwrap();
    let version = client
        .ensure_version(&pipeline.pipeline_id, &other)
        .await
        .unwrap();
    assert_eq!(pipeline.pipeline_id, ids[0].0);
    assert_ne!(version.pipeline_version_id, ids[0].1);
    // Newest first: the two by hash, and the one that the server made with the pipeline.
    let names: Vec<String> = client
        .versions(&pipeline.pipeline_id)
        .await
        .unwrap()
        .into_iter()
        .map(|v| v.name)
        .collect();
    assert_eq!(
        names,
        [
            other.version_name(),
            document().version_name(),
            "iris-retrain".to_owned()
        ]
    );

    // The text arrives as it is, under the field and with the ending that the server looks for.
    let sent = kfp
        .world()
        .seen
        .iter()
        .find(|r| r.path.ends_with("/upload"))
        .unwrap()
        .clone();
    let text = String::from_utf8(sent.body).unwrap();
    assert!(
        text.contains("name=\"uploadfile\"; filename=\"pipeline.yaml\""),
        "{text}"
    );
    assert!(text.contains(DOCUMENT), "{text}");

    client.delete_pipeline(&pipeline.pipeline_id).await.unwrap();
    client.delete_pipeline(&pipeline.pipeline_id).await.unwrap();
    assert_eq!(client.pipeline("iris-retrain").await.unwrap(), None);
}

#[tokio::test]
async fn somebody_else_was_faster() {
    let kfp = Kfp::start();
    let client = kfp.client();
    let words = "Failed to create a pipeline and a pipeline version";
    kfp.fault(
        "POST",
        "pipelines/upload",
        true,
        upload_refused(409, words, words),
    );
    let pipeline = client.ensure_pipeline("iris-retrain", &document()).await.unwrap();
    let words = "Failed to create a pipeline version";
    kfp.fault(
        "POST",
        "pipelines/upload_version",
        true,
        upload_refused(409, words, words),
    );
    let version = client
        .ensure_version(&pipeline.pipeline_id, &document())
        .await
        .unwrap();
    assert_eq!(version.pipeline_id, pipeline.pipeline_id);
    let made = {
        let world = kfp.world();
        (world.pipelines.len(), world.versions.len())
    };
    assert_eq!(made, (1, 2));

    // "Already there", and nowhere to be seen.
    kfp.fault(
        "POST",
        "pipelines/upload",
        false,
        upload_refused(409, words, words),
    );
    let error = client.ensure_pipeline("other", &document()).await.unwrap_err();
    assert!(matches!(error, Error::Refused { status: 409, .. }), "{error}");
}

#[tokio::test]
async fn an_upload_whose_answer_is_lost_is_looked_for() {
    for lost in [
        Reply::Close,
        Reply::Half,
        Reply::Hang,
        body(200, "text/plain", ""),
        body(502, "text/html", "<html><title>502 Bad Gateway</title></html>"),
    ] {
        let kfp = Kfp::start();
        let client = kfp.client();
        kfp.fault("POST", "pipelines/upload", true, lost.clone());
        kfp.fault("POST", "pipelines/upload_version", true, lost);
        let pipeline = client.ensure_pipeline("iris-retrain", &document()).await.unwrap();
        client
            .ensure_version(&pipeline.pipeline_id, &document())
            .await
            .unwrap();
        let uploads = (
            kfp.asked("POST", "pipelines/upload"),
            kfp.asked("POST", "pipelines/upload_version"),
        );
        assert_eq!(uploads, (1, 1));
    }
}

#[tokio::test]
async fn an_upload_that_never_arrived_is_sent_again_after_a_look() {
    let kfp = Kfp::start();
    let client = kfp.client();
    kfp.fault("POST", "pipelines/upload", false, Reply::Close);
    client.ensure_pipeline("iris-retrain", &document()).await.unwrap();
    let order: Vec<String> = kfp.world().seen.iter().map(|r| r.method.clone()).collect();
    let posts: Vec<usize> = (0..order.len()).filter(|i| order[*i] == "POST").collect();
    assert_eq!(posts.len(), 2);
    assert!(
        order[posts[0] + 1..posts[1]].iter().any(|m| m == "GET"),
        "{order:?}"
    );

    // Not for ever.
    for _ in 0..3 {
        kfp.fault("POST", "pipelines/upload", false, Reply::Close);
    }
    let error = client.ensure_pipeline("other", &document()).await.unwrap_err();
    assert_eq!(error.id(), "kfp-upload-unclear");
    assert_eq!(kfp.asked("POST", "pipelines/upload"), 5);

    // A slow server is not given a second one.
    kfp.fault("POST", "pipelines/upload", false, Reply::Hang);
    let error = client.ensure_pipeline("third", &document()).await.unwrap_err();
    assert_eq!(error.id(), "kfp-upload-unclear");
    assert_eq!(kfp.asked("POST", "pipelines/upload"), 6);
}

#[tokio::test]
async fn what_the_server_says_of_an_upload() {
    let kfp = Kfp::start();
    let client = kfp.client();
    let unknown = client
        .ensure_version("no-such-pipeline", &document())
        .await
        .unwrap_err();
    insta::assert_snapshot!(unknown, @"Kubeflow Pipelines refused POST pipelines/upload_version: 400: Failed to create a pipeline version");
    let words = "Failed to create a pipeline and a pipeline version";
    let why =
        "Failed to create a pipeline and a pipeline version: Invalid input error: unknown template format";
    kfp.fault("POST", "pipelines/upload", false, upload_refused(400, words, why));
    let refused = client.ensure_pipeline("x", &document()).await.unwrap_err();
    insta::assert_snapshot!(refused, @"Kubeflow Pipelines refused POST pipelines/upload: 400: Failed to create a pipeline and a pipeline version: Invalid input error: unknown template format");
    kfp.fault(
        "POST",
        "pipelines/upload",
        false,
        body(400, "text/plain", "Pipeline.Name length cannot exceed 128"),
    );
    let refused = client.ensure_pipeline("x", &document()).await.unwrap_err();
    insta::assert_snapshot!(refused, @"Kubeflow Pipelines refused POST pipelines/upload: 400: Pipeline.Name length cannot exceed 128");
}

#[tokio::test]
async fn experiments() {
    let kfp = Kfp::start();
    let client = kfp.client();
    let first = client.ensure_experiment("iris").await.unwrap();
    assert_eq!(client.ensure_experiment("iris").await.unwrap(), first);
    assert_eq!(kfp.asked("POST", "experiments"), 1);
    // Another one was faster, or the answer was lost.
    for (name, reply) in [
        ("a", refused(409, 6, "Already exist error")),
        ("b", Reply::Close),
        ("c", Reply::Half),
    ] {
        kfp.fault("POST", "experiments", true, reply);
        assert_eq!(client.ensure_experiment(name).await.unwrap().display_name, name);
    }
    assert_eq!(kfp.world().experiments.len(), 4);
    kfp.fault("POST", "experiments", false, Reply::Close);
    assert_eq!(
        client.ensure_experiment("d").await.unwrap_err().id(),
        "kfp-connection-lost"
    );
}

#[tokio::test]
async fn lists_of_several_pages() {
    let kfp = Kfp::start();
    let client = kfp.client();
    let pipeline = client.ensure_pipeline("iris-retrain", &document()).await.unwrap();
    for seed in 0..6 {
        let text = DOCUMENT.replace("42.0", &format!("{seed}.0"));
        let other = PipelineDocument::parse(&text).unwrap();
        client
            .ensure_version(&pipeline.pipeline_id, &other)
            .await
            .unwrap();
    }
    kfp.world().page = Some(3);
    let before = kfp.asked("GET", "versions");
    let all = client.versions(&pipeline.pipeline_id).await.unwrap();
    assert_eq!((all.len(), kfp.asked("GET", "versions") - before), (7, 3));
    let mut names: Vec<String> = all.into_iter().map(|v| v.name).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 7);
    // A server that gives the same page for ever.
    for _ in 0..3 {
        let page = json!({"pipeline_versions": [], "total_size": 9, "next_page_token": "again"});
        kfp.fault("GET", "versions", false, body(200, "application/json", page));
    }
    let error = client.versions(&pipeline.pipeline_id).await.unwrap_err();
    assert!(error.to_string().contains("the same page token again"), "{error}");
}
