//! What the parts of the engine share: its surroundings, its clock, its events.

use crate::{
    compare::Comparison,
    config::Config,
    image::{self, Prepared},
    launch::Ground,
    probe::Word,
    rollout::Moment,
    schedule::Ended,
    server::Question,
    services::ServicePort,
};
use std::{
    collections::BTreeMap,
    path::PathBuf,
    time::{Duration, Instant},
};
use tokio::sync::mpsc;

/// An image that is missing is looked for again after so long.
pub const LOOK_AGAIN: Duration = Duration::from_secs(3);

/// Everything that can happen. One task handles them one after the other.
#[derive(Debug)]
pub enum Event {
    /// Where `main` is, or why that cannot be said.
    Head(Result<String, String>),
    /// A comparison ended.
    Compared(Comparison),
    /// An image is ready to run, or why not.
    Prepared(String, Result<Prepared, String>),
    /// The process with this key is gone.
    Ended(u64, Ended),
    /// The probes of the process with this key say something new.
    Probed(u64, Word),
    /// A client asks.
    Asked(Question),
}

/// How far an image is.
#[derive(Clone, Debug)]
pub enum ImageState {
    /// Being resolved and unpacked.
    Preparing,
    /// Can be run.
    Ready(Prepared),
    /// Cannot be run; looked at again at the given moment.
    Failed(String, Moment),
}

impl ImageState {
    /// `name@sha256:<hex>`, once it is known.
    pub fn digest(&self) -> Option<String> {
        match self {
            ImageState::Ready(prepared) => Some(prepared.image.clone()),
            _ => None,
        }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Context {
    /// The state folder, absolute.
    pub home: PathBuf,
    /// As started with.
    pub config: Config,
    /// `DRIFTLESS_HOME` and the configured ones.
    pub variables: BTreeMap<String, String>,
    /// Of all applications.
    pub services: Vec<ServicePort>,
    /// By reference as written in a manifest.
    pub images: BTreeMap<String, ImageState>,
    /// Into the engine's queue.
    pub events: mpsc::Sender<Event>,
    /// What must be remembered has changed.
    pub dirty: bool,
    start: Instant,
    last_key: u64,
}

impl Context {
    /// At the engine's start.
    pub fn new(home: PathBuf, config: Config, events: mpsc::Sender<Event>) -> Self {
        let mut variables = config.variables.clone();
        variables.insert("DRIFTLESS_HOME".to_owned(), home.display().to_string());
        Context {
            home,
            config,
            variables,
            services: Vec::new(),
            images: BTreeMap::new(),
            events,
            dirty: false,
            start: Instant::now(),
            last_key: 0,
        }
    }

    /// Since the engine's start.
    pub fn now(&self) -> Moment {
        self.start.elapsed()
    }

    /// A number that was never given before.
    pub fn key(&mut self) -> u64 {
        self.last_key += 1;
        self.last_key
    }

    /// What every process is started with.
    pub fn ground(&self) -> Ground<'_> {
        Ground {
            home: &self.home,
            variables: &self.variables,
            services: &self.services,
        }
    }

    /// How far that image is; the first question, and one after a while, makes it ready.
    pub fn image(&mut self, image: &str) -> ImageState {
        let now = self.now();
        match self.images.get(image) {
            Some(ImageState::Failed(_, again)) if *again <= now => {}
            Some(known) => return known.clone(),
            None => {
                self.images.insert(image.to_owned(), ImageState::Preparing);
            }
        }
        if let Some(ImageState::Failed(reason, again)) = self.images.get_mut(image) {
            // Stays failed until it is known to be there, so that nobody sees it flicker.
            *again = now + LOOK_AGAIN;
            let reason = reason.clone();
            self.prepare(image.to_owned());
            return ImageState::Failed(reason, now + LOOK_AGAIN);
        }
        self.prepare(image.to_owned());
        ImageState::Preparing
    }

    fn prepare(&self, image: String) {
        let (events, home) = (self.events.clone(), self.home.clone());
        tokio::spawn(async move {
            let asked = image.clone();
            let done = tokio::task::spawn_blocking(move || image::prepare(&asked, &home)).await;
            let result = match done {
                Ok(result) => result.map_err(|error| chain(&error)),
                Err(panicked) => Err(panicked.to_string()),
            };
            drop(events.send(Event::Prepared(image, result)).await);
        });
    }

    /// Takes in what [`Event::Prepared`] says.
    pub fn prepared(&mut self, image: String, result: Result<Prepared, String>) {
        let state = match result {
            Ok(prepared) => ImageState::Ready(prepared),
            Err(reason) => ImageState::Failed(reason, self.now() + LOOK_AGAIN),
        };
        self.images.insert(image, state);
    }
}

/// An error with its causes, on one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        // Some libraries repeat the cause in their own words.
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}
