//! State to answers: what tests call and what connections call, with nothing between.

use crate::{
    error::{ApiError, Code},
    exchange::Exchange,
    logs::{self, Answered},
    mlflow, predict,
    request_id::{self, REQUEST_ID},
    routes,
    state::State,
};
use axum::{
    Router,
    body::{Body, Bytes},
    http::{HeaderValue, Request, Response, header},
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
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let state = self.state();
        let started = Instant::now();
        exchange.begin(started);
        let (head, body) = request.into_parts();
        let id = state.request_ids.of(&head.headers);
        let method = head.method.clone();
        let endpoint = routes::known(head.uri.path());
        let probe = routes::is_probe(endpoint);
        let prediction = endpoint == predict::PATH || endpoint == mlflow::PATH;
        let refusal = |error: &ApiError, id: &HeaderValue| match mlflow::speaks(endpoint) {
            true => mlflow::refusal(error),
            false => error.answer(request_id::text(id)),
        };
        let mut guard = Guard {
            state,
            started,
            prediction,
            done: false,
        };

        let result = match Permit::take(state, probe) {
            Ok(_permit) => within(exchange, self.route(head, body, endpoint)).await,
            Err(error) => {
                let discarded = async {
                    predict::body::discard(body, &head.headers).await;
                    Err(error)
                };
                within(exchange, discarded).await
            }
        };
        let (mut response, error) = match result {
            Ok(mut response) => match response.extensions_mut().remove::<ApiError>() {
                Some(error) => {
                    let mut answer = refusal(&error, &id);
                    // The router's own finding: which methods there are.
                    answer.headers_mut().extend(
                        response
                            .headers_mut()
                            .remove(header::ALLOW)
                            .map(|allow| (header::ALLOW, allow)),
                    );
                    (answer, Some(error.code))
                }
                None => (response, None),
            },
            Err(error) => (refusal(&error, &id), Some(error.code)),
        };
        if prediction && error == Some(Code::MethodNotAllowed) {
            response
                .headers_mut()
                .insert(header::ALLOW, HeaderValue::from_static("POST"));
        }
        if state.is_draining() || error == Some(Code::RequestTimeout) {
            response
                .headers_mut()
                .insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        let latency = guard.finish(error);
        if !prediction && !probe {
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
        head: axum::http::request::Parts,
        body: B,
        endpoint: &str,
    ) -> Result<Response<Body>, ApiError>
    where
        B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        // Not over the router: its boxes and clones would be the costliest part of the answer.
        match endpoint {
            predict::PATH => return predict::answer(self.state(), &head, body).await,
            mlflow::PATH => return mlflow::answer(self.state(), &head, body).await,
            _ => {}
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
struct Permit<'s>(Option<&'s State>);

impl<'s> Permit<'s> {
    fn take(state: &'s State, probe: bool) -> Result<Self, ApiError> {
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
struct Guard<'s> {
    state: &'s State,
    started: Instant,
    prediction: bool,
    done: bool,
}

impl Guard<'_> {
    fn finish(&mut self, error: Option<Code>) -> Duration {
        let latency = self.started.elapsed();
        self.done = true;
        if self.prediction {
            self.state.metrics.prediction(latency, error);
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
