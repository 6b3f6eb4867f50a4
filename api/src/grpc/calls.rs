//! Which calls there are.

/// How a call is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A prediction.
    Infer,
    /// A question about server or model.
    Query,
    /// Asked by machines every few seconds: neither counted nor limited.
    Probe,
    /// Lasts as long as the client wants.
    Stream,
    /// There is no such call.
    Unknown,
}

/// A call by its path.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// The path, where it is a known one; others are the client's text.
    pub path: &'static str,
    /// How it is treated.
    pub kind: Kind,
}

const CALLS: [Call; 10] = [
    call("/inference.GRPCInferenceService/ModelInfer", Kind::Infer),
    call("/inference.GRPCInferenceService/ModelMetadata", Kind::Query),
    call("/inference.GRPCInferenceService/ServerMetadata", Kind::Query),
    call("/inference.GRPCInferenceService/ModelReady", Kind::Probe),
    call("/inference.GRPCInferenceService/ServerReady", Kind::Probe),
    call("/inference.GRPCInferenceService/ServerLive", Kind::Probe),
    call("/grpc.health.v1.Health/Check", Kind::Probe),
    call("/grpc.health.v1.Health/Watch", Kind::Stream),
    call(
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        Kind::Stream,
    ),
    call(
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        Kind::Stream,
    ),
];

const fn call(path: &'static str, kind: Kind) -> Call {
    Call { path, kind }
}

impl Call {
    /// Of a request's path.
    pub fn of(path: &str) -> Call {
        let known = CALLS.into_iter().find(|call| call.path == path);
        known.unwrap_or(call("other", Kind::Unknown))
    }

    /// Whether the inference service answers it; else health or reflection do.
    pub fn is_inference(self) -> bool {
        self.path.starts_with("/inference.")
    }
}
