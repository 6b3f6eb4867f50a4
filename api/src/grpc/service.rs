//! The calls of `inference.GRPCInferenceService`.

use super::{
    fault,
    proto::{
        self, grpc_inference_service_server::GrpcInferenceService, model_metadata_response::TensorMetadata,
    },
    tensors,
};
use crate::{
    error::{ApiError, Code},
    request_id::REQUEST_ID,
    served::{Served, Traffic},
    state::State,
    tensor::TensorSpec,
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};
use tonic::{Request, Response, Status};

/// What kind of model: the graph's format.
const PLATFORM: &str = "onnx";

/// The service over the process's state.
#[derive(Debug)]
pub struct Inference {
    state: Arc<State>,
}

impl Inference {
    /// Nothing is kept between calls.
    pub fn new(state: Arc<State>) -> Self {
        Inference { state }
    }

    fn is_ready(&self, asked: &proto::ModelReadyRequest) -> Result<bool, ApiError> {
        let Ok(served) = self.state.served() else {
            return Ok(false);
        };
        check(served, &asked.name, &asked.version)?;
        Ok(self.state.ready().is_ok())
    }

    fn metadata(
        &self,
        asked: &proto::ModelMetadataRequest,
    ) -> Result<proto::ModelMetadataResponse, ApiError> {
        let served = self.state.served()?;
        check(served, &asked.name, &asked.version)?;
        let signature = served.signature();
        let tensor = |spec: &TensorSpec| TensorMetadata {
            name: spec.name.clone(),
            datatype: spec.datatype.word().to_owned(),
            shape: spec.dimensions().collect(),
        };
        Ok(proto::ModelMetadataResponse {
            name: signature.name.clone(),
            versions: vec![signature.version.clone()],
            platform: PLATFORM.to_owned(),
            inputs: signature.inputs.iter().map(tensor).collect(),
            outputs: signature.outputs.iter().map(tensor).collect(),
        })
    }

    /// Answers raw tensors with raw tensors and typed ones with typed ones. tritonclient asks and reads
    /// raw alone; KServe's client reads both and asks as its caller's tensors are.
    fn infer(
        &self,
        asked: proto::ModelInferRequest,
        id: &str,
    ) -> Result<proto::ModelInferResponse, ApiError> {
        let served = self.state.served()?;
        check(served, &asked.model_name, &asked.model_version)?;
        let as_raw = !asked.raw_input_contents.is_empty();
        let wanted = tensors::wanted(&asked.outputs)?;
        let inputs = tensors::inputs(asked.inputs, &asked.raw_input_contents)?;
        let most = self.state.config.limits.max_batch_rows;
        let answered = served.infer(&inputs, wanted.as_deref(), most, Traffic::Clients(id))?;
        let rows = inputs.first().and_then(|input| input.shape.first());
        self.state.metrics.rows(rows.copied().unwrap_or(1));
        let (outputs, raw_output_contents) = tensors::outputs(answered, as_raw);
        let signature = served.signature();
        Ok(proto::ModelInferResponse {
            model_name: signature.name.clone(),
            model_version: signature.version.clone(),
            id: asked.id,
            parameters: asked.parameters,
            outputs,
            raw_output_contents,
        })
    }
}

/// Whether a name and a version (empty: any) are those of the model.
fn check(served: &Served, name: &str, version: &str) -> Result<(), ApiError> {
    let signature = served.signature();
    if name == signature.name && (version.is_empty() || version == signature.version) {
        return Ok(());
    }
    let version = match version {
        "" => String::new(),
        version => format!(" version {version:?}"),
    };
    let message = format!(
        "model {name:?}{version} is not served here, model {:?} version {:?} is",
        signature.name, signature.version
    );
    Err(ApiError::new(Code::NotFound, message))
}

#[tonic::async_trait]
impl GrpcInferenceService for Inference {
    async fn server_live(
        &self,
        _: Request<proto::ServerLiveRequest>,
    ) -> Result<Response<proto::ServerLiveResponse>, Status> {
        Ok(Response::new(proto::ServerLiveResponse { live: true }))
    }

    async fn server_ready(
        &self,
        _: Request<proto::ServerReadyRequest>,
    ) -> Result<Response<proto::ServerReadyResponse>, Status> {
        let ready = self.state.ready().is_ok();
        Ok(Response::new(proto::ServerReadyResponse { ready }))
    }

    async fn model_ready(
        &self,
        request: Request<proto::ModelReadyRequest>,
    ) -> Result<Response<proto::ModelReadyResponse>, Status> {
        let ready = self.is_ready(request.get_ref()).map_err(fault::status)?;
        Ok(Response::new(proto::ModelReadyResponse { ready }))
    }

    async fn server_metadata(
        &self,
        _: Request<proto::ServerMetadataRequest>,
    ) -> Result<Response<proto::ServerMetadataResponse>, Status> {
        Ok(Response::new(proto::ServerMetadataResponse {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            extensions: Vec::new(),
        }))
    }

    async fn model_metadata(
        &self,
        request: Request<proto::ModelMetadataRequest>,
    ) -> Result<Response<proto::ModelMetadataResponse>, Status> {
        let metadata = self.metadata(request.get_ref());
        metadata.map(Response::new).map_err(fault::status)
    }

    async fn model_infer(
        &self,
        request: Request<proto::ModelInferRequest>,
    ) -> Result<Response<proto::ModelInferResponse>, Status> {
        // A defect while predicting is one answer, not a stream that breaks off.
        let answered = catch_unwind(AssertUnwindSafe(|| {
            let (metadata, _, asked) = request.into_parts();
            let id = metadata.get(REQUEST_ID.as_str()).and_then(|id| id.to_str().ok());
            self.infer(asked, id.unwrap_or_default())
        }));
        let answered = answered.unwrap_or_else(|_| {
            Err(ApiError::new(
                Code::Internal,
                "the prediction failed, see the log",
            ))
        });
        answered.map(Response::new).map_err(fault::status)
    }
}
