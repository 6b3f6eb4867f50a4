//! The Open Inference Protocol V2 over gRPC, beside the standard health and reflection services.
//!
//! tonic decodes and encodes the calls; the connections below are hyper's, opened, counted and drained
//! as those of the other protocols are, within limits of HTTP/2 of their own.

mod activity;
mod answer;
mod body;
mod calls;
pub(crate) mod codec;
mod connection;
mod fault;
mod raw;
mod service;
mod tensors;

use crate::App;
use axum::Router;
use proto::grpc_inference_service_server::{GrpcInferenceServiceServer, SERVICE_NAME};
use service::Inference;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tonic_health::{ServingStatus, server::HealthReporter};

/// Messages and service of `api/proto/open_inference_grpc.proto`.
pub mod proto {
    #![allow(missing_docs, reason = "generated from the specification")]
    tonic::include_proto!("inference");
    /// The descriptors, for reflection.
    pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/inference.binpb"));
}

/// Streams that last as long as their client wants (health watches, reflection) that are open at once.
const STREAMS_MOST: usize = 1024;
/// Largest message of the health and reflection services: names.
const NAMES_MOST_BYTES: usize = 16 << 10;

/// Everything that a gRPC connection needs.
#[derive(Clone, Debug)]
pub struct Grpc {
    app: App,
    inference: GrpcInferenceServiceServer<Inference>,
    /// Health and reflection.
    others: Router,
    reporter: HealthReporter,
    streams: Arc<Semaphore>,
}

impl Grpc {
    /// The services over `app`; health says `NOT_SERVING` until [`Grpc::set_serving`].
    ///
    /// # Errors
    /// When a descriptor set cannot be read, which would be a defect of the build.
    pub async fn new(app: App) -> anyhow::Result<Self> {
        let most = app.state().config.limits.max_body_bytes;
        let inference = Inference::new(Arc::clone(app.state()));
        let (reporter, health) = tonic_health::server::health_reporter();
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        let v1 = reflection().build_v1()?;
        let v1alpha = reflection().build_v1alpha()?;
        let others = Router::new()
            .route_service(
                "/grpc.health.v1.Health/{call}",
                health.max_decoding_message_size(NAMES_MOST_BYTES),
            )
            .route_service(
                "/grpc.reflection.v1.ServerReflection/{call}",
                v1.max_decoding_message_size(NAMES_MOST_BYTES),
            )
            .route_service(
                "/grpc.reflection.v1alpha.ServerReflection/{call}",
                v1alpha.max_decoding_message_size(NAMES_MOST_BYTES),
            );
        let grpc = Grpc {
            app,
            inference: GrpcInferenceServiceServer::new(inference).max_decoding_message_size(most),
            others,
            reporter,
            streams: Arc::new(Semaphore::new(STREAMS_MOST)),
        };
        grpc.set_serving(false).await;
        Ok(grpc)
    }

    /// What the health service says, of the process (`""`) and of the inference service. Watches are told.
    pub async fn set_serving(&self, serving: bool) {
        let status = if serving {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        };
        for service in ["", SERVICE_NAME] {
            self.reporter.set_service_status(service, status).await;
        }
    }
}
