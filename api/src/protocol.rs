//! The protocols that predictions are asked by; also the values of the metrics' `protocol` label.

/// A closed set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// `/predict`
    Predict,
    /// Open Inference Protocol V2 over REST.
    V2,
    /// The same over gRPC.
    Grpc,
    /// MLflow's `/invocations`.
    Mlflow,
}

impl Protocol {
    /// All of them, in declaration order (`protocol as usize` is the index).
    pub const ALL: [Protocol; 4] = [Protocol::Predict, Protocol::V2, Protocol::Grpc, Protocol::Mlflow];

    /// The word in metrics.
    pub fn word(self) -> &'static str {
        match self {
            Protocol::Predict => "predict",
            Protocol::V2 => "v2",
            Protocol::Grpc => "grpc",
            Protocol::Mlflow => "mlflow",
        }
    }
}
