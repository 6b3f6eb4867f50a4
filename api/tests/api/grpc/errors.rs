//! What is refused: gRPC's code, the code word, and words that say what was expected.

use super::*;
use crate::fixture;
use inference_api::grpc::proto::{
    ModelMetadataRequest, ModelReadyRequest, model_infer_request::InferRequestedOutputTensor,
};

fn told(what: &str, status: &tonic::Status) -> String {
    let word = status
        .metadata()
        .get("error-code")
        .expect("every error has a word");
    format!(
        "{what}: {:?} {} {}",
        status.code(),
        word.to_str().unwrap(),
        status.message()
    )
}

#[tokio::test]
async fn requests_that_the_model_does_not_take() {
    let directory = fixture::directory();
    let (server, address) = start(directory.path(), &["--max-batch-rows", "2"]);
    let mut client = client(address).await;
    type Change = fn(&mut ModelInferRequest);
    let cases: [(&str, Change); 17] = [
        ("other model", |r| r.model_name = "wine".into()),
        ("no name", |r| r.model_name.clear()),
        ("other version", |r| r.model_version = "4".into()),
        ("no input", |r| r.inputs.clear()),
        ("unknown input", |r| r.inputs[0].name = "rows".into()),
        ("input twice", |r| r.inputs.push(r.inputs[0].clone())),
        ("half precision", |r| r.inputs[0].datatype = "FP16".into()),
        ("other datatype", |r| {
            r.inputs[0].datatype = "FP64".into();
            r.inputs[0].contents = None;
        }),
        ("other contents", |r| {
            r.inputs[0].contents.as_mut().unwrap().int_contents = vec![1];
        }),
        ("negative size", |r| r.inputs[0].shape = vec![-1, 4]),
        ("other width", |r| r.inputs[0].shape = vec![4, 2]),
        ("too few elements", |r| {
            r.inputs[0].contents.as_mut().unwrap().fp32_contents.pop();
        }),
        ("no rows", |r| {
            r.inputs[0].shape = vec![0, 4];
            r.inputs[0].contents = None;
        }),
        ("too many rows", |r| {
            r.inputs[0].shape = vec![3, 4];
            r.inputs[0]
                .contents
                .as_mut()
                .unwrap()
                .fp32_contents
                .extend([0.0; 4]);
        }),
        ("raw for some", |r| {
            r.raw_input_contents = vec![Vec::new().into(), Vec::new().into()];
        }),
        ("raw and typed", |r| {
            r.raw_input_contents = vec![vec![0; 32].into()];
        }),
        ("shared memory", |r| {
            let region = parameter(ParameterChoice::StringParam("region".into()));
            r.inputs[0]
                .parameters
                .insert("shared_memory_region".into(), region);
        }),
    ];
    let mut lines = Vec::new();
    for (what, change) in cases {
        let mut request = typed(&ROWS);
        change(&mut request);
        let status = client.model_infer(request).await.unwrap_err();
        lines.push(told(what, &status));
    }
    for (what, name, key) in [
        ("unknown output", "species", ""),
        ("classification", "label", "classification"),
    ] {
        let mut output = InferRequestedOutputTensor {
            name: name.into(),
            ..InferRequestedOutputTensor::default()
        };
        if !key.is_empty() {
            let value = parameter(ParameterChoice::Int64Param(3));
            output.parameters.insert(key.into(), value);
        }
        let mut request = typed(&ROWS);
        request.outputs = vec![output];
        lines.push(told(what, &client.model_infer(request).await.unwrap_err()));
    }
    let ready = ModelReadyRequest {
        name: "wine".into(),
        version: String::new(),
    };
    lines.push(told(
        "ready of another",
        &client.model_ready(ready).await.unwrap_err(),
    ));
    let metadata = ModelMetadataRequest {
        name: "iris-model".into(),
        version: "9".into(),
    };
    let status = client.model_metadata(metadata).await.unwrap_err();
    lines.push(told("metadata of another", &status));
    insta::assert_snapshot!(lines.join("\n"));
    assert_eq!(
        metric(
            &server,
            "prediction_errors_total{protocol=\"grpc\",code=\"tensor_shape\"}"
        ),
        6.0
    );
    assert_eq!(
        metric(
            &server,
            "prediction_errors_total{protocol=\"grpc\",code=\"not_found\"}"
        ),
        3.0
    );
    assert_eq!(
        metric(&server, "prediction_requests_total{protocol=\"grpc\"}"),
        19.0
    );
}

#[tokio::test]
async fn a_long_name_does_not_come_back_whole() {
    let directory = fixture::directory();
    let (_server, address) = start(directory.path(), &[]);
    let mut client = client(address).await;
    let mut request = typed(&ROWS);
    request.model_name = "ü".repeat(100_000);
    let status = client.model_infer(request).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::NotFound);
    assert!(status.message().ends_with('…') && status.message().len() < 2100);
}
