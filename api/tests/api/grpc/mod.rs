//! The Open Inference Protocol over gRPC, on a real port, with tonic's client and with bare HTTP/2.

mod calls;
pub mod clients;
mod datatypes;
mod drain;
mod errors;
mod limits;
mod raw;
mod services;
mod tls;

use crate::server::Server;
use inference_api::{
    App, Config, Served, Sockets, State,
    grpc::{
        Grpc,
        proto::{
            InferParameter, InferTensorContents, ModelInferRequest,
            grpc_inference_service_client::GrpcInferenceServiceClient, infer_parameter::ParameterChoice,
            model_infer_request::InferInputTensor,
        },
    },
};
use std::{
    net::{SocketAddr, TcpListener},
    path::Path,
    sync::Arc,
};
use tonic::transport::{Channel, Endpoint};

pub type Client = GrpcInferenceServiceClient<Channel>;

/// The rows of [`crate::fixture::classifier`] that are setosa and virginica.
pub const ROWS: [f32; 8] = [5.1, 3.5, 1.4, 0.2, 6.7, 3.0, 5.2, 2.3];

/// The whole process but its signals, with a gRPC port.
pub fn start(model: &Path, flags: &[&str]) -> (Server, SocketAddr) {
    let (server, address) = begin(model, flags);
    server.wait_ready();
    (server, address)
}

/// The same, that may not be ready yet.
pub fn begin(model: &Path, flags: &[&str]) -> (Server, SocketAddr) {
    let listener = || TcpListener::bind("127.0.0.1:0").unwrap();
    let grpc = listener();
    let address = grpc.local_addr().unwrap();
    let sockets = Sockets {
        service: listener(),
        shared: false,
        probe: None,
        admin: None,
        grpc: Some(grpc),
        replicas: None,
    };
    (Server::start_with(sockets, model, flags), address)
}

/// The services alone, over a model that was made here, or none.
pub async fn serve(served: Option<Served>) -> SocketAddr {
    let state = Arc::new(State::new(Config::read(["inference-api"]).unwrap()).unwrap());
    if let Some(served) = served {
        state.serve(served);
    }
    let grpc = Grpc::new(App::new(state)).await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(
                grpc.clone()
                    .serve(socket, [127, 0, 0, 1].into(), std::future::pending()),
            );
        }
    });
    address
}

pub async fn channel(address: SocketAddr) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    endpoint.connect().await.unwrap()
}

pub async fn client(address: SocketAddr) -> Client {
    Client::new(channel(address).await)
}

pub fn input(name: &str, datatype: &str, shape: &[i64]) -> InferInputTensor {
    InferInputTensor {
        name: name.to_owned(),
        datatype: datatype.to_owned(),
        shape: shape.to_vec(),
        ..InferInputTensor::default()
    }
}

/// A request for rows of the fixture's classifier, typed.
pub fn typed(values: &[f32]) -> ModelInferRequest {
    let contents = InferTensorContents {
        fp32_contents: values.to_vec(),
        ..InferTensorContents::default()
    };
    let tensor = InferInputTensor {
        contents: Some(Box::new(contents)),
        ..input("features", "FP32", &[values.len() as i64 / 4, 4])
    };
    ModelInferRequest {
        model_name: "iris-model".to_owned(),
        inputs: vec![tensor],
        ..ModelInferRequest::default()
    }
}

/// The same, raw.
pub fn as_raw(mut request: ModelInferRequest) -> ModelInferRequest {
    let contents = request.inputs[0].contents.take().unwrap();
    let bytes: Vec<u8> = contents
        .fp32_contents
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    request.raw_input_contents = vec![bytes.into()];
    request
}

pub fn parameter(choice: ParameterChoice) -> InferParameter {
    InferParameter {
        parameter_choice: Some(choice),
    }
}

/// The value of a sample of `/metrics`.
pub fn metric(server: &Server, name: &str) -> f64 {
    let text = server.client().get("/metrics").body;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{name} is not in {text}"))
        .parse()
        .unwrap()
}
