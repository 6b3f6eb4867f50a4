//! `POST …/infer`: body to tensors to answer, without waiting for anything but the body.

use super::{
    Target,
    answer::{self as written, Answered},
    request,
};
use crate::{
    error::{ApiError, Code},
    media,
    predict::body,
    served::{Served, Traffic},
    state::State,
};
use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderName, HeaderValue, Method, Response, header, request::Parts},
};
use hyper::body::Body as HttpBody;
use tokio::runtime::{Handle, RuntimeFlavor};

/// Length of the JSON in front of binary tensors, in requests and answers.
pub const HEADER_LENGTH: HeaderName = HeaderName::from_static("inference-header-content-length");

/// Bodies from this size on take a thread for longer than the requests that wait behind them should
/// notice: milliseconds instead of microseconds.
const LARGE_BYTES: usize = 64 << 10;

/// Answers a request for an inference.
pub async fn answer<B>(
    state: &State,
    head: &Parts,
    target: Target<'_>,
    body: B,
    id: &str,
) -> Result<Response<Body>, ApiError>
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Send,
{
    let most = state.config.limits.max_body_bytes;
    let accepted = accepted(state, head, target);
    let ((served, json_length), body) = body::taken(body, &head.headers, most, accepted).await?;
    let most = state.config.limits.max_batch_rows;
    let work = || body::caught(|| infer(served, most, &body, json_length, Traffic::Clients(id)));
    let (answered, rows) = if body.len() >= LARGE_BYTES && may_block() {
        tokio::task::block_in_place(work)
    } else {
        work()
    }?;
    state.metrics.rows(rows);
    let mut response = Response::new(Body::from(answered.body));
    let headers = response.headers_mut();
    let kind = match answered.json_length {
        None => "application/json",
        Some(length) => {
            headers.insert(HEADER_LENGTH, HeaderValue::from(length));
            "application/octet-stream"
        }
    };
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    Ok(response)
}

/// Whether this thread's other work can be handed to another thread.
fn may_block() -> bool {
    Handle::try_current().is_ok_and(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread)
}

/// What can be said before the body is read: the model, and the length of the JSON if it is told.
fn accepted<'s>(
    state: &'s State,
    head: &Parts,
    target: Target<'_>,
) -> Result<(&'s Served, Option<usize>), ApiError> {
    if head.method != Method::POST {
        let message = format!("{} takes POST", target.word());
        return Err(ApiError::new(Code::MethodNotAllowed, message));
    }
    media_type(&head.headers)?;
    let json_length = match head.headers.get(HEADER_LENGTH) {
        None => None,
        Some(value) => {
            let length = value.to_str().ok().and_then(|text| text.parse().ok());
            Some(length.ok_or_else(|| {
                let message = format!(
                    "Inference-Header-Content-Length is {value:?}, expected the JSON's length in bytes"
                );
                ApiError::new(Code::InvalidRequest, message)
            })?)
        }
    };
    Ok((super::served(state, target)?, json_length))
}

/// JSON or bytes; Triton's own client says neither.
fn media_type(headers: &HeaderMap) -> Result<(), ApiError> {
    media::uncompressed(headers)?;
    match media::essence(headers) {
        None => Ok(()),
        Some(essence)
            if media::is_json(essence) || essence.eq_ignore_ascii_case(b"application/octet-stream") =>
        {
            Ok(())
        }
        Some(_) => Err(ApiError::new(
            Code::UnsupportedMediaType,
            "Content-Type is neither application/json nor application/octet-stream",
        )),
    }
}

/// Body to body, and how many rows they were.
///
/// # Errors
/// An [`ApiError`] for whatever the request or the model is wrong about.
pub(crate) fn infer(
    served: &Served,
    rows_max: usize,
    body: &[u8],
    json_length: Option<usize>,
    traffic: Traffic<'_>,
) -> Result<(Answered, usize), ApiError> {
    let request = request::read(body, json_length)?;
    let wanted = request.wanted();
    let outputs = served.infer(&request.inputs, wanted.as_deref(), rows_max, traffic)?;
    let answered = written::write(served, &request, &outputs)?;
    Ok((answered, served.count_rows(&request.inputs)))
}
