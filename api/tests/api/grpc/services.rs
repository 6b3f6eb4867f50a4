//! Health and reflection.

use super::*;
use crate::fixture;
use tonic::codegen::tokio_stream;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

#[tokio::test]
async fn health_of_the_process_and_of_the_service() {
    let directory = fixture::directory();
    let (server, address) = start(directory.path(), &[]);
    let mut health = HealthClient::new(channel(address).await);
    let check = |service: &str| HealthCheckRequest {
        service: service.to_owned(),
    };
    for service in ["", "inference.GRPCInferenceService"] {
        let answer = health.check(check(service)).await.unwrap();
        assert_eq!(answer.get_ref().status(), ServingStatus::Serving);
    }
    let status = health.check(check("other")).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::NotFound);
    assert_eq!(server.client().get("/health").json()["requests_served"], 0);

    let address = serve(None).await;
    let mut health = HealthClient::new(channel(address).await);
    let answer = health.check(check("")).await.unwrap();
    assert_eq!(answer.get_ref().status(), ServingStatus::NotServing);
}

/// Asks for the services and for the file of one.
macro_rules! reflected {
    ($version:ident, $address:expr) => {{
        use tonic_reflection::pb::$version::{
            ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
            server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
        };
        let mut client = ServerReflectionClient::new(channel($address).await);
        let ask = |message| ServerReflectionRequest {
            host: String::new(),
            message_request: Some(message),
        };
        let asked = vec![
            ask(MessageRequest::ListServices(String::new())),
            ask(MessageRequest::FileContainingSymbol(
                "inference.GRPCInferenceService.ModelInfer".to_owned(),
            )),
        ];
        let answers = client.server_reflection_info(tokio_stream::iter(asked)).await;
        let mut answers = answers.unwrap().into_inner();
        let mut next = async || {
            answers
                .message()
                .await
                .unwrap()
                .unwrap()
                .message_response
                .unwrap()
        };
        let MessageResponse::ListServicesResponse(list) = next().await else {
            panic!("a list");
        };
        let MessageResponse::FileDescriptorResponse(file) = next().await else {
            panic!("a file");
        };
        let file = String::from_utf8_lossy(&file.file_descriptor_proto[0]).into_owned();
        assert!(file.contains("open_inference_grpc.proto") && file.contains("raw_input_contents"));
        let mut names: Vec<_> = list.service.into_iter().map(|service| service.name).collect();
        names.sort();
        names
    }};
}

#[tokio::test]
async fn reflection_lists_the_services() {
    let directory = fixture::directory();
    let (_server, address) = start(directory.path(), &[]);
    for (version, names) in [
        ("v1", reflected!(v1, address)),
        ("v1alpha", reflected!(v1alpha, address)),
    ] {
        let expected = [
            "grpc.health.v1.Health".to_owned(),
            format!("grpc.reflection.{version}.ServerReflection"),
            "inference.GRPCInferenceService".to_owned(),
        ];
        assert_eq!(names, expected);
    }
}
