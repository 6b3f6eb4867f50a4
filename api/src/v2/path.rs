//! Paths of the protocol.

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// Server metadata.
    Server,
    /// Liveness.
    Live,
    /// Readiness.
    Ready,
    /// Model metadata.
    Model,
    /// Readiness of the model.
    ModelReady,
    /// Inference.
    Infer,
}

/// A path, taken apart. Names are as in the path: percent-encoding is not undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'p> {
    /// What is asked for.
    pub endpoint: Endpoint,
    /// Of which model.
    pub model: Option<&'p str>,
    /// Of which version of it; `None` is the one that there is.
    pub version: Option<&'p str>,
}

/// Whether errors at this path are V2's.
pub fn is_below(path: &str) -> bool {
    path.strip_prefix("/v2")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl<'p> Target<'p> {
    /// `None` where the protocol has no such path.
    pub fn of(path: &'p str) -> Option<Target<'p>> {
        let target = |endpoint, model, version| Target {
            endpoint,
            model,
            version,
        };
        let rest = path.strip_prefix("/v2")?;
        match rest {
            "" => return Some(target(Endpoint::Server, None, None)),
            "/health/live" => return Some(target(Endpoint::Live, None, None)),
            "/health/ready" => return Some(target(Endpoint::Ready, None, None)),
            _ => {}
        }
        let mut parts = rest.strip_prefix("/models/")?.split('/');
        let model = parts.next().filter(|model| !model.is_empty());
        model?;
        let mut next = parts.next();
        let mut version = None;
        if next == Some("versions") {
            version = parts.next().filter(|version| !version.is_empty());
            version?;
            next = parts.next();
        }
        let endpoint = match next {
            None => Endpoint::Model,
            Some("ready") => Endpoint::ModelReady,
            Some("infer") => Endpoint::Infer,
            Some(_) => return None,
        };
        parts.next().is_none().then_some(target(endpoint, model, version))
    }

    /// The path without the client's text, for logs.
    pub fn word(self) -> &'static str {
        match (self.endpoint, self.version.is_some()) {
            (Endpoint::Server, _) => "/v2",
            (Endpoint::Live, _) => "/v2/health/live",
            (Endpoint::Ready, _) => "/v2/health/ready",
            (Endpoint::Model, false) => "/v2/models/{model}",
            (Endpoint::Model, true) => "/v2/models/{model}/versions/{version}",
            (Endpoint::ModelReady, false) => "/v2/models/{model}/ready",
            (Endpoint::ModelReady, true) => "/v2/models/{model}/versions/{version}/ready",
            (Endpoint::Infer, false) => "/v2/models/{model}/infer",
            (Endpoint::Infer, true) => "/v2/models/{model}/versions/{version}/infer",
        }
    }
}
