//! What handlers may reach.

use crate::{
    config::Config,
    error::{ApiError, Code},
    guard::{Guard, GuardError},
    metrics::Metrics,
    monitor::Monitor,
    openapi::Published,
    request_id::RequestIds,
    served::Served,
};
use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

/// State of one process.
#[derive(Debug)]
pub struct State {
    /// What it was told.
    pub config: Config,
    /// What it counted.
    pub metrics: Metrics,
    /// Where request ids come from.
    pub request_ids: RequestIds,
    /// When it started.
    pub started: Instant,
    /// Requests seen; what log samples are drawn by.
    pub seen: AtomicU64,
    /// Who may ask, and how often.
    pub guard: Guard,
    served: OnceLock<Served>,
    published: OnceLock<Published>,
    draining: AtomicBool,
}

impl State {
    /// A process that has loaded nothing yet.
    ///
    /// # Errors
    /// When API keys or origins are not what they should be.
    pub fn new(config: Config) -> Result<Self, GuardError> {
        Ok(State {
            guard: Guard::new(&config.guard)?,
            config,
            metrics: Metrics::default(),
            request_ids: RequestIds::default(),
            started: Instant::now(),
            seen: AtomicU64::new(0),
            served: OnceLock::new(),
            published: OnceLock::new(),
            draining: AtomicBool::new(false),
        })
    }

    /// The model that answers from now on. It has answered already: [`crate::load::load`] sees to it.
    pub fn serve(&self, served: Served) {
        // A process serves one model in its life; a second call changes nothing.
        let _ = self.served.set(served);
    }

    /// The model.
    ///
    /// # Errors
    /// `not_ready` while it loads.
    pub fn served(&self) -> Result<&Served, ApiError> {
        let not_ready = || ApiError::new(Code::NotReady, "the model is being loaded");
        self.served.get().ok_or_else(not_ready)
    }

    /// Who watches for drift; `None` while the model loads, and where it has no reference.
    pub fn monitor(&self) -> Option<Arc<Monitor>> {
        self.served.get().and_then(|served| served.drift().cloned())
    }

    /// The description of this server: of its model, once there is one.
    pub fn published(&self) -> &Published {
        match self.served.get() {
            None => Published::general(),
            Some(served) => self
                .published
                .get_or_init(|| Published::of(served, &self.config.limits)),
        }
    }

    /// Answers carry `Connection: close` and readiness is denied from now on.
    pub fn drain(&self) {
        self.draining.store(true, Relaxed);
    }

    /// Whether SIGTERM came.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Relaxed)
    }

    /// Whether new traffic is wanted.
    ///
    /// # Errors
    /// `not_ready` or `draining`.
    pub fn ready(&self) -> Result<&Served, ApiError> {
        if self.is_draining() {
            return Err(ApiError::new(Code::Draining, "the process is about to stop"));
        }
        self.served()
    }
}
