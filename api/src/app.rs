//! State to answers: what tests call and what connections call, with nothing between.

use crate::{
    error::{ApiError, Code, ErrorForm},
    exchange::{Exchange, Surface},
    guard::keys::KeyName,
    logs::{self, Answered},
    mlflow, monitor, predict,
    protocol::Protocol,
    request_id::{self, REQUEST_ID},
    routes,
    state::State,
    v2,
};
use axum::{
    Router,
    body::{Body, Bytes},
    http::{HeaderValue, Request, Response, header, request::Parts},
};
use hyper::body::Body as HttpBody;
use std::{
    future::poll_fn,
    pin::pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::Poll,
    time::{Duration, Instant},
};

/// The whole API over one [`State`].
#[derive(Clone, Debug)]
pub struct App(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: Arc<State>,
    router: Router,
}

impl App {
    /// Routes over `state`.
    pub fn new(state: Arc<State>) -> Self {
        let router = routes::router(Arc::clone(&state));
        App(Arc::new(Inner { state, router }))
    }

    /// The state it answers from.
    pub fn state(&self) -> &Arc<State> {
        &self.0.state
    }

    /// Answers one request: id, limits, deadline, route, error body, counters, log.
    /// `exchange` is told when it begins and ends, and tells when its time is up.
    pub async fn answer<B>(&self, request: Request<B>, exchange: &Exchange) -> Response<Body>
    where
        B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
    {
        let state = self.state();
        let started = Instant::now();
        exchange.begin(started);
        let (head, body) = request.into_parts();
        let id = state.request_ids.of(&head.headers);
        let method = head.method.clone();
        let endpoint = routes::known(head.uri.path());
        let probe = routes::is_probe(endpoint);
        let protocol = routes::protocol(endpoint);
        let form = routes::error_form(head.uri.path());
        let mut guard = Guard::new(state, started, protocol);

        let origin = state.guard.origin(&head.headers);
        let mut key = None;
        let result = match enter(state, &head, endpoint, exchange, started) {
            Ok(Entry::Preflight(answer)) => Ok(answer),
            Ok(Entry::Request(known, _permit)) => {
                key = known;
                within(exchange, self.route(head, body, protocol, form)).await
            }
            Err(mut error) => {
                let most = state.config.limits.max_body_bytes;
                error.closes |= !predict::body::leave(body, &head.headers, most).await;
                Err(error)
            }
        };
        let (mut response, error, closes) = match result {
            Ok(mut response) => match response.extensions_mut().remove::<ApiError>() {
                Some(error) => {
                    let mut answer = error.answer(form, request_id::text(&id));
                    // The router's own finding: which methods there are.
                    answer.headers_mut().extend(
                        response
                            .headers_mut()
                            .remove(header::ALLOW)
                            .map(|allow| (header::ALLOW, allow)),
                    );
                    (answer, Some(error.code), error.closes)
                }
                None => (response, None, false),
            },
            Err(error) => (
                error.answer(form, request_id::text(&id)),
                Some(error.code),
                error.closes,
            ),
        };
        if error == Some(Code::MethodNotAllowed)
            && let Some(methods) = routes::allowed_methods(endpoint)
        {
            response
                .headers_mut()
                .insert(header::ALLOW, HeaderValue::from_static(methods));
        }
        if state.is_draining() || closes {
            exchange.close();
            response
                .headers_mut()
                .insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        let document = routes::is_document(endpoint) && error.is_none();
        state
            .guard
            .finish(response.headers_mut(), origin.as_ref(), document);
        let latency = guard.finish(error);
        if protocol.is_none() && !probe {
            state.metrics.other();
        }
        let number = if probe {
            0
        } else {
            state.seen.fetch_add(1, Relaxed)
        };
        let status = response.status().as_u16();
        let request_id = request_id::text(&id);
        logs::request(
            &state.config.logs,
            number,
            &Answered {
                request_id,
                method: method.as_str(),
                endpoint,
                key: key.as_ref().map(KeyName::as_str),
                status,
                error,
                latency,
                probe,
            },
        );
        response.headers_mut().insert(REQUEST_ID, id);
        exchange.end();
        response
    }

    async fn route<B>(
        &self,
        head: Parts,
        body: B,
        protocol: Option<Protocol>,
        form: ErrorForm,
    ) -> Result<Response<Body>, ApiError>
    where
        B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
    {
        // Not over the router: its boxes and clones would be the costliest part of the answer.
        match protocol {
            Some(Protocol::Predict) => return predict::answer(self.state(), &head, body).await,
            Some(Protocol::Mlflow) => return mlflow::answer(self.state(), &head, body).await,
            _ => {}
        }
        if form == ErrorForm::V2 {
            return v2::answer(self.state(), &head, body).await;
        }
        let request = Request::from_parts(head, Body::new(body));
        let mut router = self.0.router.clone();
        let Ok(response) = tower_call(&mut router, request).await;
        Ok(response)
    }
}

/// `Router` is a `tower::Service` that is always ready.
async fn tower_call(
    router: &mut Router,
    request: Request<Body>,
) -> Result<Response<Body>, std::convert::Infallible> {
    hyper::service::Service::call(
        &hyper_util::service::TowerToHyperService::new(router.clone()),
        request,
    )
    .await
}

/// What a request is, by its head.
enum Entry<'s> {
    /// A browser asks whether a page may ask; here is the answer.
    Preflight(Response<Body>),
    /// One to answer, and whose key it came with.
    Request(Option<KeyName>, Permit<'s>),
}

/// What can be said from the head alone.
fn enter<'s>(
    state: &'s State,
    head: &Parts,
    endpoint: &'static str,
    exchange: &Exchange,
    now: Instant,
) -> Result<Entry<'s>, ApiError> {
    let replicas = endpoint == monitor::exchange::PATH;
    let shown = match exchange.surface {
        // Where replicas have a port of their own they ask there alone.
        Surface::Whole | Surface::WithoutMetrics
            if replicas && state.config.drift.exchange.listen.is_some() =>
        {
            false
        }
        Surface::Whole => true,
        Surface::WithoutMetrics => endpoint != "/metrics",
        Surface::Admin => routes::is_probe(endpoint) && !replicas,
        Surface::Replicas => replicas,
    };
    if !shown {
        return Err(routes::no_such_path());
    }
    if let Some(answer) = state.guard.preflight(head) {
        return Ok(Entry::Preflight(answer));
    }
    let key = if routes::is_free(endpoint) {
        None
    } else {
        state.guard.admit(&head.headers, exchange.peer, now)?
    };
    let permit = Permit::take(state, routes::is_probe(endpoint))?;
    Ok(Entry::Request(key, permit))
}

/// Runs until done or until the exchange's time is up.
async fn within<T>(
    exchange: &Exchange,
    work: impl Future<Output = Result<T, ApiError>>,
) -> Result<T, ApiError> {
    let mut work = pin!(work);
    poll_fn(|cx| match work.as_mut().poll(cx) {
        Poll::Pending if exchange.is_expired() => Poll::Ready(Err(ApiError::new(
            Code::RequestTimeout,
            "the request did not arrive or was not done in time",
        ))),
        poll => poll,
    })
    .await
}

/// One of the requests that may be in flight; probes need none.
pub(crate) struct Permit<'s>(Option<&'s State>);

impl<'s> Permit<'s> {
    pub(crate) fn take(state: &'s State, probe: bool) -> Result<Self, ApiError> {
        if probe {
            return Ok(Permit(None));
        }
        let before = state.metrics.in_flight.fetch_add(1, Relaxed);
        let permit = Permit(Some(state));
        let most = state.config.limits.max_concurrent_requests;
        if before < most {
            return Ok(permit);
        }
        let message =
            format!("{most} requests are in flight already, the most that are taken at once; try again");
        Err(ApiError::new(Code::Overloaded, message))
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if let Some(state) = self.0 {
            state.metrics.in_flight.fetch_sub(1, Relaxed);
        }
    }
}

/// Counts a prediction request once, also when the client hangs up and the future is dropped.
pub(crate) struct Guard<'s> {
    state: &'s State,
    started: Instant,
    protocol: Option<Protocol>,
    done: bool,
}

impl<'s> Guard<'s> {
    pub(crate) fn new(state: &'s State, started: Instant, protocol: Option<Protocol>) -> Self {
        Guard {
            state,
            started,
            protocol,
            done: false,
        }
    }

    pub(crate) fn finish(&mut self, error: Option<Code>) -> Duration {
        let latency = self.started.elapsed();
        self.done = true;
        if let Some(protocol) = self.protocol {
            self.state.metrics.prediction(protocol, latency, error);
        }
        latency
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.finish(Some(Code::ClientClosed));
        }
    }
}
