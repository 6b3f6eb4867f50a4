//! The life of a call: id, limits, deadline, status, counters, log.

use super::{
    Grpc,
    activity::Activity,
    body::{Asked, Tracked},
    calls::{Call, Kind},
    fault,
};
use crate::{
    app::{Guard, Permit},
    error::{ApiError, Code, ErrorForm},
    guard::keys::KeyName,
    logs::{self, Answered},
    protocol::Protocol,
    request_id::{self, REQUEST_ID},
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header};
use hyper::body::Incoming;
use std::{
    net::IpAddr,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};
use tonic::{Status, body::Body, codegen::Service};

/// The code word of an error, for clients that tell more apart than gRPC's codes do.
const ERROR_CODE: HeaderName = HeaderName::from_static("error-code");
const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

impl Grpc {
    /// Answers one call.
    pub(super) async fn answer(
        &self,
        mut request: Request<Incoming>,
        peer: IpAddr,
        activity: &Arc<Activity>,
    ) -> Response<Tracked> {
        let state = self.app.state();
        let started = Instant::now();
        let id = state.request_ids.of(request.headers());
        // For the service, which remembers answers by it.
        request.headers_mut().insert(REQUEST_ID, id.clone());
        let call = Call::of(request.uri().path());
        let prediction = call.kind == Kind::Infer;
        let mut guard = Guard::new(state, started, prediction.then_some(Protocol::Grpc));
        let stream = match call.kind {
            Kind::Stream => Arc::clone(&self.streams).try_acquire_owned().ok(),
            _ => None,
        };
        let refused = call.kind == Kind::Stream && stream.is_none();
        let turn = activity.begin(stream);

        let mut key = None;
        let (mut response, error) = if !is_grpc(request.headers()) {
            let error = ApiError::new(
                Code::UnsupportedMediaType,
                "this port speaks gRPC, expected the Content-Type application/grpc",
            );
            let response = error.answer(ErrorForm::Own, request_id::text(&id)).map(Body::new);
            (response, Some(error.code))
        } else {
            let result = if refused {
                let message = "too many streams are open already; try again";
                Err(ApiError::new(Code::Overloaded, message))
            } else {
                match self.admit(call, request.headers(), peer, started) {
                    Ok(known) => {
                        key = known;
                        self.call(call, request).await
                    }
                    Err(error) => Err(error),
                }
            };
            self.finished(result)
        };
        if let Some(code) = error {
            let word = HeaderValue::from_static(code.word());
            response.headers_mut().insert(ERROR_CODE, word);
        }
        let latency = guard.finish(error);
        let probe = matches!(call.kind, Kind::Probe | Kind::Stream);
        if !prediction && !probe {
            state.metrics.other();
        }
        let number = if probe {
            0
        } else {
            state.seen.fetch_add(1, Relaxed)
        };
        let answered = Answered {
            request_id: request_id::text(&id),
            method: "POST",
            endpoint: call.path,
            key: key.as_ref().map(KeyName::as_str),
            // What HTTP would say: gRPC has its status in the trailers of a 200.
            status: error.map_or(200, |code| code.status().as_u16()),
            error,
            latency,
            probe,
        };
        logs::request(&state.config.logs, number, &answered);
        response.headers_mut().insert(REQUEST_ID, id);
        response.map(|body| Tracked::new(body, turn))
    }

    /// Keys and rates, as of the other protocols; probes and reflection are free.
    fn admit(
        &self,
        call: Call,
        metadata: &HeaderMap,
        peer: IpAddr,
        now: Instant,
    ) -> Result<Option<KeyName>, ApiError> {
        match call.kind {
            Kind::Probe | Kind::Stream => Ok(None),
            Kind::Infer | Kind::Query | Kind::Unknown => {
                self.app.state().guard.admit(metadata, Some(peer), now)
            }
        }
    }

    /// Hands a call to its service, within the permits and the deadline.
    async fn call(&self, call: Call, request: Request<Incoming>) -> Result<Response<Body>, ApiError> {
        let state = self.app.state();
        if call.kind == Kind::Unknown {
            let message = "no such call; the reflection service lists what there is";
            return Err(ApiError::new(Code::MethodNotAllowed, message));
        }
        let probe = matches!(call.kind, Kind::Probe | Kind::Stream);
        let _permit = Permit::take(state, probe)?;
        let limit = deadline(request.headers(), state.config.limits.request_timeout);
        let request = request.map(Asked);
        let work = async {
            if call.is_inference() {
                let Ok(response) = self.inference.clone().call(request).await;
                response
            } else {
                let Ok(response) = self.others.clone().call(request).await;
                response.map(Body::new)
            }
        };
        tokio::time::timeout(limit, work).await.map_err(|_| {
            ApiError::new(
                Code::RequestTimeout,
                "the call did not arrive or was not done in time",
            )
        })
    }

    /// The answer with a status of ours in place of tonic's, and what is wrong with it.
    fn finished(&self, result: Result<Response<Body>, ApiError>) -> (Response<Body>, Option<Code>) {
        let most = self.app.state().config.limits.max_body_bytes;
        let (mut response, error) = match result {
            Err(error) => (fault::status(error.clone()).into_http(), error),
            Ok(mut response) => match response.extensions_mut().remove::<Status>() {
                None => return (response, None),
                Some(status) => (response, fault::error(&status, most)),
            },
        };
        let code = error.code;
        // It cannot fail: messages of ours are texts, which are percent-encoded.
        let _ = fault::status(error).add_header(response.headers_mut());
        (response, Some(code))
    }
}

fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .map_or(&[][..], HeaderValue::as_bytes);
    match kind.strip_prefix(b"application/grpc") {
        Some([]) => true,
        Some([next, ..]) => matches!(next, b'+' | b';'),
        None => false,
    }
}

/// Ours, or the client's where that is shorter: up to 8 digits and a unit.
fn deadline(headers: &HeaderMap, most: Duration) -> Duration {
    let asked = || {
        let text = headers.get(GRPC_TIMEOUT)?.to_str().ok()?;
        let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        if digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let count: u64 = digits.parse().ok()?;
        Some(match unit {
            "H" => Duration::from_secs(count * 3600),
            "M" => Duration::from_secs(count * 60),
            "S" => Duration::from_secs(count),
            "m" => Duration::from_millis(count),
            "u" => Duration::from_micros(count),
            "n" => Duration::from_nanos(count),
            _ => return None,
        })
    };
    asked().map_or(most, |asked| asked.min(most))
}
