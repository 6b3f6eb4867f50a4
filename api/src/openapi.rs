//! The OpenAPI 3.1 document, generated from the handlers and the shared bodies.
//!
//! What holds for every model is here and beside the handlers. A running server narrows it to the
//! model that it has, see `model`.

mod errors;
mod model;
mod parts;
mod rows;
mod tables;
mod tensors;
mod values;

use crate::{
    config::Limits,
    guard::{described::Guarded, headers::content_security_policy},
    mlflow, predict, routes,
    routes::content,
    served::Served,
    state::State,
    v2::documents as v2,
};
use axum::{
    body::{Body, Bytes},
    extract,
    http::{HeaderName, HeaderValue, Response},
};
pub(crate) use parts::Parts;
use serde::Serialize;
use std::sync::{Arc, OnceLock};
use utoipa::{OpenApi, ToSchema};

/// The document.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Driftless inference API",
        description = "One model, one process. Answers carry whether the latest traffic still looks like what the model learnt from.\n\nEvery error is JSON with a stable `code`, a `message` for a person and the `request_id`, which is also in the header `x-request-id` of every answer (your own is kept when it is 1 to 64 of `A-Z a-z 0-9 . _ -`). 400 is for what is not JSON, 422 for JSON that the model does not take. Below `/v2` errors are that protocol's: `{\"error\": …}`, and 400 for both.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    servers((url = "/")),
    modifiers(&Guarded),
    tags(
        (name = "predictions", description = "What the model is for"),
        (name = "v2", description = "The same in the Open Inference Protocol V2, with binary tensors; errors are `{\"error\": …}`"),
        (name = "mlflow", description = "The protocol of MLflow's scoring server"),
        (name = "model", description = "What is live, and whether it still fits"),
        (name = "operation", description = "For probes, scrapers and people on call"),
        (name = "documents", description = "This description")
    ),
    paths(
        predict::answer,
        v2::server,
        v2::live,
        v2::ready,
        v2::model,
        v2::model_version,
        v2::model_ready,
        v2::model_version_ready,
        v2::infer,
        v2::infer_version,
        mlflow::answer,
        mlflow::ping,
        mlflow::ping_by_post,
        mlflow::version,
        routes::model::info,
        routes::drift::status,
        routes::health::health,
        routes::health::livez,
        routes::health::readyz,
        routes::metrics::metrics,
        document,
        routes::docs::docs
    )
)]
struct Document;

/// Answer of `/predict`: one prediction for `features`, a list for `instances`.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub enum PredictAnswer {
    /// For `features`.
    One(contract::Prediction),
    /// For `instances`.
    Many(contract::Predictions),
}

/// Answer of `/health`.
#[derive(Debug, Serialize, ToSchema)]
pub struct HealthBody {
    /// `healthy`; anything else is an error answer.
    pub status: String,
    /// Since the process started.
    pub uptime_seconds: f64,
    /// Requests answered; probes and scrapes are not counted.
    pub requests_served: u64,
    /// Now, UTC, RFC 3339.
    pub timestamp: String,
}

/// Answer of the probes.
#[derive(Debug, Serialize, ToSchema)]
pub struct StatusBody {
    /// `alive` or `ready`.
    pub status: String,
}

/// The document as a server gives it out.
#[derive(Debug)]
pub struct Published {
    /// Of `/openapi.json`.
    json: Bytes,
    /// Of `/docs`.
    page: Bytes,
    /// The page's `Content-Security-Policy`.
    policy: (HeaderName, HeaderValue),
}

impl Published {
    /// What holds for every model: what is said while there is none yet.
    pub fn general() -> &'static Published {
        static GENERAL: OnceLock<Published> = OnceLock::new();
        GENERAL.get_or_init(|| Published::new(&general()))
    }

    /// Narrowed to a model.
    pub fn of(served: &Served, limits: &Limits) -> Published {
        let mut parts = general();
        model::narrow(&mut parts, served, limits);
        Published::new(&parts)
    }

    fn new(parts: &Parts) -> Published {
        let page = routes::docs::render::page(parts);
        Published {
            json: parts.text().into(),
            policy: content_security_policy(&page),
            page: page.into(),
        }
    }

    /// The page, with the policy that it is to be shown under.
    pub fn page(&self) -> (Bytes, (HeaderName, HeaderValue)) {
        (self.page.clone(), self.policy.clone())
    }
}

/// The document of every model as JSON, pretty-printed; also the content of `api/openapi.json`.
pub fn json() -> String {
    general().text()
}

fn general() -> Parts {
    let mut parts = Parts::of(&Document::openapi());
    errors::show(&mut parts.paths);
    parts
}

/// This document.
#[utoipa::path(get, path = "/openapi.json", tag = "documents", summary = "This description, for programs",
    responses((status = 200, description = "OpenAPI 3.1, of the model that is served", body = Object)))]
pub async fn document(extract::State(state): extract::State<Arc<State>>) -> Response<Body> {
    content("application/json", state.published().json.clone())
}
