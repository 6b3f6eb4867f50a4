//! Open Inference Protocol V2 over REST, with Triton's binary tensor extension.
//!
//! Everything below `/v2` comes here from [`crate::App`] without a detour over the router: the
//! inference path is as hot as `/predict`. Errors are `{"error": …}`, see
//! [`crate::error::ErrorForm`].

mod answer;
mod binary;
mod data;
pub mod documents;
mod infer;
mod input;
mod path;
mod request;
mod texts;

pub(crate) use infer::infer;
pub use path::{Endpoint, Target, is_below};
pub use texts::Texts;

use crate::{
    error::{ApiError, Code},
    predict::fault::quoted,
    routes::content,
    served::Served,
    state::State,
};
use axum::{
    body::{Body, Bytes},
    http::{Method, Response, request::Parts},
};
use hyper::body::Body as HttpBody;
use percent_encoding::percent_decode_str;

/// Answers a request to any path below `/v2`.
///
/// # Errors
/// An [`ApiError`] for whatever the request, the model or the moment is wrong about.
pub async fn answer<B>(state: &State, head: &Parts, body: B, id: &str) -> Result<Response<Body>, ApiError>
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Send,
{
    let Some(target) = Target::of(head.uri.path()) else {
        return Err(ApiError::new(
            Code::NotFound,
            "no such path; /docs lists what there is",
        ));
    };
    if target.endpoint == Endpoint::Infer {
        return infer::answer(state, head, target, body, id).await;
    }
    if head.method != Method::GET && head.method != Method::HEAD {
        let message = format!("{} takes GET", target.word());
        return Err(ApiError::new(Code::MethodNotAllowed, message));
    }
    let json = match target.endpoint {
        Endpoint::Server => Bytes::from_static(texts::SERVER.as_bytes()),
        Endpoint::Live => Bytes::from_static(br#"{"live":true}"#),
        Endpoint::Ready => {
            state.ready()?;
            Bytes::from_static(br#"{"ready":true}"#)
        }
        Endpoint::Model => served(state, target)?.v2().metadata(),
        Endpoint::ModelReady => {
            let served = served(state, target)?;
            state.ready()?;
            served.v2().ready()
        }
        Endpoint::Infer => return Err(ApiError::new(Code::Internal, "answered above")),
    };
    Ok(content("application/json", json))
}

/// The model that the path names.
fn served<'s>(state: &'s State, target: Target<'_>) -> Result<&'s Served, ApiError> {
    let served = state.served()?;
    let signature = served.signature();
    if !target.model.is_none_or(|model| is_same(model, &signature.name)) {
        return Err(unknown(target.model.unwrap_or_default(), &signature.name));
    }
    if !target
        .version
        .is_none_or(|version| is_same(version, &signature.version))
    {
        let version = target.version.map(quoted).unwrap_or_default();
        let message = format!(
            "version {version} of model {:?} is unknown, this server has {:?}",
            signature.name, signature.version
        );
        return Err(ApiError::new(Code::NotFound, message));
    }
    Ok(served)
}

/// Another model than the one that there is.
pub(crate) fn unknown(model: &str, name: &str) -> ApiError {
    let message = format!("model {} is unknown, this server has {name:?}", quoted(model));
    ApiError::new(Code::NotFound, message)
}

/// Whether a part of a path is this name, as it is or percent-encoded.
fn is_same(part: &str, name: &str) -> bool {
    part == name || (part.contains('%') && percent_decode_str(part).eq(name.bytes()))
}
