//! Every call of the service, answered.

use super::*;
use crate::fixture;
use inference_api::grpc::proto::{
    ModelMetadataRequest, ModelReadyRequest, ServerLiveRequest, ServerMetadataRequest, ServerReadyRequest,
    model_infer_request::InferRequestedOutputTensor,
};

#[tokio::test]
async fn questions_about_server_and_model() {
    let directory = fixture::directory();
    let (server, address) = start(directory.path(), &[]);
    let mut client = client(address).await;
    assert!(
        client
            .server_live(ServerLiveRequest {})
            .await
            .unwrap()
            .get_ref()
            .live
    );
    assert!(
        client
            .server_ready(ServerReadyRequest {})
            .await
            .unwrap()
            .get_ref()
            .ready
    );
    for version in ["", "3"] {
        let request = ModelReadyRequest {
            name: "iris-model".to_owned(),
            version: version.to_owned(),
        };
        assert!(client.model_ready(request).await.unwrap().get_ref().ready);
    }
    let answer = client.server_metadata(ServerMetadataRequest {}).await.unwrap();
    assert_eq!(answer.get_ref().name, "inference-api");
    assert_eq!(answer.get_ref().version, env!("CARGO_PKG_VERSION"));
    let request = ModelMetadataRequest {
        name: "iris-model".to_owned(),
        version: String::new(),
    };
    let answer = client.model_metadata(request).await.unwrap();
    insta::assert_debug_snapshot!(answer.get_ref());
    // Probes are not counted, questions are.
    let health = server.client().get("/health").json();
    assert_eq!(health["requests_served"], 2);
}

#[tokio::test]
async fn typed_rows_are_answered_typed_and_raw_ones_raw() {
    let directory = fixture::directory();
    let (server, address) = start(directory.path(), &["--drift-window-size", "10"]);
    let mut client = client(address).await;
    let mut request = typed(&ROWS);
    request.id = "abc".to_owned();
    request.parameters.insert(
        "who".to_owned(),
        parameter(ParameterChoice::StringParam("me".to_owned())),
    );
    let answer = client.model_infer(request.clone()).await.unwrap().into_inner();
    insta::assert_debug_snapshot!(answer);

    let raw = client
        .model_infer(as_raw(request.clone()))
        .await
        .unwrap()
        .into_inner();
    assert_eq!((&*raw.id, &raw.parameters), ("abc", &request.parameters));
    let bytes = |bytes: &[u8]| bytes.to_vec();
    let labels: Vec<u8> = [0_i64, 2].iter().flat_map(|label| label.to_le_bytes()).collect();
    assert_eq!(bytes(&raw.raw_output_contents[0]), labels);
    let scores = answer.outputs[1].contents.as_ref().unwrap().fp32_contents.clone();
    let scores: Vec<u8> = scores.iter().flat_map(|score| score.to_le_bytes()).collect();
    assert_eq!(bytes(&raw.raw_output_contents[1]), scores);
    assert!(raw.outputs.iter().all(|output| output.contents.is_none()));

    // One output of two, and both in another order.
    for names in [vec!["probabilities"], vec!["probabilities", "label"]] {
        let mut request = typed(&ROWS);
        request.outputs = names
            .iter()
            .map(|name| InferRequestedOutputTensor {
                name: (*name).to_owned(),
                ..InferRequestedOutputTensor::default()
            })
            .collect();
        let answer = client.model_infer(request).await.unwrap().into_inner();
        let answered: Vec<_> = answer.outputs.iter().map(|output| &*output.name).collect();
        assert_eq!(answered, names);
    }
    assert_eq!(
        metric(&server, "prediction_requests_total{protocol=\"grpc\"}"),
        4.0
    );
    assert_eq!(metric(&server, "prediction_rows_total"), 8.0);
    assert_eq!(metric(&server, "drift_window_rows"), 8.0);
    assert_eq!(metric(&server, "requests_in_flight"), 0.0);
}

#[tokio::test]
async fn request_ids_are_taken_and_given() {
    let directory = fixture::directory();
    let (_server, address) = start(directory.path(), &[]);
    let mut client = client(address).await;
    let mut request = tonic::Request::new(typed(&ROWS));
    request
        .metadata_mut()
        .insert("x-request-id", "mine".parse().unwrap());
    let answer = client.model_infer(request).await.unwrap();
    assert_eq!(answer.metadata().get("x-request-id").unwrap(), "mine");
    let answer = client.model_infer(typed(&ROWS)).await.unwrap();
    assert_eq!(answer.metadata().get("x-request-id").unwrap().len(), 16);
}

#[tokio::test]
async fn before_the_model_answers_nobody_is_promised_anything() {
    let address = serve(None).await;
    let mut client = client(address).await;
    assert!(
        client
            .server_live(ServerLiveRequest {})
            .await
            .unwrap()
            .get_ref()
            .live
    );
    assert!(
        !client
            .server_ready(ServerReadyRequest {})
            .await
            .unwrap()
            .get_ref()
            .ready
    );
    let request = ModelReadyRequest {
        name: "any".to_owned(),
        version: String::new(),
    };
    assert!(!client.model_ready(request).await.unwrap().get_ref().ready);
    let status = client.model_infer(typed(&ROWS)).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::Unavailable);
    assert_eq!(status.metadata().get("error-code").unwrap(), "not_ready");
}

#[tokio::test]
async fn labels_find_the_call_by_its_metadata() {
    let directory = fixture::directory();
    let (server, address) = start(directory.path(), &[]);
    let mut client = client(address).await;
    let mut given = tonic::Request::new(typed(&ROWS));
    given
        .metadata_mut()
        .insert("x-request-id", "call".parse().unwrap());
    client.model_infer(given).await.unwrap();
    let answer = client.model_infer(typed(&ROWS)).await.unwrap();
    let own = answer.metadata().get("x-request-id").unwrap().to_str().unwrap();
    for id in ["call", own] {
        let label = serde_json::json!({"request_id": id, "labels": ["setosa", "virginica"]});
        let sent = crate::feedback::feedback(&mut server.client(), &label);
        assert_eq!(sent.json()["matched"], 2, "{sent:?}");
    }
    let performance = server.client().get("/drift/status").json()["performance"].clone();
    assert_eq!(performance["accuracy"]["value"], 1.0);
}
