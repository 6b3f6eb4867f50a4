//! `/drift/events`: what changes, as it changes.
//!
//! The monitor publishes each state of the window once; every stream waits for the newest. A reader that is
//! slow skips states and is told the newest: nothing is kept for it but one event.

use super::{core::Seen, status::EpisodeStatus};
use axum::body::Bytes;
use serde::Serialize;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};
use utoipa::ToSchema;

/// Streams at once.
pub const MOST: usize = 64;
/// Between two events `window` of a stream.
const WINDOWS_APART: Duration = Duration::from_millis(250);
/// After so long without an event there is a comment, so that nobody between takes the stream for dead.
pub const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Data of the event `drift`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct DriftEvent {
    /// Digest of the model whose traffic this is.
    pub model: String,
    /// Whether there is drift.
    pub drift_detected: bool,
    /// The newest episode, as `/drift/status` has it; null where there was none.
    pub episode: Option<EpisodeStatus>,
}

/// Data of the event `window`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WindowEvent {
    /// Grows with every change, as long as the process lives.
    pub version: u64,
    /// Rows in the window.
    pub rows: usize,
    /// Rows recorded by all replicas since the model is served.
    pub total: u64,
}

impl DriftEvent {
    fn of(seen: &Seen) -> Self {
        DriftEvent {
            model: seen.model.to_string(),
            drift_detected: seen.detected,
            episode: seen.episode.as_ref().map(EpisodeStatus::from),
        }
    }
}

/// One event's text.
fn event(name: &str, data: &impl Serialize) -> Bytes {
    let data = serde_json::to_string(data).expect("plain fields are always JSON");
    format!("event: {name}\ndata: {data}\n\n").into()
}

/// Of a model without a reference: nothing ever changes.
pub async fn tell_nothing(model: &str, to: &mpsc::Sender<Bytes>) {
    let none = DriftEvent {
        model: model.to_owned(),
        drift_detected: false,
        episode: None,
    };
    let mut sent = to.send(event("drift", &none)).await;
    while sent.is_ok() {
        tokio::time::sleep(KEEP_ALIVE).await;
        sent = to.send(comment()).await;
    }
}

fn comment() -> Bytes {
    Bytes::from_static(b": still there\n\n")
}

/// Tells of changes until nobody reads any more or nobody changes any more.
pub async fn tell(mut changes: watch::Receiver<Arc<Seen>>, to: &mpsc::Sender<Bytes>) {
    let mut told: Option<DriftEvent> = None;
    let mut version = changes.borrow().version;
    let mut window_at = Instant::now();
    let mut comment_at = Instant::now() + KEEP_ALIVE;
    loop {
        let seen = Arc::clone(&changes.borrow_and_update());
        let mut events = Vec::new();
        let drift = DriftEvent::of(&seen);
        if told.as_ref() != Some(&drift) {
            events.push(event("drift", &drift));
            told = Some(drift);
        }
        let now = Instant::now();
        if version != seen.version && now >= window_at {
            version = seen.version;
            window_at = now + WINDOWS_APART;
            events.push(event(
                "window",
                &WindowEvent {
                    version,
                    rows: seen.rows,
                    total: seen.total,
                },
            ));
        }
        if events.is_empty() && now >= comment_at {
            events.push(comment());
        }
        if !events.is_empty() {
            comment_at = now + KEEP_ALIVE;
        }
        for event in events {
            if to.send(event).await.is_err() {
                return;
            }
        }
        let waits = if version == seen.version {
            comment_at
        } else {
            window_at
        };
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            () = sleep_until(waits) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use drift::{baseline::Baseline, npy::Matrix};
    use tokio::time::timeout;

    fn seen(version: u64, detected: bool) -> Arc<Seen> {
        let matrix = Matrix {
            rows: 2,
            columns: 1,
            values: vec![1.0, 2.0],
        };
        let baseline =
            Baseline::new(vec!["x".to_owned()], &matrix, Vec::new()).expect("two rows of one value");
        Arc::new(Seen {
            version,
            detected,
            rows: 100,
            size: 100,
            total: version,
            model: "m".into(),
            episode: None,
            episodes: 0,
            merged: 1,
            baseline: Arc::new(baseline),
            looked: None,
        })
    }

    /// Ten thousand changes pass a reader that takes nothing: three events wait, and then the newest state.
    #[tokio::test]
    async fn a_slow_reader_is_told_the_newest() {
        let changes = watch::Sender::new(seen(0, false));
        let (to, mut from) = mpsc::channel(1);
        let told = changes.subscribe();
        tokio::spawn(async move { tell(told, &to).await });
        for version in 1..=10_000 {
            changes.send_replace(seen(version, version % 2 == 1));
            if version % 100 == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        let mut events = Vec::new();
        while let Ok(Some(event)) = timeout(Duration::from_secs(1), from.recv()).await {
            events.push(String::from_utf8(event.to_vec()).expect("events are text"));
        }
        assert!(events.len() <= 5, "{events:?}");
        let newest = r#"{"version":10000,"rows":100,"total":10000}"#;
        assert_eq!(events.last(), Some(&format!("event: window\ndata: {newest}\n\n")));
        let drift: Vec<_> = events
            .iter()
            .filter(|event| event.starts_with("event: drift"))
            .collect();
        let last = drift.last().expect("it begins with one");
        assert!(last.contains(r#""drift_detected":false"#), "{drift:?}");
    }

    #[tokio::test]
    async fn it_ends_with_the_last_publisher() {
        let changes = watch::Sender::new(seen(0, false));
        let (to, mut from) = mpsc::channel(1);
        let told = changes.subscribe();
        let telling = tokio::spawn(async move { tell(told, &to).await });
        let first = from.recv().await.expect("what is");
        assert!(first.starts_with(b"event: drift\n"));
        drop(changes);
        assert_eq!(from.recv().await, None);
        telling.await.expect("no panic");
    }
}
