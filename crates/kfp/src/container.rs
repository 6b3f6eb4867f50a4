//! A program in an image.

use crate::argument::Argument;
use crate::kubernetes::Kubernetes;
use std::time::Duration;

/// A program in an image.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Container {
    /// Reference of the image.
    pub image: String,
    /// The program and its first arguments. The image's ENTRYPOINT is never used.
    pub command: Vec<Argument>,
    /// The rest.
    pub args: Vec<Argument>,
    /// Names and values; nothing is filled in here.
    pub env: Vec<(String, String)>,
    /// What it needs.
    pub resources: Resources,
    /// What only Kubernetes knows.
    pub kubernetes: Kubernetes,
}

/// Kubernetes' quantities: `100m`, `512Mi`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// Processor that is set aside.
    pub cpu_request: Option<String>,
    /// Processor that it may take.
    pub cpu_limit: Option<String>,
    /// Memory that is set aside.
    pub memory_request: Option<String>,
    /// Memory that it may take.
    pub memory_limit: Option<String>,
    /// Type (`nvidia.com/gpu`) and how many.
    pub accelerator: Option<(String, String)>,
}

/// When a step that failed is started again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Retry {
    /// So many more times.
    pub times: u32,
    /// Pause before the second attempt.
    pub backoff: Option<Duration>,
    /// By how much each pause is longer than the one before.
    pub factor: Option<f64>,
    /// No attempt starts so long after the **first began**: the attempts' own time counts. Without it the
    /// server never retries.
    pub within: Option<Duration>,
}

impl Retry {
    /// So many more times within a day, after 10 s, 20 s, 40 s, …
    pub fn times(times: u32) -> Self {
        Retry {
            times,
            backoff: Some(Duration::from_secs(10)),
            factor: Some(2.0),
            within: Some(Duration::from_secs(86400)),
        }
    }
}
