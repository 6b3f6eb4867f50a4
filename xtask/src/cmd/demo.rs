//! `demo`: drift, a retrain, a rollout under load, and a revert, with the seconds of each.
//!
//! Each line of the timeline is a promise that was checked; the first broken one ends the demo.

mod episode;
mod story;
mod timeline;

pub use timeline::{Life, Timeline};
pub use traffic::Batch;

use crate::{
    ctx::Ctx,
    exec::Request,
    failure::{Failure, Id, Outcome},
};
use contract::ModelInfo;
use serde_json::Value;

/// Plays the story, then prints what was live when.
///
/// # Errors
/// `promise-broken` with the promise, `engine-not-running`, the trainer's verdict.
pub fn command(ctx: &Ctx) -> Outcome<()> {
    if ctx.exec.pretends() {
        for line in story::PLAN {
            ctx.result(line);
        }
        return Ok(());
    }
    let mut timeline = Timeline::start(ctx);
    let result = story::play(ctx, &mut timeline);
    if ctx.json {
        ctx.result(&timeline.json().to_string());
    } else if result.is_ok() {
        ctx.result(&timeline.table());
    }
    result
}

/// A promise that does not hold.
fn broken(promise: &str, seen: impl std::fmt::Display) -> Failure {
    Failure::new(Id::PromiseBroken, promise).because(seen)
}

/// The API, as its clients see it.
struct Api<'a> {
    ctx: &'a Ctx,
    base: String,
}

impl Api<'_> {
    fn info(&self) -> Outcome<ModelInfo> {
        self.ctx
            .get_json(Id::ApiUnreachable, &format!("{}/model/info", self.base))
    }

    fn drift(&self) -> Outcome<Value> {
        self.ctx
            .get_json(Id::ApiUnreachable, &format!("{}/drift/status", self.base))
    }

    fn predict(&self, body: &str) -> Outcome<()> {
        let attempted = "ask for a prediction";
        let body = serde_json::from_str(body).map_err(|error| broken(attempted, error))?;
        match self
            .ctx
            .exec
            .http(&Request::post(format!("{}/predict", self.base), body))
        {
            Ok(answer) if answer.ok() => Ok(()),
            Ok(answer) => Err(broken(
                attempted,
                format!("HTTP {}: {}", answer.status, answer.body),
            )),
            Err(cause) => Err(Failure::new(Id::ApiUnreachable, attempted).because(cause)),
        }
    }

    /// `host:port` of the base address, for the load generator.
    fn socket(&self) -> Outcome<std::net::SocketAddr> {
        let host = self.base.trim_start_matches("http://").trim_end_matches('/');
        host.parse()
            .map_err(|error| broken("read the API's address", format!("{host}: {error}")))
    }
}
